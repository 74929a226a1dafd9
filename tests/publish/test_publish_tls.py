"""TLS and WebSocket against a real broker, and what is told of all that can be wrong with them."""

from __future__ import annotations

import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Ca
from mosquitto import Mosquitto, free_port
from mqtt_listener import Listener
from relay import Relay
from tcp_server import tcp_server

from edgecam.publish.mqtt import MqttLink
from edgecam.publish.wire import (
    Acknowledged,
    Connected,
    Failure,
    Happening,
    LinkTiming,
    Protocol,
    Received,
    parse_broker,
)
from edgecam.tls import TlsFiles

QUICK = LinkTiming(connect_s=1, connack_s=0.5, backoff_min_s=0.05, backoff_max_s=0.2)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Ca:
    """The CA that the broker's certificates are of."""
    return Ca(tmp_path_factory.mktemp("certificates") / "ca")


@pytest.fixture(scope="module")
def pair(ca: Ca) -> tuple[Path, Path]:
    """Certificate and key of the broker at 127.0.0.1."""
    return ca.pair("127.0.0.1")


@pytest.fixture
def broker(tmp_path: Path, pair: tuple[Path, Path]) -> Iterator[Mosquitto]:
    """A mosquitto that speaks TLS with anyone."""
    with Mosquitto(tmp_path, tls=pair) as broker:
        yield broker


def server_context(pair: tuple[Path, Path]) -> ssl.SSLContext:
    """For servers that are made in a test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def link_to(url: str, tls: TlsFiles = TlsFiles(), **more: object) -> MqttLink:  # noqa: B008 - frozen
    """A link that is quick to give up."""
    options: dict[str, object] = {"client_id": "us", "timing": QUICK, "max_packet_bytes": 1 << 24} | more
    return MqttLink(parse_broker(url, tls=tls), **options)  # type: ignore[arg-type] # as the tests have them


def drive(
    link: MqttLink, done: Callable[[list[Happening]], object], timeout_s: float = 15.0
) -> list[Happening]:
    """Step until `done` is true of what happened."""
    happened: list[Happening] = []
    ends = time.monotonic() + timeout_s
    while not done(happened):
        assert time.monotonic() < ends, f"not in time; happened: {happened}, {link.status}"
        happened.extend(link.step(0.1))
    return happened


def failed(link: MqttLink) -> Failure | None:
    """Drive it to its first failure that counts; it is retried, never raised."""
    drive(link, lambda _: link.status.failure)
    assert not link.connected
    assert link.status.next_attempt_s is not None
    return link.status.failure


def test_an_encrypted_link_carries_all_that_a_plain_one_does(broker: Mosquitto, ca: Ca) -> None:
    """MQTT 5, both directions, big messages, many in one record; the status says that it is encrypted."""
    big = bytes(range(256)) * 8000
    with link_to(broker.url, TlsFiles(ca=ca.path), subscriptions=[("t/#", 1)]) as link:
        assert (link.status.encrypted, link.status.connected_s) == (True, None)
        drive(link, lambda happened: Connected() in happened)
        status = link.status
        assert (status.protocol, status.failure, status.reason) == (Protocol.V5, None, "")
        assert status.connected_s is not None
        assert status.next_attempt_s is None
        assert status.broker == broker.url
        for number in range(200):
            link.publish(f"t/{number}", b"x", qos=number % 2, retain=False)
        link.publish("t/big", big, qos=1, retain=False)
        happened = drive(link, lambda happened: len([x for x in happened if isinstance(x, Received)]) == 201)
        happened += drive(
            link, lambda more: len([x for x in happened + more if isinstance(x, Acknowledged)]) >= 101
        )
    heard = [x for x in happened if isinstance(x, Received)]
    assert {message.topic for message in heard} == {f"t/{number}" for number in range(200)} | {"t/big"}
    assert heard[-1].payload == big


def test_what_tls_has_decrypted_already_is_read_without_waiting_for_more(
    pair: tuple[Path, Path], ca: Ca
) -> None:
    """One record holds CONNACK and a message: poll sees nothing of what lies in the library."""
    connack, message = bytes([0x20, 3, 0, 0, 0]), bytes([0x30, 4, 0, 1]) + b"t\0"

    def behave(connection: socket.socket) -> None:
        connection.sendall(connack + message * 5)

    with (
        tcp_server(behave, tls=server_context(pair)) as (port, _),
        link_to(f"mqtts://127.0.0.1:{port}", TlsFiles(ca=ca.path)) as link,
    ):
        happened: list[Happening] = []
        for _ in range(20):
            happened += link.step(0.2)
        assert happened == [Connected(), *[Received("t", b"", retained=False)] * 5]


@pytest.mark.parametrize(
    ("files", "url", "text"),
    [
        ("other", "mqtts://127.0.0.1:{port}", "is of an unknown CA"),
        ("none", "mqtts://127.0.0.1:{port}", "is of an unknown CA"),
        ("right", "mqtts://localhost:{port}", "is not for localhost: put a name that it has into mqtt.url"),
        ("other", "wss://127.0.0.1:{port}", "is of an unknown CA"),
    ],
)
def test_a_certificate_that_does_not_fit_is_told_once_and_retried(
    broker: Mosquitto,
    ca: Ca,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    files: str,
    url: str,
    text: str,
) -> None:
    """Whoever sits between must not read along: another CA, the system's, another name."""
    cas = {"other": Ca(tmp_path / "other", "Other CA").path, "none": None, "right": ca.path}
    attempts: list[None] = []
    with (
        caplog.at_level(logging.WARNING),
        link_to(
            url.format(port=broker.port),
            TlsFiles(ca=cas[files]),
            before_connect=lambda: attempts.append(None),
        ) as link,
    ):
        assert failed(link) is Failure.TLS
        drive(link, lambda _: len(attempts) >= 4)
        assert text in link.status.reason
    assert len(caplog.messages) == 1
    assert text in caplog.messages[0]


