"""The link against real brokers, and against what only looks like one."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mosquitto import Mosquitto, free_port
from mqtt_listener import Listener
from tcp_server import tcp_server

from edgecam.errors import BrokerError
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.wire import (
    Acknowledged,
    BrokerAddress,
    Connected,
    Disconnected,
    Failure,
    Happening,
    LinkTiming,
    Protocol,
    Received,
    Will,
    parse_broker,
)

QUICK = LinkTiming(connack_s=0.3, backoff_min_s=0.05, backoff_max_s=0.2)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto that anyone may use."""
    with Mosquitto(tmp_path) as broker:
        yield broker


def drive(
    link: MqttLink, done: Callable[[list[Happening]], object], timeout_s: float = 10.0
) -> list[Happening]:
    """Step until `done` is true of what happened."""
    happened: list[Happening] = []
    ends = time.monotonic() + timeout_s
    while not done(happened):
        assert time.monotonic() < ends, f"not in time; happened: {happened}"
        happened.extend(link.step(0.1))
    return happened


def connected(happened: list[Happening]) -> bool:
    """Has the broker accepted us?"""
    return Connected() in happened


def version_in(connect_packet: bytes) -> int:
    """The protocol level in a CONNECT packet (MQTT 3.1.2.2): after type, length and the name `MQTT`."""
    return connect_packet[8]


def test_mqtt_5_carries_content_type_and_expiry(broker: Mosquitto) -> None:
    """Content type and payload format everywhere, expiry only where it was asked for."""
    with MqttLink(parse_broker(broker.url), client_id="us") as link, Listener(broker.port) as listener:
        drive(link, connected)
        assert link.protocol is Protocol.V5
        link.publish("a/event", b"{}", qos=1, retain=False)
        link.publish("a/prediction", b"{}", qos=0, retain=False, expiry_s=5)
        listener.wait(lambda: len(listener.heard) == 2)
    event, prediction = listener.heard
    assert event.properties == {"ContentType": "application/json", "PayloadFormatIndicator": 1}
    assert event.qos == 1
    assert prediction.properties["ContentType"] == "application/json"
    assert 0 < prediction.properties["MessageExpiryInterval"] <= 5
    assert prediction.qos == 0


def test_an_acknowledgement_names_the_message_that_it_answers(broker: Mosquitto) -> None:
    """Each token comes back once."""
    with MqttLink(parse_broker(broker.url), client_id="us") as link:
        drive(link, connected)
        tokens = [link.publish("t", b"x", qos=1, retain=False) for _ in range(50)]
        happened = drive(link, lambda happened: len(happened) >= 50)
    answers = [answer for answer in happened if isinstance(answer, Acknowledged)]
    assert [answer.token for answer in answers] == tokens
    assert all(answer.accepted for answer in answers)


def test_a_reader_that_stalls_is_seen_as_congestion_and_never_blocks() -> None:
    """What the socket does not take at once stays with the link, which says so; `publish` returns at once."""
    server = tcp_server(lambda connection: connection.sendall(bytes([0x20, 2, 0, 0])))
    with (
        server as (port, _),
        MqttLink(BrokerAddress("127.0.0.1", port), client_id="us", protocol=Protocol.V311) as link,
    ):
        drive(link, connected)
        assert not link.congested
        assert link.publish("big", b"x" * 20_000_000, qos=1, retain=False) is not None
        assert link.congested
        assert link.step(0) == []
        assert link.congested


def test_a_big_message_arrives_whole(broker: Mosquitto) -> None:
    """Partial writes are continued until all is out."""
    payload = bytes(range(256)) * 40_000
    with MqttLink(parse_broker(broker.url), client_id="us") as link, Listener(broker.port) as listener:
        drive(link, connected)
        link.publish("big", payload, qos=1, retain=False)
        drive(link, lambda happened: any(isinstance(answer, Acknowledged) for answer in happened))
        listener.wait(lambda: listener.heard)
    assert listener.heard[0].payload == payload


