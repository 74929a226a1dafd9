"""The promise of the contract, on the wire, with a broker that comes, goes, hangs and refuses."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from jsonschema import Draft202012Validator
from mosquitto import Mosquitto
from mqtt_listener import Listener
from publish_samples import AT, event, info, later, result, starting, state, stats
from tcp_server import tcp_server

from edgecam.errors import BrokerError
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.outbox import Outbox
from edgecam.publish.publisher import Publisher
from edgecam.publish.queues import MemoryQueue
from edgecam.publish.topics import Topics
from edgecam.publish.wire import LinkTiming, Protocol, parse_broker
from edgecam.publish.worker import PublishTiming, PublishWorker, will_of
from edgecam.records import ClockReading, Reason
from edgecam.reports import Notice, NoticeKind, NoticeLevel

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
TOPICS = Topics("edgecam", "dev")
STATE, EVENT = TOPICS.state("main"), TOPICS.event("main")
QUICK = LinkTiming(connack_s=2, backoff_min_s=0.02, backoff_max_s=0.05)


class Station:
    """Link, outbox, publisher and worker, running in a thread; no connection while `gate` is closed."""

    def __init__(
        self,
        broker: Mosquitto | str,
        *,
        protocol: Protocol = Protocol.AUTO,
        max_events: int = 100,
        heartbeat: Callable[[], None] = lambda: None,
        timing: PublishTiming | None = None,
    ) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self._stop = threading.Event()
        self._began_ns = time.monotonic_ns()
        self._link = MqttLink(
            parse_broker(broker if isinstance(broker, str) else broker.url),
            client_id="edgecam-dev-test",
            protocol=protocol,
            will=will_of(TOPICS),
            timing=QUICK,
            before_connect=self._pass_gate,
        )
        outbox = Outbox(MemoryQueue(max_items=max_events))
        self.publisher = Publisher(self._link, outbox, TOPICS, read_clock=self.clock)
        self._worker = PublishWorker(
            self._link,
            outbox,
            TOPICS,
            self.publisher,
            read_clock=self.clock,
            heartbeat=heartbeat,
            timing=timing or PublishTiming(drain_s=5, farewell_s=5, tell_s=0.1),
        )
        self._thread = threading.Thread(target=self._worker.run, args=[self._stop], daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def clock(self) -> ClockReading:
        """Starts at AT and runs."""
        return later(time.monotonic_ns() - self._began_ns)

    def wait(self, *, connected: bool) -> None:
        """Wait for the link."""
        ends = time.monotonic() + 10
        while self.publisher.mqtt_stats().connected is not connected:
            assert time.monotonic() < ends
            time.sleep(0.01)

    def supersede(self) -> None:
        """Another worker has the outbox."""
        self._worker.supersede()

    def stop(self) -> None:
        """End the worker in order."""
        self._stop.set()
        self._link.wake()
        self._thread.join(15)
        assert not self._thread.is_alive()

    def _pass_gate(self) -> None:
        if not self.gate.is_set():
            raise BrokerError("the test keeps the gate closed")


def check(name: str, body: dict[str, Any]) -> None:
    """The wire is what the schema says."""
    Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text())).validate(body)


def ids(listener: Listener) -> list[str]:
    """Events heard so far, each once, in the order of their first coming."""
    return list(dict.fromkeys(heard.body["id"] for heard in listener.on(EVENT)))


def episodes(listener: Listener) -> list[str]:
    """The same, by the name given to `event`."""
    return list(dict.fromkeys(heard.body["episode"] for heard in listener.on(EVENT)))


@pytest.mark.parametrize("protocol", [Protocol.AUTO, Protocol.V311])
def test_everything_arrives_on_its_topic_as_the_contract_says(tmp_path: Path, protocol: Protocol) -> None:
    """QoS, retain and payload of every topic, validated on the wire, in MQTT 5 and 3.1.1."""
    notice = Notice(NoticeKind.CAMERA_LOST, NoticeLevel.WARNING, "no frames for 3 s", {"camera": "main"})
    with (
        Mosquitto(tmp_path) as broker,
        Listener(broker.port) as live,
        Station(broker, protocol=protocol) as us,
    ):
        us.wait(connected=True)
        us.publisher.info(info())
        us.publisher.state(state())
        us.publisher.event(event())
        us.publisher.notice(notice)
        us.publisher.prediction(result())
        us.publisher.stats(stats())
        live.wait(lambda: len({heard.topic for heard in live.heard}) == 7)
        with Listener(broker.port) as late:
            late.wait(lambda: len(late.heard) >= 3)
            time.sleep(0.2)
    heard = {message.topic: message for message in live.heard if message.payload != b"offline"}
    assert heard[TOPICS.availability].payload == b"online"
    assert {heard[topic].qos for topic in (TOPICS.info, TOPICS.notice, STATE, EVENT)} == {1}
    assert {heard[topic].qos for topic in (TOPICS.stats, TOPICS.prediction("main"))} == {0}
    assert {message.topic for message in late.heard if message.retained} == {
        TOPICS.availability,
        TOPICS.info,
        STATE,
    }
    for topic, message in heard.items():
        if topic != TOPICS.availability:
            check(topic.rpartition("/")[2], message.body)
    content = {message.properties.get("ContentType") for message in heard.values()}
    assert content == ({None} if protocol is Protocol.V311 else {"application/json", "text/plain"})
    expiring = [m.topic for m in live.heard if "MessageExpiryInterval" in m.properties]
    assert expiring == ([] if protocol is Protocol.V311 else [TOPICS.prediction("main")])
    assert heard[STATE].body["replayed"] is False


def test_a_stop_in_order_says_offline_after_all_that_waited(tmp_path: Path) -> None:
    """What was decided before the stop arrives; `offline` is the last word, retained, and not said twice."""
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Station(broker, max_events=1000) as us:
            us.wait(connected=True)
            for number in range(200):
                us.publisher.event(event(f"e{number}"))
        listener.wait(lambda: len(listener.on(TOPICS.availability)) == 2)
        with Listener(broker.port) as late:
            late.wait(lambda: late.on(TOPICS.availability))
    assert episodes(listener) == [f"e{number}" for number in range(200)]
    assert listener.heard[-1].payload == b"offline"
    assert [heard.payload for heard in late.on(TOPICS.availability)] == [b"offline"]


def test_a_killed_process_is_told_offline_by_its_will(tmp_path: Path) -> None:
    """The broker says it for us, retained."""
    program = """