def test_an_expired_certificate_of_the_broker_is_told(tmp_path: Path) -> None:
    """With what to do."""
    pair = Ca(tmp_path / "second").pair("127.0.0.1", expired=True)
    with (
        Mosquitto(tmp_path, tls=pair) as broker,
        link_to(broker.url, TlsFiles(ca=pair[0].parent / "ca.crt")) as link,
    ):
        assert failed(link) is Failure.TLS
        assert "has expired: have it renewed" in link.status.reason


def test_a_client_certificate_opens_a_broker_that_asks_for_one(
    tmp_path: Path, pair: tuple[Path, Path], ca: Ca
) -> None:
    """With it in, without it out, and the reason is told, which TLS 1.3 has only after the handshake."""
    cert, key = ca.pair("porch-pi")
    stranger, stranger_key = Ca(tmp_path / "strangers").pair("porch-pi")
    with Mosquitto(tmp_path, tls=pair, client_ca=ca.path) as broker:
        with link_to(broker.url, TlsFiles(ca.path, cert, key)) as link:
            drive(link, lambda happened: Connected() in happened)
        for files in (TlsFiles(ca.path), TlsFiles(ca.path, stranger, stranger_key)):
            with link_to(broker.url, files) as link:
                assert failed(link) is Failure.TLS, link.status
                assert "check mqtt.tls.cert and mqtt.tls.key" in link.status.reason


def test_a_broker_without_tls_behind_mqtts_is_told(tmp_path: Path) -> None:
    """The port is the other one."""
    with Mosquitto(tmp_path) as broker, link_to(f"mqtts://127.0.0.1:{broker.port}") as link:
        assert failed(link) is Failure.TLS
        assert "is this the broker's port for mqtts://" in link.status.reason


def test_a_broker_with_tls_behind_mqtt_is_told(broker: Mosquitto) -> None:
    """It hangs up on what is no handshake, in both versions."""
    with link_to(f"mqtt://127.0.0.1:{broker.port}") as link:
        assert failed(link) is Failure.CLOSED
        assert "if this port is for TLS: mqtts://" in link.status.reason