def test_subscriptions_deliver(broker: Mosquitto) -> None:
    """Retained messages come marked."""
    with MqttLink(parse_broker(broker.url), client_id="us", subscriptions=[("t/#", 1)]) as link:
        drive(link, connected)
        link.publish("t/a", b"1", qos=1, retain=True)
        drive(link, lambda happened: Received("t/a", b"1", retained=False) in happened)
    with MqttLink(parse_broker(broker.url), client_id="us", subscriptions=[("t/#", 1)]) as link:
        drive(link, lambda happened: Received("t/a", b"1", retained=True) in happened)


def test_closing_in_order_keeps_the_will_with_the_broker(broker: Mosquitto) -> None:
    """A clean DISCONNECT: the will is only for those who vanish."""
    will = Will("d/availability", b"offline")
    with Listener(broker.port) as listener:
        with MqttLink(parse_broker(broker.url), client_id="us", will=will) as link:
            drive(link, connected)
        with MqttLink(parse_broker(broker.url), client_id="other") as link:
            drive(link, connected)
            link.publish("end", b"", qos=1, retain=False)
            listener.wait(lambda: listener.on("end"))
    assert listener.on("d/availability") == []


def test_a_mute_broker_is_asked_in_3_1_1(caplog: pytest.LogCaptureFixture) -> None:
    """No answer to version 5 within the time: the older version is tried at once, then there is a pause."""
    server = tcp_server(lambda _: None)
    with (
        caplog.at_level(logging.WARNING),
        server as (port, heard),
        MqttLink(BrokerAddress("127.0.0.1", port), client_id="us", timing=QUICK) as link,
    ):
        drive(link, lambda _: len(heard) >= 4)
        assert not link.connected
    assert [version_in(packet) for packet in heard[:4]] == [5, 4, 5, 4]
    assert [record.getMessage().partition("reason=")[2] for record in caplog.records] == [
        "no answer to MQTT 3.1.1 within 0.3 s"
    ]


def test_a_broker_that_closes_on_version_5_is_asked_in_3_1_1() -> None:
    """Old brokers hang up on what they do not know; the answer to 3.1.1 counts and is remembered."""

    def behave(connection: socket.socket) -> None:
        if len(versions) % 2:
            connection.close()
        else:
            connection.sendall(bytes([0x20, 2, 0, 0]))
        versions.append(len(versions))

    versions: list[int] = [0]
    server = tcp_server(behave)
    with (
        server as (port, heard),
        MqttLink(BrokerAddress("127.0.0.1", port), client_id="us", timing=QUICK) as link,
    ):
        drive(link, connected)
        assert link.protocol is Protocol.V311
        assert [version_in(packet) for packet in heard] == [5, 4]


def test_a_broker_that_refuses_version_5_is_asked_in_3_1_1() -> None:
    """CONNACK with return code 1, as a 3.1.1 broker says it."""

    def behave(connection: socket.socket) -> None:
        answers.append(answers[-1] ^ 1)
        connection.sendall(bytes([0x20, 2, 0, answers[-1]]))

    answers = [0]
    server = tcp_server(behave)
    with (
        server as (port, heard),
        MqttLink(BrokerAddress("127.0.0.1", port), client_id="us", timing=QUICK) as link,
    ):
        drive(link, connected)
        assert [version_in(packet) for packet in heard] == [5, 4]


@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
def test_a_refused_login_is_no_connection_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: Protocol
) -> None:
    """Connected means a CONNACK with success; the log names the keys to look at, and no password."""
    with (
        Mosquitto(tmp_path, users={"cam": "right"}) as broker,
        caplog.at_level(logging.INFO),
    ):
        address = parse_broker(broker.url, username="cam", password="wrong-secret")  # noqa: S106 - a sample
        attempts: list[None] = []
        with MqttLink(
            address,
            client_id="us",
            protocol=protocol,
            timing=QUICK,
            before_connect=lambda: attempts.append(None),
        ) as link:
            happened = drive(link, lambda _: len(attempts) >= 4)
            assert not link.connected
            assert link.publish("t", b"", qos=1, retain=False) is None
        right = parse_broker(broker.url, username="cam", password="right")  # noqa: S106 - a sample
        with MqttLink(right, client_id="us", protocol=protocol, timing=QUICK) as link:
            drive(link, connected)
    assert happened == []
    refusals = [text for text in caplog.messages if "login refused" in text]
    assert len(refusals) == 1
    assert "mqtt.username, mqtt.password_file" in refusals[0]
    assert "wrong-secret" not in caplog.text