import sys
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.topics import Topics
from edgecam.publish.wire import parse_broker
from edgecam.publish.worker import will_of
topics = Topics("edgecam", "dev")
link = MqttLink(parse_broker(sys.argv[1]), client_id="us", will=will_of(topics))
while not link.connected:
    link.step(1)
link.publish(topics.availability, b"online", qos=1, retain=True)
while True:
    link.step(1)
"""
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        victim = subprocess.Popen([sys.executable, "-c", program, broker.url])
        try:
            listener.wait(lambda: listener.on(TOPICS.availability))
        finally:
            victim.kill()
            victim.wait()
        listener.wait(lambda: len(listener.on(TOPICS.availability)) == 2)
        with Listener(broker.port) as late:
            late.wait(lambda: late.on(TOPICS.availability))
    assert [heard.payload for heard in listener.on(TOPICS.availability)] == [b"online", b"offline"]
    assert [(heard.payload, heard.retained) for heard in late.heard] == [(b"offline", True)]


def test_over_an_outage_every_event_arrives_in_order_and_states_are_the_newest(tmp_path: Path) -> None:
    """The promise: events decided before, during and after; states are not replayed as a history."""
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Station(broker) as us:
        us.wait(connected=True)
        us.publisher.state(state("dog"))
        us.publisher.event(event("before"))
        listener.wait(lambda: listener.on(EVENT))
        first = listener.on(EVENT)[0].body
        us.gate.clear()
        broker.kill()
        us.wait(connected=False)
        for number in range(50):
            us.publisher.event(event(f"e{number}"))
            us.publisher.state(state("cat", seq=number + 1))
        us.publisher.prediction(result())
        listener.forget()
        broker.start()
        listener.wait_back()
        us.gate.set()
        us.wait(connected=True)
        us.publisher.event(event("after"))
        listener.wait(lambda: "after" in episodes(listener))
        us.publisher.state(state(None, reason=Reason.LEFT))
        listener.wait(lambda: len(listener.on(STATE)) == 2)
    assert (first["replayed"], first["episode"]) == (False, "before")
    # A broker that dies between handing it on and answering for it is sent it again.
    again = [name for name in episodes(listener) if name != "before"]
    assert again == [*(f"e{number}" for number in range(50)), "after"]
    bodies = {heard.body["episode"]: heard.body for heard in listener.on(EVENT)}
    assert bodies["e0"]["replayed"] is True
    assert bodies["e0"]["delayed_s"] > 0
    assert bodies["after"]["replayed"] is False
    replayed, fresh = (heard.body for heard in listener.on(STATE))
    assert (replayed["seq"], replayed["label"], replayed["replayed"]) == (50, "cat", True)
    assert (fresh["label"], fresh["replayed"]) == (None, False)
    assert listener.on(TOPICS.prediction("main")) == []
    assert listener.heard[0].payload == b"online"


def test_what_a_hanging_broker_never_accepted_is_sent_again_with_the_same_id(tmp_path: Path) -> None:
    """Handed over is not accepted: only PUBACK counts. Meanwhile nobody who puts something waits."""
    with Mosquitto(tmp_path) as broker, Station(broker) as us:
        us.wait(connected=True)
        us.publisher.event(event("accepted"))
        ends = time.monotonic() + 10
        while us.publisher.mqtt_stats().outbox:
            assert time.monotonic() < ends
            time.sleep(0.01)
        broker.freeze()
        for number in range(60):
            us.publisher.event(event(f"e{number}"))
        time.sleep(0.2)
        assert us.publisher.mqtt_stats().outbox == 60
        us.gate.clear()
        broker.restart()
        us.wait(connected=False)
        with Listener(broker.port) as listener:
            us.gate.set()
            listener.wait(lambda: "e59" in episodes(listener))
        assert episodes(listener) == [f"e{number}" for number in range(60)]
        assert len(ids(listener)) == 60
        assert us.publisher.mqtt_stats().lost == 0


def test_a_refused_message_is_counted_and_noticed_and_blocks_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """PUBACK with 0x87: the event is gone, what follows is not."""
    acl = "topic read #\n" + "".join(
        f"topic write {topic}\n" for topic in (TOPICS.availability, TOPICS.notice, STATE)
    )
    with Mosquitto(tmp_path, acl=acl) as broker, Listener(broker.port) as listener, Station(broker) as us:
        us.wait(connected=True)
        for number in range(30):
            us.publisher.event(event(f"e{number}"))
        us.publisher.state(state())
        listener.wait(lambda: listener.on(STATE) and listener.on(TOPICS.notice))
        ends = time.monotonic() + 10
        while us.publisher.mqtt_stats().outbox:
            assert time.monotonic() < ends
            time.sleep(0.01)
        assert us.publisher.mqtt_stats().refused == 30
        listener.wait(
            lambda: sum(heard.body["data"]["refused"] for heard in listener.on(TOPICS.notice)) == 30
        )
    notice = listener.on(TOPICS.notice)[0].body
    check("notice", notice)
    assert (notice["kind"], notice["data"]["topic"]) == ("publish_refused", EVENT)
    assert len([text for text in caplog.messages if "refused a message" in text]) == 1


def test_refused_notices_do_not_breed_notices(tmp_path: Path) -> None:
    """A broker that refuses everything is told nothing about it, again and again."""
    acl = f"topic read #\ntopic write {STATE}\n"
    notice = Notice(NoticeKind.CAMERA_BACK, NoticeLevel.INFO, "frames again")
    timing = PublishTiming(tell_s=0.05, idle_s=0.05)
    with Mosquitto(tmp_path, acl=acl) as broker, Station(broker, timing=timing) as us:
        us.wait(connected=True)
        us.publisher.notice(notice)
        time.sleep(0.5)
        # The birth, our notice, and one notice that the birth was refused.
        assert us.publisher.mqtt_stats().refused <= 3


@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
def test_a_picture_too_large_for_the_broker_costs_at_most_two_connections(
    tmp_path: Path, protocol: Protocol, caplog: pytest.LogCaptureFixture
) -> None:
    """MQTT 5 says what it takes, so that it is never sent; 3.1.1 just closes, so that it is given up."""
    caplog.set_level("INFO")
    with (
        Mosquitto(tmp_path, options=["max_packet_size 20000"]) as broker,
        Listener(broker.port) as listener,
        Station(broker, protocol=protocol) as us,
    ):
        us.wait(connected=True)
        us.publisher.snapshot("main", b"x" * 100_000, keep_s=60)
        ends = time.monotonic() + 20
        while not us.publisher.mqtt_stats().refused:
            assert time.monotonic() < ends
            time.sleep(0.01)
        us.wait(connected=True)
        us.publisher.snapshot("main", b"y" * 10_000, keep_s=60)
        us.publisher.event(event("e"))
        listener.wait(lambda: episodes(listener) == ["e"] and listener.on(TOPICS.snapshot("main")))
        assert us.publisher.mqtt_stats().connected
    lost = sum("broker back" in text for text in caplog.messages)
    assert lost == (0 if protocol is Protocol.V5 else 2)


def test_lost_events_are_counted_and_noticed_once_the_broker_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Within `max_events`, oldest out first, each loss counted and noticed."""
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        us = Station(broker, max_events=3)
        us.gate.clear()
        with us:
            for number in range(10):
                us.publisher.event(event(f"e{number}"))
            us.gate.set()
            listener.wait(lambda: listener.on(TOPICS.notice) and len(listener.on(EVENT)) == 3)
            assert us.publisher.mqtt_stats().lost == 7
    assert episodes(listener) == ["e7", "e8", "e9"]
    assert [heard.body["data"] for heard in listener.on(TOPICS.notice)] == [{"lost": 7}]
    assert len([text for text in caplog.messages if "outbox full" in text]) == 1