def test_a_server_that_does_not_shake_hands_holds_nobody_up() -> None:
    """`connect_s` bounds the handshake."""
    with (
        tcp_server(lambda _: None) as (port, _),
        link_to(f"mqtts://127.0.0.1:{port}", timing=LinkTiming(connect_s=0.2)) as link,
    ):
        assert failed(link) is Failure.TLS
        assert "timed out" in link.status.reason


def test_a_mute_broker_behind_tls_is_asked_in_3_1_1(pair: tuple[Path, Path], ca: Ca) -> None:
    """As without TLS: the older version at once, then a pause."""
    with (
        tcp_server(lambda _: None, tls=server_context(pair)) as (port, heard),
        link_to(f"mqtts://127.0.0.1:{port}", TlsFiles(ca=ca.path)) as link,
    ):
        drive(link, lambda _: len(heard) >= 4)
        assert [packet[8] for packet in heard[:4]] == [5, 4, 5, 4]
        assert link.status.failure is Failure.MUTE


def test_a_ca_that_is_put_right_while_running_is_taken_up(broker: Mosquitto, ca: Ca, tmp_path: Path) -> None:
    """Certificates are renewed; nobody restarts a box for it."""
    path = tmp_path / "renewed.crt"
    with link_to(broker.url, TlsFiles(ca=path)) as link:
        assert failed(link) is Failure.TLS
        assert f"{path}: cannot be read: No such file or directory; put it there" in link.status.reason
        path.write_bytes(ca.path.read_bytes())
        drive(link, lambda happened: Connected() in happened)


def test_a_killed_broker_behind_tls_is_no_fault_of_tls(broker: Mosquitto, ca: Ca) -> None:
    """It is told as any lost connection, and found again."""
    with link_to(broker.url, TlsFiles(ca=ca.path)) as link:
        drive(link, lambda happened: Connected() in happened)
        broker.kill()
        assert failed(link) is Failure.CLOSED
        assert "connection lost" in link.status.reason
        broker.start()
        drive(link, lambda happened: Connected() in happened)
        assert link.protocol is Protocol.V5


@pytest.mark.parametrize("encrypted", [False, True])
def test_websocket_carries_all_that_a_plain_link_does(
    tmp_path: Path, pair: tuple[Path, Path], ca: Ca, *, encrypted: bool
) -> None:
    """Through a proxy at a path, with and without TLS: MQTT 5, both directions, big messages."""
    big = bytes(range(256)) * 2000
    context = server_context(pair) if encrypted else None
    with (
        Mosquitto(tmp_path) as broker,
        Relay(broker.port, websocket_path="/mqtt", tls=context) as relay,
        link_to(
            f"{'wss' if encrypted else 'ws'}://127.0.0.1:{relay.port}",
            TlsFiles(ca=ca.path) if encrypted else TlsFiles(),
            subscriptions=[("t/#", 1)],
        ) as link,
        Listener(broker.port) as listener,
    ):
        drive(link, lambda happened: Connected() in happened)
        assert link.protocol is Protocol.V5
        for number in range(50):
            link.publish(f"t/{number}", b"x", qos=1, retain=False)
        link.publish("t/big", big, qos=1, retain=False)
        happened = drive(link, lambda happened: len([x for x in happened if isinstance(x, Received)]) == 51)
        assert [x.payload for x in happened if isinstance(x, Received)][-1] == big
        listener.wait(lambda: len(listener.heard) == 51)
        assert relay.origins == []


