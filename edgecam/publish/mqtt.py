"""The link to a broker: connects, tries again, finds the version of MQTT.

One thread calls `step`; while that waits, another may take the `turn` and publish. `wake`, from any thread,
ends a `step` that waits. Nothing is queued here.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from edgecam.backoff import Backoff
from edgecam.errors import BrokerError
from edgecam.publish import verdict
from edgecam.publish.outage import Outage
from edgecam.publish.session import MAX_PACKET_BYTES, Session
from edgecam.publish.wire import (
    BrokerAddress,
    Connected,
    Disconnected,
    Failure,
    Happening,
    LinkStatus,
    LinkTiming,
    Protocol,
    ProtocolChoice,
    Will,
)

log = logging.getLogger(__name__)

_FAREWELL_S = 1.0
# Commands and announcements are far smaller; a stranger's longer message costs memory.
_MAX_PACKET_BYTES = 64 * 1024


class MqttLink:
    """Connects, stays connected, sends and receives; all but `wake` and `publish` belong to one thread.

    `before_connect` is called before each attempt and may raise BrokerError: an embedded broker is
    brought back there. Who sends us more than `max_packet_bytes` at once ends the connection.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        protocol: Protocol = Protocol.AUTO,
        will: Will | None = None,
        subscriptions: Iterable[tuple[str, int]] = (),
        timing: LinkTiming | None = None,
        before_connect: Callable[[], None] | None = None,
        max_packet_bytes: int = _MAX_PACKET_BYTES,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._will = will
        self._subscriptions = list(subscriptions)
        self._timing = timing or LinkTiming()
        self._before_connect = before_connect
        self._max_packet_bytes = max_packet_bytes
        self._choice = ProtocolChoice(protocol)
        self._outage = Outage(str(address))
        self.turn = threading.Lock()
        """To be held by whoever publishes; `step` holds it, but not while it waits."""
        self._waker, self._alarm = socket.socketpair()
        self._waker.settimeout(0)
        self._alarm.settimeout(0)
        self._is_retired = False
        self._session: Session | None = None
        self._connected_s: float | None = None
        self._answer_due_s = 0.0
        self._backoff = Backoff(first_s=self._timing.backoff_min_s, cap_s=self._timing.backoff_max_s)
        self._retry_due_s = 0.0
        self._last_failure: tuple[Failure | None, str] = (None, "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Left by an error, the broker shall speak the will.
        if kind is not None:
            self.abandon()
        self.close()

    @property
    def connected(self) -> bool:
        """True from a CONNACK with success until the connection ends."""
        return self._connected_s is not None

    @property
    def protocol(self) -> Protocol | None:
        """What is spoken now; None when not connected."""
        return self._choice.current if self.connected else None

    @property
    def window(self) -> int:
        """How many messages at QoS 1 may be unanswered at once; 0 when not connected."""
        return self._session.window if self._session and self.connected else 0

    @property
    def takes_bytes(self) -> int:
        """The largest packet that the broker takes."""
        return self._session.takes_bytes if self._session else MAX_PACKET_BYTES

    @property
    def congested(self) -> bool:
        """True while what was published before has not left this machine."""
        return self._session is not None and self._session.congested

    def subscribe(self, topic_filter: str, qos: int = 1) -> None:
        """Hear what matches, from the next connection on; to be called before the first `step`."""
        self._subscriptions.append((topic_filter, qos))

    @property
    def status(self) -> LinkStatus:
        """How the link is now; from any thread."""
        connected_s, now_s = self._connected_s, time.monotonic()
        failure, reason = self._last_failure
        waiting = self._session is None and self._retry_due_s > 0
        return LinkStatus(
            broker=str(self._address),
            encrypted=self._address.encrypted,
            connected_s=None if connected_s is None else now_s - connected_s,
            protocol=None if connected_s is None else self._choice.current,
            failure=failure,
            reason=reason,
            next_attempt_s=max(0.0, self._retry_due_s - now_s) if waiting else None,
        )

    def wake(self) -> None:
        """End a `step` that waits; from any thread, also after `close`."""
        # A full buffer is a wake-up that waits already.
        with contextlib.suppress(OSError):
            self._alarm.send(b"\0")

    def step(self, timeout_s: float) -> list[Happening]:
        """Do what there is to do, wait at most `timeout_s` for more; returns what happened.

        Waits longer only for a host that does not answer at all: `connect_s` per address.
        """
        with self.turn:
            now_s = time.monotonic()
            if self._session is None and now_s >= self._retry_due_s:
                self._open()
            if self._session is None:
                timeout_s = min(timeout_s, self._retry_due_s - now_s)
            elif not self.connected:
                timeout_s = min(timeout_s, self._answer_due_s - now_s)
            self._wait(max(0.0, timeout_s))
            return self._look_after()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        content_type: str = "application/json",
        expiry_s: int | None = None,
        correlation: bytes | None = None,
    ) -> int | None:
        """Write a message to the socket.

        Returns the token that `Acknowledged` will carry (no more is heard of QoS 0), or None when there is no
        connection (any more). Content type, expiry and correlation data travel with MQTT 5 only.
        """
        if self._session is None or not self.connected:
            return None
        return self._session.publish(
            topic,
            payload,
            qos=qos,
            retain=retain,
            content_type=content_type,
            expiry_s=expiry_s,
            correlation=correlation,
        )

    def retire(self) -> None:
        """Another link has our client id now: open no connection any more, however late; from any thread."""
        self._is_retired = True

    def abandon(self) -> None:
        """End the connection without a goodbye: the broker speaks the will."""
        if self._session is not None:
            self._session.abandon()
        self._session = None
        self._connected_s = None

    def close(self) -> None:
        """Say goodbye, so that the broker keeps the will to itself, and let everything go; idempotent."""
        if self._session is not None and self.connected:
            self._session.say_goodbye()
            ends_s = time.monotonic() + _FAREWELL_S
            with self.turn:
                while not self._session.ended and (left_s := ends_s - time.monotonic()) > 0:
                    self._wait(left_s)
        self.abandon()
        self._waker.close()
        self._alarm.close()

    def _open(self) -> None:
        """Begin an attempt; the answer comes later."""
        session = Session(
            self._address,
            client_id=self._client_id,
            version=self._choice.current,
            will=self._will,
            subscriptions=self._subscriptions,
            max_packet_bytes=self._max_packet_bytes,
            is_retired=lambda: self._is_retired,
        )
        try:
            if self._before_connect is not None:
                self._before_connect()
            session.start(self._timing)
        except (BrokerError, OSError, UnicodeError) as error:
            if self._is_retired:
                return
            self._failed(*verdict.not_opened(error, self._address.host))
        else:
            self._session = session
            self._answer_due_s = time.monotonic() + self._timing.connack_s

    def _wait(self, timeout_s: float) -> None:
        if self._session is not None:
            self._session.wait(self._waker, timeout_s, self.turn)
        else:
            self.turn.release()
            try:
                select.select([self._waker], [], [], timeout_s)
            finally:
                self.turn.acquire()
        with contextlib.suppress(BlockingIOError):
            self._waker.recv(4096)

    def _look_after(self) -> list[Happening]:
        """Draw the conclusions from what the session has gone through."""
        session, happenings = self._session, list[Happening]()
        if session is None:
            return happenings
        if session.accepted and not self.connected:
            self._connected_s = time.monotonic()
            self._choice.worked()
            self._outage.ended(protocol=self._choice.current, now_s=self._connected_s)
            happenings.append(Connected())
        happenings.extend(session.happenings())
        if session.ended and self.connected:
            happenings.append(Disconnected(session_taken=session.session_taken))
            self._lost(session)
        elif session.ended:
            self._failed(*verdict.refused(session, self._choice.current))
        elif not self.connected and time.monotonic() >= self._answer_due_s:
            version = self._choice.current
            self._failed(Failure.MUTE, f"no answer to MQTT {version} within {self._timing.connack_s:g} s")
        return happenings

    def _lost(self, session: Session) -> None:
        """An accepted connection has ended."""
        now_s = time.monotonic()
        stable = self._connected_s is not None and now_s - self._connected_s >= self._timing.stable_s
        if stable:
            self._backoff.restart()
        if session.session_taken:
            # Whoever has our id will come back, too: let the two not push each other out all the time.
            self._backoff.widen()
        self._retry_later(*verdict.lost(session, stable=stable))

    def _failed(self, failure: Failure, text: str) -> None:
        if self._choice.failed(failure):
            log.debug("trying the older version of MQTT broker=%s reason=%s", self._address, text)
            self.abandon()
        else:
            self._retry_later(failure, text)

    def _retry_later(self, failure: Failure, text: str) -> None:
        now_s = time.monotonic()
        self._last_failure = (failure, text)
        self._outage.failed(text, now_s=now_s)
        self.abandon()
        self._retry_due_s = now_s + self._backoff.next_s()