def test_online_is_repeated_against_a_late_will(tmp_path: Path) -> None:
    """An old session's will may come after our birth: `online` is said again soon, and regularly."""
    timing = PublishTiming(availability_first_s=0.05, availability_s=0.1)
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Station(broker, timing=timing):
        listener.wait(lambda: listener.on(TOPICS.availability))
        with MqttLink(
            parse_broker(broker.url), client_id="old", protocol=Protocol.V311, timing=QUICK
        ) as old_session:
            while not old_session.connected:
                old_session.step(0.1)
            old_session.publish(TOPICS.availability, b"offline", qos=1, retain=True)
            listener.wait(lambda: b"offline" in [h.payload for h in listener.on(TOPICS.availability)])
            listener.wait(lambda: listener.on(TOPICS.availability)[-1].payload == b"online")


def test_the_heartbeat_is_called_by_the_worker_in_time(tmp_path: Path) -> None:
    """Stats come at every heartbeat, with the counts of MQTT."""
    stations: list[Station] = []
    timing = PublishTiming(heartbeat_s=0.05)
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        us = Station(broker, timing=timing, heartbeat=lambda: stations[0].publisher.stats(stats()))
        stations.append(us)
        with us:
            listener.wait(lambda: len(listener.on(TOPICS.stats)) >= 3)
    body = listener.on(TOPICS.stats)[-1].body
    check("stats", body)
    assert body["mqtt"]["connected"] is True
    assert body["mqtt"]["protocol"] == "5"
    assert body["mqtt"]["published"] >= 2