def test_another_path_is_no_websocket(tmp_path: Path) -> None:
    """Somebody is there, so the words are of the path."""
    with (
        Mosquitto(tmp_path) as broker,
        Relay(broker.port, websocket_path="/mqtt") as relay,
        link_to(f"ws://127.0.0.1:{relay.port}/other") as link,
    ):
        assert failed(link) is Failure.WEBSOCKET
        assert "no WebSocket at /other" in link.status.reason
        assert "check port and path in mqtt.url" in link.status.reason


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff\xfe\n", b"sec-websocket-accept\r\n\r\n", b"SEC-WEBSOCKET-ACCEPT: x\r\n\r\n", b"\r\n"],
)
def test_any_answer_but_a_websockets_is_one_more_failure(answer: bytes) -> None:
    """The port of something else: no exception escapes, no socket stays open."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)

    with tcp_server(behave) as (port, heard), link_to(f"ws://127.0.0.1:{port}") as link:
        assert failed(link) is Failure.WEBSOCKET
        drive(link, lambda _: len(heard) >= 2)


def test_a_host_that_is_not_there_is_told_as_such() -> None:
    """No TLS, no WebSocket can be blamed."""
    for scheme in ("mqtt", "mqtts", "ws", "wss"):
        with link_to(f"{scheme}://127.0.0.1:{free_port()}") as link:
            assert failed(link) is Failure.UNREACHABLE
            assert link.status.reason == "Connection refused"


@pytest.mark.parametrize(
    ("scheme", "talking"), [("mqtt", False), ("mqtt", True), ("mqtts", False), ("ws", False)]
)
def test_a_link_that_went_silent_is_given_up_before_half_another_keepalive(
    tmp_path: Path, pair: tuple[Path, Path], ca: Ca, scheme: str, *, talking: bool
) -> None:
    """A proxy keeps the connection and passes nothing on, whether we have something to say or not."""
    timing = LinkTiming(keepalive_s=3, backoff_min_s=20, backoff_max_s=30)
    context = server_context(pair) if scheme == "mqtts" else None
    path = "/mqtt" if scheme == "ws" else None
    with (
        Mosquitto(tmp_path) as broker,
        Relay(broker.port, websocket_path=path, tls=context) as relay,
        link_to(
            f"{scheme}://127.0.0.1:{relay.port}",
            TlsFiles(ca=ca.path) if context else TlsFiles(),
            timing=timing,
        ) as link,
    ):
        drive(link, lambda happened: Connected() in happened)
        relay.freeze()
        began = time.monotonic()
        while link.connected:
            link.step(0.1 if talking else 10)
            if talking:
                link.publish("t", b"x", qos=0, retain=False)
        assert time.monotonic() - began < 1.5 * timing.keepalive_s
        assert (link.status.failure, link.status.protocol) == (Failure.MUTE, None)
        assert link.status.reason == "connection lost: no answer to a ping"


def test_a_quiet_link_is_kept_by_its_pings(tmp_path: Path) -> None:
    """Silence is no fault while pings are answered."""
    with Mosquitto(tmp_path) as broker, link_to(broker.url, timing=LinkTiming(keepalive_s=1)) as link:
        drive(link, lambda happened: Connected() in happened)
        ends = time.monotonic() + 4
        while (left_s := ends - time.monotonic()) > 0:
            assert link.step(left_s) == []
        assert link.connected


def test_a_taken_session_is_told_or_guessed(tmp_path: Path) -> None:
    """Two devices of one name push each other out; mosquitto 2.0.11 just hangs up on the older one."""
    with Mosquitto(tmp_path) as broker, link_to(broker.url) as link:
        drive(link, lambda happened: Connected() in happened)
        with link_to(broker.url) as twin:
            drive(twin, lambda happened: Connected() in happened)
            drive(link, lambda _: link.status.failure)
            assert link.status.failure in {Failure.SESSION_TAKEN, Failure.CLOSED}
            assert re.search("another client (has|may have) this client id", link.status.reason)


def test_the_status_of_a_refused_login_says_so(tmp_path: Path, pair: tuple[Path, Path], ca: Ca) -> None:
    """Also over TLS."""
    with Mosquitto(tmp_path, users={"cam": "right"}, tls=pair) as broker:
        address = parse_broker(
            broker.url,
            username="cam",
            password="wrong-secret",  # noqa: S106 - a sample
            tls=TlsFiles(ca=ca.path),
        )
        with MqttLink(address, client_id="us", timing=QUICK) as link:
            assert failed(link) is Failure.REFUSED_LOGIN
            assert "wrong-secret" not in str(link.status)