def test_a_broker_that_is_absent_at_first_is_found_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An appliance boots before its broker; the log says it in two lines."""
    broker = Mosquitto(tmp_path)
    with (
        caplog.at_level(logging.INFO),
        MqttLink(parse_broker(broker.url), client_id="us", timing=QUICK) as link,
    ):
        ends = time.monotonic() + 0.5
        while time.monotonic() < ends:
            assert link.step(0.1) == []
        with broker:
            drive(link, connected)
    told = [record.getMessage() for record in caplog.records if record.name == "edgecam.publish.outage"]
    assert len(told) == 2
    assert told[0].endswith("reason=Connection refused")
    assert told[1].startswith("broker back ")


def test_a_killed_broker_is_noticed_and_found_again(broker: Mosquitto) -> None:
    """Disconnected comes once, Connected again, still in version 5."""
    with MqttLink(parse_broker(broker.url), client_id="us", timing=QUICK) as link:
        drive(link, connected)
        broker.kill()
        drive(link, lambda happened: Disconnected(session_taken=False) in happened)
        assert not link.connected
        assert link.protocol is None
        broker.start()
        happened = drive(link, connected)
        assert happened.count(Connected()) == 1
        assert link.protocol is Protocol.V5


def test_a_session_that_another_client_takes_is_told() -> None:
    """DISCONNECT with 0x8E; two clients of one name must not push each other out once a second."""

    def behave(connection: socket.socket) -> None:
        connack, disconnect = bytes([0x20, 3, 0, 0, 0]), bytes([0xE0, 1, 0x8E])
        connection.sendall(connack + disconnect)

    server = tcp_server(behave)
    timing = LinkTiming(backoff_min_s=20, backoff_max_s=30)
    with (
        server as (port, heard),
        MqttLink(BrokerAddress("127.0.0.1", port), client_id="twin", timing=timing) as link,
    ):
        happened = drive(link, lambda happened: len(happened) >= 2)
        assert happened == [Connected(), Disconnected(session_taken=True)]
        assert link.status.failure is Failure.SESSION_TAKEN
        assert "another client has this client id" in link.status.reason
        link.step(0.1)
        assert len(heard) == 1


def test_wake_ends_a_step_at_once_from_another_thread() -> None:
    """What another thread puts is not sent half a second later."""
    with MqttLink(
        BrokerAddress("127.0.0.1", free_port()), client_id="us", timing=LinkTiming(backoff_min_s=30)
    ) as link:
        link.step(0)
        threading.Timer(0.05, link.wake).start()
        began = time.monotonic()
        link.step(20)
        assert time.monotonic() - began < 10
    link.wake()


def test_a_failing_embedded_broker_is_one_more_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The link outlives what its `before_connect` cannot mend, and tries again."""
    calls: list[None] = []

    def fail() -> None:
        calls.append(None)
        raise BrokerError("the embedded broker cannot listen")

    with MqttLink(
        BrokerAddress("127.0.0.1", free_port()), client_id="us", timing=QUICK, before_connect=fail
    ) as link:
        drive(link, lambda _: len(calls) >= 3)
    assert len([text for text in caplog.messages if "cannot listen" in text]) == 1


def publish_packet(topic: bytes, payload: bytes, *, length: int | None = None) -> bytes:
    """A PUBLISH at QoS 0 in MQTT 3.1.1; `length` is what it claims to have, if not what it has."""
    body = len(topic).to_bytes(2, "big") + topic + payload
    left, digits = len(body) if length is None else length, bytearray()
    while left >= 128:
        digits.append(left % 128 | 128)
        left //= 128
    return bytes([0x30, *digits, left]) + body


