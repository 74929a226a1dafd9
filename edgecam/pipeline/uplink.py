"""All that leads from the outbox to the broker, as one thing to start and to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event

from edgecam.broker_url import parse_broker_url
from edgecam.clock import Clock
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
from edgecam.publish.queues import MemoryQueue
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Protocol, Received, address_of
from edgecam.publish.worker import PublishTiming, PublishWorker, will_of
from edgecam.tls import TlsFiles

# Tells several edgecams of one device apart; there is one until the unit template names them.
_INSTANCE = "main"


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
        announcements: Mapping[str, Payload] | None = None,
        witness: Witness | None = None,
    ) -> None:
        """Build everything.

        Args:
            config: the block `mqtt`.
            device: this box.
            password: the login's.
            tls: the files for an encrypted connection.
            heartbeat: what to do each heartbeat.
            fail: whom to tell that the publish worker has died.
            announcements: what Home Assistant is told, by topic; None: nothing.
            witness: sees what is sent.
        """
        self._witness = witness
        self._config = config
        self._heartbeat = heartbeat
        self._crew = Crew(fail)
        self._stop = Event()
        self._outbox = Outbox(MemoryQueue(max_items=config.outbox.max_events))
        self._topics = Topics(config.base, device)
        self._handlers: dict[str, Callable[[Received], None]] = {}
        """By topic: these are our subscriptions."""
        self._chores: list[Callable[[float], None]] = []
        if announcements is not None:
            announcer = Announcer(self._outbox, announcements)
            self._handlers[birth_topic(config.home_assistant.prefix)] = announcer.on_birth
            self._chores.append(announcer.keep_time)
        self._clock = Clock()
        where = parse_broker_url(config.url, embedded=True)
        self._broker = EmbeddedBroker(where.host, where.port) if where.embedded else None
        self._link = MqttLink(
            address_of(where, username=config.username, password=password, tls=tls),
            client_id=f"{config.base.replace('/', '-')}-{device}-{_INSTANCE}",
            # Our own broker speaks 3.1.1 alone: no need to find that out by waiting for it.
            protocol=Protocol.V311 if where.embedded else Protocol(config.protocol),
            will=will_of(self._topics),
            subscriptions=[(topic, 1) for topic in self._handlers],
            before_connect=self._broker.ensure_running if self._broker else None,
        )
        self.publisher = Publisher(self._link, self._outbox, self._topics, read_clock=self._clock.read)

    def start(self) -> None:
        """Start the embedded broker, if there is one, and the publish worker, which connects by itself.

        Raises:
            BrokerError: the embedded broker cannot be started.
        """
        if self._broker is not None:
            self._broker.start()
        worker = PublishWorker(
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
        self._crew.start("publish", lambda: worker.run(self._stop))

    def stop(self, *, timeout_s: float) -> None:
        """Send what waits, say `offline`, leave; then end the embedded broker."""
        self._stop.set()
        self._link.wake()
        self._crew.join(timeout_s=timeout_s)
        if self._broker is not None:
            self._broker.stop()

    def _sent(self, draft: Draft, began_ns: int, ended_ns: int) -> None:
        """Called after each message, by the thread that sent it."""
        result = draft.result
        if self._witness is not None and result is not None:
            self._witness.stage(
                Stage.PUBLISH, result.camera, result.seq, began_ns=began_ns, ended_ns=ended_ns
            )
