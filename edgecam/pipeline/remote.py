"""What others may tell this device to do, done: switches, snapshots, answers; what is refused is counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from threading import Lock
from typing import Protocol

from edgecam.pipeline.allowance import Allowance
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.snapshots import Snapshots
from edgecam.publish.commands import (
    Call,
    Command,
    Refusal,
    Refused,
    Reply,
    Switch,
    filters,
    read_command,
)
from edgecam.publish.publisher import Publisher
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Received

log = logging.getLogger(__name__)

_BURST = 10
_COMMANDS_PER_S = 5.0


class Switches(Protocol):
    """Remembers the cameras' switches over restarts. Never raises."""

    def switch(self, camera: str) -> bool | None:
        """How it was set last; None: never."""

    def set_switch(self, camera: str, *, on: bool) -> None:
        """Remember it."""


class Remote:
    """Follows commands; `hear` belongs to the thread that hears the broker, the rest to the main loop."""

    def __init__(
        self,
        topics: Topics,
        publisher: Publisher,
        *,
        allowed: Collection[Command],
        openings: Mapping[str, Opening],
        switches: Switches,
        snapshots: Snapshots | None,
        reload: Callable[[Reply], None] | None = None,
        read_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the cameras' switches as they stood.

        Args:
            topics: our own.
            publisher: for answers and switches.
            allowed: the commands that are followed.
            openings: by camera.
            switches: remembers them.
            snapshots: None: there are none.
            reload: lets another thread read the configuration anew, and answer; None: that cannot be.
            read_s: a clock that never goes back, in seconds.
        """
        self._publisher = publisher
        self._switches = switches
        self._reload = reload
        self._read_s = read_s
        self._lock = Lock()
        """A command is followed by one configuration from its start to its end."""
        self._allowance = Allowance(burst=_BURST, per_s=_COMMANDS_PER_S)
        self.refused = dict.fromkeys(Refusal, 0)
        """How many commands were refused, by reason."""
        self.revise(topics, allowed=allowed, openings=openings, snapshots=snapshots)

    def revise(
        self,
        topics: Topics,
        *,
        allowed: Collection[Command],
        openings: Mapping[str, Opening],
        snapshots: Snapshots | None,
    ) -> None:
        """Follow these commands from now on; the cameras' switches are set as they stood."""
        with self._lock:
            self._topics = topics
            self._allowed = allowed
            self._openings = openings
            self._snapshots = snapshots
            # A house that switches all its cameras at once is no flood.
            self._allowance.set_burst(_BURST + 2 * len(openings))
            is_listed = Command.ENABLED in allowed
            for camera, opening in openings.items():
                # Who may not be switched on again must not stay off.
                opening.switch(on=not is_listed or self._switches.switch(camera) is not False)

    @property
    def filters(self) -> list[str]:
        """The topic filters of what is to be heard."""
        return list(filters(self._topics, self._allowed))

    def open(self) -> None:
        """Say how the switches stand."""
        with self._lock:
            if Command.ENABLED in self._allowed:
                for camera, opening in self._openings.items():
                    self._publisher.enabled(camera, on=opening.is_on)

    def hear(self, received: Received) -> None:
        """Follow a command, or refuse it."""
        with self._lock:
            self._hear(received)

    def _hear(self, received: Received) -> None:
        command = read_command(received, self._topics, cameras=self._openings, allowed=self._allowed)
        # What is neither followed nor answered costs nothing, and must use up nobody's turn.
        is_work = not isinstance(command, Refused) or command.reply is not None
        if is_work and not self._allowance.take(self._read_s()):
            command = Refused(Refusal.RATE, f"expected at most {_COMMANDS_PER_S:g} commands a second")
        match command:
            case Switch(camera, on):
                self._switch(camera, on=on)
            case Call() as call:
                self._call(call)
            case Refused() as refused:
                self._refuse(refused, received.topic)

    def _switch(self, camera: str, *, on: bool) -> None:
        if self._openings[camera].switch(on=on):
            log.info("camera switched camera=%s to=%s", camera, "on" if on else "off")
            self._switches.set_switch(camera, on=on)
        # Also when it stood so: whoever sets it waits to see it so.
        self._publisher.enabled(camera, on=on)

    def _call(self, call: Call) -> None:
        log.info("command verb=%s camera=%s", call.verb, call.camera)
        if call.verb is Command.RELOAD and self._reload is not None:
            self._reload(call.reply)
            return
        if call.verb is Command.SNAPSHOT and call.camera is not None:
            ok, text = self._take_snapshot(call.camera)
        else:
            ok, text = False, "there is no configuration to be read anew"
        data = {} if call.camera is None else {"camera": call.camera}
        self._publisher.response(call.reply, ok=ok, message=text, data=data)

    def _take_snapshot(self, camera: str) -> tuple[bool, str]:
        if self._snapshots is None:
            return False, "snapshots are off; they are switched on by mqtt.snapshots.enabled"
        if not self._openings[camera].is_on:
            return False, "the camera is switched off"
        if self._snapshots.take_newest(camera) is None:
            return False, "there is no frame of this camera now"
        return True, f"on its way to {self._topics.snapshot(camera)}"

    def _refuse(self, refused: Refused, topic: str) -> None:
        self.refused[refused.reason] += 1
        self._publisher.commands_refused += 1
        # The first of a kind is news; a stranger must not fill the journal.
        level = logging.WARNING if self.refused[refused.reason] == 1 else logging.DEBUG
        log.log(level, "command refused topic=%.200r reason=%s text=%s", topic, refused.reason, refused.text)
        if refused.reply is not None:
            data = {"reason": refused.reason.value}
            self._publisher.response(refused.reply, ok=False, message=refused.text, data=data)
