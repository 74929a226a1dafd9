"""The publish worker: keeps the connection, empties the outbox, tells that we are here, and says goodbye."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edgecam.publish import messages
from edgecam.publish.complaints import Complaints
from edgecam.publish.drafts import Draft
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.outbox import Outbox
from edgecam.publish.publisher import Publisher
from edgecam.publish.queues import Delivery, Outgoing
from edgecam.publish.topics import Topics, matches
from edgecam.publish.wire import Acknowledged, Connected, Disconnected, Happening, Received, Will
from edgecam.records import ClockReading
from edgecam.reports import Notice, NoticeKind, NoticeLevel

log = logging.getLogger(__name__)

# How often it looks whether something is due: each message comes by, and would pay for it.
_LOOK_S = 0.1
# So much is around topic, payload and correlation data: header, identifier, properties (MQTT 5, 3.3).
_ENVELOPE_BYTES = 64


@dataclass(frozen=True, slots=True)
class PublishTiming:
    """How long and how often."""

    heartbeat_s: float = 60.0
    availability_s: float = 30.0
    """`online` is repeated, since an old session's will can arrive late,"""
    availability_first_s: float = 2.0
    """and most often arrives soon."""
    drain_s: float = 2.0
    """At the end, for what still waits,"""
    farewell_s: float = 2.0
    """and for the answer to `offline`."""
    tell_s: float = 30.0
    """Losses and refusals are noticed at most so often."""
    idle_s: float = 0.5
    """A stop without a `wake` is seen after so long."""


def will_of(topics: Topics) -> Will:
    """What the broker says when this device vanishes."""
    return Will(topics.availability, messages.OFFLINE)


