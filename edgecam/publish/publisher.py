"""What a thread puts here is on its way at once, or waits in the outbox; the thread itself never waits."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable, Mapping

from edgecam.publish import messages
from edgecam.publish.commands import Reply, response
from edgecam.publish.drafts import EventDraft, FixedDraft, InfoDraft, PredictionDraft, RawDraft, StateDraft
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.outbox import Outbox
from edgecam.publish.topics import Topics
from edgecam.records import ClockReading, Event, Result, State
from edgecam.reports import Info, MqttStats, Notice, Stats

log = logging.getLogger(__name__)

PREDICTION_EXPIRY_S = 5


class Publisher:
    """From records to the outbox, and on the way with `send`. For any thread."""

    def __init__(
        self, link: MqttLink, outbox: Outbox, topics: Topics, *, read_clock: Callable[[], ClockReading]
    ) -> None:
        self._link = link
        self._outbox = outbox
        self._topics = topics
        self._read_clock = read_clock
        self.send: Callable[[], None] = link.wake
        """Sends what was put; who puts a state, event or prediction calls it. Never blocks.

        The publish worker puts itself here.
        """
        self.commands_refused = 0
        """Whoever refuses one counts it here."""
        self._lossy_epoch: int | None = None
        """The connection in which the last loss was logged."""

    def move(self, link: MqttLink, topics: Topics) -> None:
        """Another session with a broker, perhaps under other topics."""
        self._link, self._topics = link, topics
        self.send = link.wake

    def state(self, state: State) -> None:
        """A camera's state: the newest one counts."""
        self._outbox.put_state(self._topics.state(state.camera), StateDraft(state))

    def event(self, event: Event) -> None:
        """One end of an episode: kept until the broker has accepted it."""
        draft = EventDraft.of(event, self._read_clock(), event_id=uuid.uuid4().hex)
        lost = self._outbox.put_event(self._topics.event(event.camera), draft)
        if lost and self._lossy_epoch != self._outbox.epoch:
            self._lossy_epoch = self._outbox.epoch
            log.warning("outbox full, oldest events are lost waiting=%d", self._outbox.counts().waiting)

    def prediction(self, result: Result) -> None:
        """What the network said: now or never."""
        topic = self._topics.prediction(result.camera)
        self._outbox.put_volatile(topic, PredictionDraft(result), expiry_s=PREDICTION_EXPIRY_S)

    def notice(self, notice: Notice) -> None:
        """Something an operator should know."""
        self._outbox.put_notice(self._topics.notice, FixedDraft(messages.notice(notice, self._read_clock())))
        self.send()

    def info(self, info: Info) -> None:
        """What runs here; sent again on each connection."""
        self._outbox.put_state(self._topics.info, InfoDraft(info))
        self.send()

    def stats(self, stats: Stats) -> None:
        """How well it runs: now or never. The counts of MQTT are added here."""
        payload = messages.stats(stats, self.mqtt_stats(), self._read_clock())
        self._outbox.put_volatile(self._topics.stats, FixedDraft(payload))
        self.send()

    def enabled(self, camera: str, *, on: bool) -> None:
        """How a camera's switch stands."""
        word = RawDraft(b"ON" if on else b"OFF")
        self._outbox.put_state(self._topics.enabled(camera), word, content_type="text/plain")
        self.send()

    def snapshot(self, camera: str, jpeg: bytes, *, keep_s: float) -> None:
        """A picture of a camera, which the broker keeps no longer than it may; an empty one clears it."""
        expiry_s = math.ceil(keep_s)
        self._outbox.put_picture(self._topics.snapshot(camera), RawDraft(jpeg), expiry_s=expiry_s)
        self.send()

    def response(self, reply: Reply, *, ok: bool, message: str, data: Mapping[str, str | None]) -> None:
        """The answer to a command: now or never."""
        draft = FixedDraft(response(ok=ok, message=message, data=data))
        self._outbox.put_answer(reply.topic, draft, correlation=reply.correlation)
        self.send()

    def mqtt_stats(self) -> MqttStats:
        """The counts of all that was put here."""
        counts, protocol = self._outbox.counts(), self._link.protocol
        return MqttStats(
            connected=self._link.connected,
            protocol=protocol.value if protocol else None,
            published=counts.published,
            refused=counts.refused,
            dropped=counts.dropped,
            outbox=counts.waiting,
            lost=counts.lost,
            commands_refused=self.commands_refused,
        )
