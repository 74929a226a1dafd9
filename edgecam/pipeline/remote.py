"""What others may tell this device to do, done: switches, snapshots, answers; what is refused is counted."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Protocol

from edgecam.pipeline.opening import Opening
from edgecam.pipeline.snapshots import Snapshots
from edgecam.publish.commands import Call, Command, Refusal, Refused, Switch, filters, read_command
from edgecam.publish.publisher import Publisher
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Received

log = logging.getLogger(__name__)


class Switches(Protocol):
    """Remembers the cameras' switches over restarts. Never raises."""

    def switch(self, camera: str) -> bool | None:
        """How it was set last; None: never."""

    def set_switch(self, camera: str, *, on: bool) -> None:
        """Remember it."""


class Remote:
    """Follows commands; `hear` belongs to the thread that reads from the broker."""

    def __init__(
        self,
        topics: Topics,
        publisher: Publisher,
        *,
        allowed: Collection[Command],
        openings: Mapping[str, Opening],
        switches: Switches,
        snapshots: Snapshots | None,
    ) -> None:
        """Set the cameras' switches as they stood.

        Args:
            topics: our own.
            publisher: for answers and switches.
            allowed: the commands that are followed.
            openings: by camera.
            switches: remembers them.
            snapshots: None: there are none.
        """
        self._topics = topics
        self._publisher = publisher
        self._allowed = allowed
        self._openings = openings
        self._switches = switches
        self._snapshots = snapshots
        self.refused = dict.fromkeys(Refusal, 0)
        """How many commands were refused, by reason."""
        # Who may not be switched on again must not stay off.
        if Command.ENABLED in allowed:
            for camera, opening in openings.items():
                opening.switch(on=switches.switch(camera) is not False)

    @property
    def filters(self) -> list[str]:
        """The topic filters of what is to be heard."""
        return list(filters(self._topics, self._allowed))

    def open(self) -> None:
        """Say how the switches stand."""
        if Command.ENABLED in self._allowed:
            for camera, opening in self._openings.items():
                self._publisher.enabled(camera, on=opening.is_on)

    def hear(self, received: Received) -> None:
        """Follow a command, or refuse it."""
        match read_command(received, self._topics, cameras=self._openings, allowed=self._allowed):
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
        if call.verb is Command.SNAPSHOT and call.camera is not None:
            ok, text = self._take_snapshot(call.camera)
        else:
            ok, text = False, "not available in this version"
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
        log.log(level, "command refused topic=%.200r reason=%s: %s", topic, refused.reason, refused.text)
        if refused.reply is not None:
            data = {"reason": refused.reason.value}
            self._publisher.response(refused.reply, ok=False, message=refused.text, data=data)