def test_a_packet_that_is_too_long_ends_the_connection_unread(caplog: pytest.LogCaptureFixture) -> None:
    """A stranger's message of 100 MB is not gathered in memory, and the log says why the connection ended."""

    def behave(connection: socket.socket) -> None:
        packet = publish_packet(b"t/fits", b"x" * 60_000) + publish_packet(b"t/a", b"", length=100_000_000)
        connection.sendall(bytes([0x20, 2, 0, 0]) + packet)

    timing = LinkTiming(backoff_min_s=20, backoff_max_s=30)
    with (
        tcp_server(behave) as (port, _),
        MqttLink(
            BrokerAddress("127.0.0.1", port), client_id="us", protocol=Protocol.V311, timing=timing
        ) as link,
    ):
        happened = drive(link, lambda happened: Disconnected(session_taken=False) in happened)
        assert [one.topic for one in happened if isinstance(one, Received)] == ["t/fits"]
        assert "100000000 bytes" in link.status.reason
    assert len([text for text in caplog.messages if "100000000 bytes" in text]) == 1


def test_a_broker_of_version_5_is_told_how_much_is_taken(broker: Mosquitto) -> None:
    """Then it keeps what is longer to itself and the connection stays; whoever needs more takes more."""
    with (
        MqttLink(parse_broker(broker.url), client_id="small", subscriptions=[("t/#", 1)]) as small,
        MqttLink(
            parse_broker(broker.url), client_id="big", subscriptions=[("t/#", 1)], max_packet_bytes=1_000_000
        ) as big,
    ):
        for link in (small, big):
            drive(link, connected)
            link.step(0.1)
        big.publish("t/long", b"x" * 100_000, qos=1, retain=False)
        big.publish("t/short", b"", qos=1, retain=False)

        def topics(happened: list[Happening]) -> list[str]:
            return [one.topic for one in happened if isinstance(one, Received)]

        assert topics(drive(big, lambda happened: "t/short" in topics(happened))) == ["t/long", "t/short"]
        assert topics(drive(small, topics)) == ["t/short"]
        assert small.connected


def test_a_topic_that_is_no_utf_8_is_ignored_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A broken message neither ends the program nor the connection."""

    def behave(connection: socket.socket) -> None:
        broken = publish_packet(b"t/\xff", b"x")
        connection.sendall(bytes([0x20, 2, 0, 0]) + broken + broken + publish_packet(b"t/a", b"x"))

    with (
        tcp_server(behave) as (port, _),
        MqttLink(BrokerAddress("127.0.0.1", port), client_id="us", protocol=Protocol.V311) as link,
    ):
        message = Received("t/a", b"x", retained=False)
        assert drive(link, lambda happened: message in happened) == [Connected(), message]
    told = [record for record in caplog.records if "not UTF-8" in record.getMessage()]
    assert [record.levelno for record in told if record.levelno > logging.DEBUG] == [logging.WARNING]


def test_a_packet_that_cannot_be_read_ends_the_connection_and_is_retried() -> None:
    """Whatever the parser makes of a broker's nonsense, the program lives and the link tries again."""
    nonsense = bytes([0x90, 0])

    def behave(connection: socket.socket) -> None:
        connection.sendall(bytes([0x20, 3, 0, 0, 0]) + nonsense)

    with (
        tcp_server(behave) as (port, heard),
        MqttLink(BrokerAddress("127.0.0.1", port), client_id="us", timing=QUICK) as link,
    ):
        happened = drive(link, lambda happened: happened.count(Disconnected(session_taken=False)) == 2)
        assert happened.count(Connected()) == 2
        assert link.status.failure is not None
    assert len(heard) >= 2


def test_a_link_that_was_retired_while_it_looked_for_its_broker_never_says_connect(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its successor has the same client id: a CONNECT of ours would end that one's session."""
    link = MqttLink(parse_broker(broker.url), client_id="c", timing=QUICK)
    connect = socket.create_connection

    def late(*arguments: Any, **options: Any) -> socket.socket:
        link.retire()
        return connect(*arguments, **options)

    monkeypatch.setattr(socket, "create_connection", late)
    with link:
        happened = link.step(0.1) + link.step(0.1)
    assert happened == []
    assert link.status.failure is None
    assert " as c " not in (tmp_path / "mosquitto.log").read_text()
