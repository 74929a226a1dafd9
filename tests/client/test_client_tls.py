"""A subscriber over TLS, and from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Ca
from mosquitto import Mosquitto

from edgecam.client import AvailabilityMessage, Subscriber, TlsFiles
from edgecam.commands.watch import tls_files, watch
from edgecam.errors import EdgecamError, UsageError
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.wire import Failure, parse_broker


@pytest.fixture
def ca(tmp_path: Path) -> Ca:
    """The CA of the broker."""
    return Ca(tmp_path / "ca")


@pytest.fixture
def broker(tmp_path: Path, ca: Ca) -> Iterator[Mosquitto]:
    """A broker that asks for certificates, with one retained message."""
    files = TlsFiles(ca.path, *ca.pair("device"))
    with Mosquitto(tmp_path, tls=ca.pair("127.0.0.1"), client_ca=ca.path) as broker:
        with MqttLink(parse_broker(broker.url, tls=files), client_id="device") as link:
            while not link.connected:
                link.step(0.1)
            link.publish("edgecam/dev/availability", b"online", qos=1, retain=True)
            while not link.step(1):
                pass
        yield broker


def test_a_subscriber_listens_over_tls(broker: Mosquitto, ca: Ca) -> None:
    """CA and client certificate, as paths."""
    with Subscriber(broker.url, tls=TlsFiles(ca.path, *ca.pair("reader"))) as messages:
        message = messages.get(10)
    assert isinstance(message, AvailabilityMessage)
    assert message.online


def test_watch_listens_over_tls(broker: Mosquitto, ca: Ca, capsys: pytest.CaptureFixture[str]) -> None:
    """`--ca`, `--cert` and `--key`."""
    cert, key = ca.pair("reader")
    watch(broker.url, tls=tls_files(ca=ca.path, cert=cert, key=key), seconds=2, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "topic": "edgecam/dev/availability",
        "retained": True,
        "payload": "online",
    }


def test_watch_says_why_there_is_no_connection(broker: Mosquitto) -> None:
    """Not only that nobody answers."""
    with pytest.raises(EdgecamError, match="is of an unknown CA"):
        watch(broker.url, seconds=1.0, plain=True)


def test_the_status_tells_why(broker: Mosquitto) -> None:
    """For whoever iterates, and hears nothing."""
    with Subscriber(broker.url) as messages:
        assert messages.get(1) is None
        assert messages.status.failure is Failure.TLS


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (TlsFiles(ca=Path("/nowhere/ca.crt")), "/nowhere/ca.crt: cannot be read: No such file"),
        (TlsFiles(cert=Path("/nowhere/a.crt")), "/nowhere/a.crt: needs its key beside it"),
    ],
)
def test_a_file_that_cannot_serve_is_told_at_once(files: TlsFiles, text: str) -> None:
    """Before a thread is started that never connects."""
    with pytest.raises(UsageError, match=text):
        Subscriber("mqtts://127.0.0.1", tls=files)
    with pytest.raises(UsageError, match="certificates need mqtts:// or wss://"):
        Subscriber("mqtt://127.0.0.1", tls=files)


def test_a_certificate_needs_its_key() -> None:
    """And the other way round."""
    with pytest.raises(UsageError, match="expected --cert and --key together, or neither"):
        tls_files(ca=None, cert=Path("a.crt"), key=None)