class PublishWorker:
    """One thread's loop.

    `heartbeat` is called every `heartbeat_s`, by this thread; it gives stats and states to the publisher.
    `sent` is told of each message handed over, with the BOOTTIMEs (ns) at which that began and ended.
    `handlers`, by topic filter, are given what the link hears, by this thread: quick, and never raising.
    `chores` are told the monotonic time (s), some times a second while connected, by this thread, too.
    """

    def __init__(
        self,
        link: MqttLink,
        outbox: Outbox,
        topics: Topics,
        publisher: Publisher,
        *,
        read_clock: Callable[[], ClockReading],
        heartbeat: Callable[[], None],
        timing: PublishTiming | None = None,
        sent: Callable[[Draft, int, int], None] | None = None,
        handlers: Mapping[str, Callable[[Received], None]] | None = None,
        chores: Sequence[Callable[[float], None]] = (),
    ) -> None:
        self._link = link
        self._outbox = outbox
        self._topics = topics
        self._publisher = publisher
        self._read_clock = read_clock
        self._heartbeat = heartbeat
        self._timing = timing or PublishTiming()
        self._sent = sent
        self._handlers = handlers or {}
        self._chores = chores
        self._unanswered: dict[int, tuple[str, Outgoing | None]] = {}
        """Topic and message by token; None for an availability, which is no message of the outbox, unless it
        follows a picture: its answer is the picture's."""
        self._availability_due_s = self._heartbeat_due_s = self._look_due_s = 0.0
        self._complaints = Complaints(every_s=self._timing.tell_s, notice_topic=topics.notice)
        self._is_open = False
        """The connection was welcomed with `online`, and there was no farewell yet."""
        self._is_superseded = False
        self.turns = 0
        """How often its loop has turned."""
        publisher.send = self.send

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set (wake the link then), send what waits, say `offline`, close the link."""
        self._heartbeat_due_s = time.monotonic() + self._timing.heartbeat_s
        with self._link:
            while not stop.is_set():
                self.turns += 1
                happenings = self._link.step(self._patience_s())
                if self._is_superseded:
                    break
                with self._link.turn:
                    self._handle(happenings)
                    self._keep_time()
                    self._send()
            self._say_offline()

    def send(self) -> None:
        """From any thread: send what waits, now, if the worker itself only waits; else it does so at once.

        Never blocks: a message that does not leave at once is the worker's.
        """
        if not self._link.turn.acquire(blocking=False):
            self._link.wake()
            return
        try:
            self._send()
            is_congested = self._link.congested
        finally:
            self._link.turn.release()
        # The worker's wait does not know yet that there is something left to write.
        if is_congested:
            self._link.wake()

    def set_heartbeat(self, heartbeat_s: float) -> None:
        """So often from now on; from any thread."""
        self._timing = replace(self._timing, heartbeat_s=heartbeat_s)
        self._heartbeat_due_s = min(self._heartbeat_due_s, time.monotonic() + heartbeat_s)
        self._look_due_s = 0.0
        self._link.wake()

    def supersede(self) -> None:
        """Another worker has the outbox now: should this one hang and come back, it does nothing any more."""
        self._is_superseded = True
        self._link.retire()

    def _patience_s(self) -> float:
        due_s = min(self._heartbeat_due_s, self._availability_due_s if self._link.connected else float("inf"))
        return max(0.0, min(self._timing.idle_s, due_s - time.monotonic()))

    def _handle(self, happenings: list[Happening]) -> None:
        for happening in [] if self._is_superseded else happenings:
            match happening:
                case Connected():
                    self._is_open = True
                    self._outbox.connected()
                    self._publish_availability(messages.ONLINE)
                    self._availability_due_s = time.monotonic() + self._timing.availability_first_s
                    self._look_due_s = 0.0
                case Disconnected(session_taken=taken):
                    self._is_open = False
                    self._unanswered.clear()
                    self._outbox.disconnected()
                    if taken:
                        text = "another client connected with our client id"
                        self._publisher.notice(Notice(NoticeKind.SESSION_TAKEN, NoticeLevel.WARNING, text))
                case Acknowledged():
                    self._answered(happening)
                case Received():
                    self._hear(happening)

    def _hear(self, message: Received) -> None:
        """Whoever listens gets it; a topic filter of a broker's own invention is nobody's."""
        for topic_filter, handle in self._handlers.items():
            if matches(topic_filter, message.topic):
                handle(message)

    def _answered(self, answer: Acknowledged) -> None:
        topic, item = self._unanswered.pop(answer.token, ("", None))
        if item is not None:
            # What follows a picture is not refused for its sake.
            self._outbox.settle(item, accepted=answer.accepted or item.delivery is Delivery.PICTURE)
        if not answer.accepted:
            self._complaints.was_refused(topic, answer.reason)

    def _keep_time(self) -> None:
        now_s = time.monotonic()
        if now_s < self._look_due_s:
            return
        self._look_due_s = min(now_s + _LOOK_S, self._heartbeat_due_s)
        if self._link.connected and now_s < self._availability_due_s:
            self._look_due_s = min(self._look_due_s, self._availability_due_s)
        if now_s >= self._heartbeat_due_s:
            self._heartbeat_due_s = now_s + self._timing.heartbeat_s
            self._heartbeat()
        if not self._link.connected:
            return
        for chore in self._chores:
            chore(now_s)
        if now_s >= self._availability_due_s:
            self._availability_due_s = now_s + self._timing.availability_s
            self._publish_availability(messages.ONLINE)
        for notice in self._complaints.news(lost=self._outbox.counts().lost, now_s=now_s):
            self._publisher.notice(notice)

    def _send(self) -> bool:
        """Hand over what the broker will take now; returns True if nothing waits any more."""
        while self._may_send():
            item = self._outbox.take()
            if item is None:
                return True
            now = self._read_clock()
            rendered = item.draft.render(now, replayed=item.epoch < self._outbox.epoch)
            payload = rendered if isinstance(rendered, bytes) else messages.encode(rendered)
            if not self._fits(item, payload):
                continue
            token = self._link.publish(
                item.topic,
                payload,
                qos=item.qos,
                retain=item.retain,
                content_type=item.content_type,
                expiry_s=item.expiry_s,
                correlation=item.correlation,
            )
            if token is None:
                break
            if self._sent is not None:
                self._sent(item.draft, now.boot_ns, self._read_clock().boot_ns)
            if item.delivery is Delivery.PICTURE:
                self._publish_availability(messages.ONLINE, behind=item)
            elif item.qos:
                self._unanswered[token] = (item.topic, item)
            else:
                self._outbox.settle(item, accepted=True)
        return False

    def _may_send(self) -> bool:
        is_free = len(self._unanswered) < self._link.window and not self._link.congested
        return self._is_open and is_free and not self._is_superseded

    def _send_in_turn(self) -> bool:
        with self._link.turn:
            return self._send()

    def _fits(self, item: Outgoing, payload: bytes) -> bool:
        """False for what the broker has said not to take: sent, it would end each connection."""
        own_bytes = len(payload) + len(item.topic.encode()) + len(item.correlation or b"")
        fits = own_bytes + _ENVELOPE_BYTES <= self._link.takes_bytes
        if not fits:
            self._outbox.settle(item, accepted=False)
            self._complaints.was_refused(
                item.topic, f"it takes packets of at most {self._link.takes_bytes} bytes"
            )
        return fits

    def _publish_availability(self, payload: bytes, *, behind: Outgoing | None = None) -> None:
        token = self._link.publish(
            self._topics.availability, payload, qos=1, retain=True, content_type="text/plain"
        )
        if token is not None:
            self._unanswered[token] = (self._topics.availability, behind)

    def _say_offline(self) -> None:
        """The end, in order: what waits, then `offline`, each with its answer as far as time allows."""
        if self._is_superseded:
            # Its successor has said so by way of the will, or is back already.
            self._link.abandon()
            return
        ends_s = time.monotonic() + self._timing.drain_s
        while self._link.connected and not (self._send_in_turn() and not self._unanswered):
            if not self._wait_for_answers(ends_s):
                break
        with self._link.turn:
            self._is_open = False
            self._publish_availability(messages.OFFLINE)
        ends_s = time.monotonic() + self._timing.farewell_s
        while self._unanswered and self._link.connected and self._wait_for_answers(ends_s):
            pass
        if self._unanswered:
            # Nobody knows whether `offline` has arrived: let the will say it.
            self._link.abandon()

    def _wait_for_answers(self, ends_s: float) -> bool:
        left_s = ends_s - time.monotonic()
        if left_s > 0:
            self._handle(self._link.step(left_s))
        return left_s > 0