def test_a_put_is_on_the_wire_at_once(tmp_path: Path) -> None:
    """Sent by the thread that put it, or by the woken worker; nobody polls: freshness is not lost here."""
    timing = PublishTiming(idle_s=30, availability_first_s=30, heartbeat_s=30)
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:

        def heard_states(number: int) -> bool:
            return len(listener.on(STATE)) == number

        with Station(broker, timing=timing) as us:
            us.wait(connected=True)
            for number in range(1, 21):
                us.publisher.state(state(seq=number))
                us.publisher.send()
                listener.wait(partial(heard_states, number), timeout_s=5)
        ages = [heard.body["age_ms"] for heard in listener.on(STATE)]
    assert ages == sorted(ages)


def test_a_stop_without_a_broker_does_not_wait_for_one(tmp_path: Path) -> None:
    """There is nobody to say `offline` to; a state put before is no reason to hang."""
    us = Station(Mosquitto(tmp_path))
    with us:
        us.publisher.state(starting())
        us.publisher.event(event())
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert us.publisher.mqtt_stats().outbox == 1
    assert us.clock().boot_ns > AT.boot_ns


def test_a_worker_that_fails_is_told_offline_by_its_will(tmp_path: Path) -> None:
    """A bug ends the connection without a goodbye: nobody believes a device that has fallen silent."""

    def fail() -> None:
        raise RuntimeError("a bug")

    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        us = Station(broker, heartbeat=fail, timing=PublishTiming(heartbeat_s=0.5))
        with pytest.raises(RuntimeError, match="a bug"):
            us._worker.run(threading.Event())
        listener.wait(lambda: len(listener.on(TOPICS.availability)) == 2)
    assert [heard.payload for heard in listener.on(TOPICS.availability)] == [b"online", b"offline"]


def test_a_stop_with_a_hanging_broker_ends_in_time_and_leaves_the_will() -> None:
    """`offline` was never answered: the connection is left without a DISCONNECT, within the deadlines."""
    heard: list[bytes] = []
    gone = threading.Event()

    def behave(connection: socket.socket) -> None:
        connection.sendall(bytes([0x20, 2, 0, 0]))
        while part := connection.recv(65536):
            heard.append(part)
        gone.set()

    timing = PublishTiming(drain_s=0.2, farewell_s=0.2)
    with tcp_server(behave) as (port, _):
        with Station(f"mqtt://127.0.0.1:{port}", protocol=Protocol.V311, timing=timing) as us:
            us.wait(connected=True)
            us.publisher.event(event())
            began = time.monotonic()
        assert time.monotonic() - began < 3
        assert gone.wait(5)
    assert b"".join(heard).endswith(b"offline")


def test_a_superseded_worker_that_comes_back_takes_nothing_from_its_successor(tmp_path: Path) -> None:
    """It hung when the session was made anew; the broker that it had hears nothing new."""
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        with Station(broker) as us:
            us.wait(connected=True)
            listener.wait(lambda: listener.on(TOPICS.availability))
            us.supersede()
            us.publisher.event(event())
        listener.wait(lambda: len(listener.on(TOPICS.availability)) == 2)
    assert [heard.payload for heard in listener.on(TOPICS.availability)] == [b"online", b"offline"]
    assert listener.on(EVENT) == []
