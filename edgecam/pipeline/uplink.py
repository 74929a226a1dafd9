"""All that leads from the outbox to the broker, as one thing to start and to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Event

from edgecam.broker_url import BrokerUrl, parse_broker_url
from edgecam.clock import Clock, boot_id
from edgecam.config.schema import MqttConfig
from edgecam.pipeline.threads import Crew
from edgecam.pipeline.witness import Stage, Witness
from edgecam.publish.announcer import Announcer
from edgecam.publish.broker import EmbeddedBroker
from edgecam.publish.discovery import birth_topic
from edgecam.publish.drafts import Draft
from edgecam.publish.messages import Payload
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.outbox import Outbox
from edgecam.publish.publisher import Publisher
from edgecam.publish.store import Store
from edgecam.publish.stored_queue import StoredQueue
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Failure, LinkStatus, Protocol, Received, address_of
from edgecam.publish.worker import PublishTiming, PublishWorker, will_of
from edgecam.tls import TlsFiles

log = logging.getLogger(__name__)

# The only edgecam of a device.
_ONLY_INSTANCE = "main"
# For the goodbye to a broker that is left for another, or for other topics.
_REMAKE_S = 5.0


class Uplink:
    """Outbox, link, publish worker and, if the configuration says so, the embedded broker."""

    def __init__(
        self,
        config: MqttConfig,
        *,
        device: str,
        password: str | None,
        tls: TlsFiles,
        heartbeat: Callable[[], None],
        fail: Callable[[BaseException], None],
        cameras: Collection[str],
        announcements: Mapping[str, Payload] | None = None,
        outbox: Path | None = None,
        witness: Witness | None = None,
        instance: str = "",
        decided: Callable[[Payload], None] | None = None,
    ) -> None:
        """Build everything.

        Args:
            config: the block `mqtt`.
            device: this box.
            password: the login's.
            tls: the files for an encrypted connection.
            heartbeat: what to do each heartbeat.
            fail: whom to tell that the publish worker has died.
            cameras: those that there are.
            announcements: what Home Assistant is told, by topic; None: nothing.
            outbox: the file in which events outlive this process; None: none.
            witness: sees what is sent.
            instance: tells several edgecams of one device apart to the broker.
            decided: told of each event.
        """
        self._witness = witness
        self._instance = instance or _ONLY_INSTANCE
        self._heartbeat = heartbeat
        self._fail = fail
        self._clock = Clock()
        self.store = Store(outbox)
        """What outlives this process."""
        self.store.open()
        self._events = StoredQueue(
            self.store,
            max_items=config.outbox.max_events,
            boot_id=boot_id(),
            read_clock=self._clock.read,
            decided=decided,
        )
        self._outbox = Outbox(self._events, retained=self.store.retained)
        self._broker: EmbeddedBroker | None = None
        self._broker_asked = ("", 0)
        self._lay(config, device=device, password=password, tls=tls, announcements=announcements)
        self._wanted = {*_retained_topics(config, self._topics, cameras), *(announcements or ())}
        self.publisher = Publisher(self._link, self._outbox, self._topics, read_clock=self._clock.read)

    def _lay(
        self,
        config: MqttConfig,
        *,
        device: str,
        password: str | None,
        tls: TlsFiles,
        announcements: Mapping[str, Payload] | None,
    ) -> None:
        """The link, and what depends on it, as yet without a thread."""
        self._config = config
        self._topics = Topics(config.base, device)
        self._crew = Crew(self._fail)
        self._stop = Event()
        self._worker: PublishWorker | None = None
        self.broker_url = where = parse_broker_url(config.url, embedded=True)
        """Where the broker is."""
        self._broker = self._broker_for(where)
        self._link = MqttLink(
            address_of(where, username=config.username, password=password, tls=tls),
            client_id=f"{config.base.replace('/', '-')}-{device}-{self._instance}",
            # Our own broker speaks 3.1.1 alone: no need to find that out by waiting for it.
            protocol=Protocol.V311 if where.embedded else Protocol(config.protocol),
            will=will_of(self._topics),
            before_connect=partial(self._look_after, self._broker) if self._broker else None,
        )
        self._handlers: dict[str, Callable[[Received], None]] = {}
        self._chores: list[Callable[[float], None]] = []
        self._announcer: Announcer | None = None
        if announcements is not None:
            self._announcer = Announcer(self._outbox, announcements)
            self.listen(birth_topic(config.home_assistant.prefix), self._announcer.on_birth)
            self._chores.append(self._announcer.keep_time)

    def _look_after(self, broker: EmbeddedBroker) -> None:
        """Before each attempt to connect, by the publish worker."""
        broker.ensure_running(was_mute=self._link.status.failure is Failure.MUTE)

    def _broker_for(self, where: BrokerUrl) -> EmbeddedBroker | None:
        """The one that runs, if it is still the right one."""
        running, asked = self._broker, (where.host, where.port)
        if running is not None and (not where.embedded or self._broker_asked != asked):
            running.stop()
            running = None
        self._broker_asked = asked
        return (running or EmbeddedBroker(*asked)) if where.embedded else None

    @property
    def topics(self) -> Topics:
        """Of this device."""
        return self._topics

    @property
    def status(self) -> LinkStatus:
        """How the link to the broker is now; from any thread."""
        return self._link.status

    @property
    def turns(self) -> int:
        """How often the publish worker's loop has turned."""
        return self._worker.turns if self._worker is not None else 0

    def listen(self, topic_filter: str, handle: Callable[[Received], None]) -> None:
        """Let `handle` have what matches, in the publish worker's thread; to be called before `start`."""
        self._handlers[topic_filter] = handle
        self._link.subscribe(topic_filter)

    def start(self) -> None:
        """Start the publish worker, which starts the embedded broker, if there is one, and connects."""
        self._begin()

    def revise(
        self,
        config: MqttConfig,
        *,
        cameras: Collection[str],
        announcements: Mapping[str, Payload] | None,
    ) -> None:
        """Go on in the same session with other cameras, announcements, or another heartbeat."""
        self._config = config
        self._wanted = {*_retained_topics(config, self._topics, cameras), *(announcements or ())}
        self._take_over()
        if self._announcer is not None and announcements is not None:
            self._announcer.revise(announcements)
        if self._worker is not None:
            self._worker.set_heartbeat(config.heartbeat_s)

    def remake(
        self,
        config: MqttConfig,
        *,
        device: str,
        password: str | None,
        tls: TlsFiles,
        cameras: Collection[str],
        announcements: Mapping[str, Payload] | None,
        handlers: Mapping[str, Callable[[Received], None]],
    ) -> None:
        """End the session in order and begin another one; what waits in the outbox waits on."""
        self._end(timeout_s=_REMAKE_S)
        if self._worker is not None:
            self._worker.supersede()
        self._outbox.disconnected()
        self._lay(config, device=device, password=password, tls=tls, announcements=announcements)
        self.publisher.move(self._link, self._topics)
        self._wanted = {*_retained_topics(config, self._topics, cameras), *(announcements or ())}
        for topic_filter, handle in handlers.items():
            self.listen(topic_filter, handle)
        self._begin()

    def _begin(self) -> None:
        """The publish worker, which connects by itself."""
        self._take_over()
        worker = self._worker = PublishWorker(
            self._link,
            self._outbox,
            self._topics,
            self.publisher,
            read_clock=self._clock.read,
            heartbeat=self._heartbeat,
            timing=PublishTiming(heartbeat_s=self._config.heartbeat_s),
            sent=self._sent if self._witness else None,
            handlers=self._handlers,
            chores=self._chores,
        )
        stop = self._stop
        self._crew.start("publish", lambda: worker.run(stop))

    def _end(self, *, timeout_s: float) -> None:
        self._stop.set()
        self._link.wake()
        self._crew.join(timeout_s=timeout_s)

    def tend(self) -> None:
        """Look after the outbox's file; to be called now and then, by a thread that may wait for a disk."""
        self.store.tend()
        news = self.store.take_news()
        for notice in news:
            self.publisher.notice(notice)
        if news:
            self._take_over()

    def say_goodbye(self, *, timeout_s: float) -> None:
        """Send what waits, and `offline`; for a process that leaves without waiting for anybody else."""
        self._end(timeout_s=timeout_s)

    def stop(self, *, timeout_s: float) -> None:
        """Send what waits, say `offline`, leave; then end the embedded broker."""
        self._end(timeout_s=timeout_s)
        if self._worker is not None:
            self._worker.supersede()
        self.store.close()
        if self._broker is not None:
            self._broker.stop()

    def _take_over(self) -> None:
        """What an earlier run left: its events, its open episodes, and what brokers retain for nobody."""
        if left := self._events.adopt():
            log.info("outbox holds events of an earlier run events=%d", left)
        self.store.retained.add(self._topics.availability)
        # It was to be cleared, perhaps, while other topics were ours; the outbox does not publish it.
        self._outbox.keep(self._topics.availability)
        for topic in self.store.retained:
            if topic not in self._wanted:
                self._outbox.clear(topic)

    def _sent(self, draft: Draft, began_ns: int, ended_ns: int) -> None:
        """Called after each message, by the thread that sent it."""
        result = draft.result
        if self._witness is not None and result is not None:
            self._witness.stage(
                Stage.PUBLISH, result.camera, result.seq, began_ns=began_ns, ended_ns=ended_ns
            )


def _retained_topics(config: MqttConfig, topics: Topics, cameras: Collection[str]) -> Iterator[str]:
    """Where something of ours may be retained, as we are configured."""
    yield from (topics.availability, topics.info)
    for camera in cameras:
        yield topics.state(camera)
        if "enabled" in config.commands:
            yield topics.enabled(camera)
        if config.snapshots.enabled:
            yield topics.snapshot(camera)
