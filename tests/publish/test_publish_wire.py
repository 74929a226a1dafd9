"""Names of topics, addresses of brokers, versions of MQTT, and patience."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.publish.outage import Outage, Tally
from edgecam.publish.topics import Address, CameraTopic, DeviceTopic, Topics, parse_topic
from edgecam.publish.wire import BrokerAddress, Failure, Protocol, ProtocolChoice, parse_broker
from edgecam.tls import TlsFiles

ID = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1)


@given(base=st.lists(ID, min_size=1, max_size=3).map("/".join), device=ID, camera=ID)
def test_every_topic_can_be_read_back(base: str, device: str, camera: str) -> None:
    """A subscriber finds device, camera and kind in the topic, whatever the base."""
    topics = Topics(base, device)
    for topic, name in [
        (topics.availability, DeviceTopic.AVAILABILITY),
        (topics.info, DeviceTopic.INFO),
        (topics.stats, DeviceTopic.STATS),
        (topics.notice, DeviceTopic.NOTICE),
    ]:
        assert topic == f"{base}/{device}/{name}"
        assert parse_topic(topic, base=base) == Address(device=device, camera=None, name=name)
    for topic, kind in [
        (topics.state(camera), CameraTopic.STATE),
        (topics.event(camera), CameraTopic.EVENT),
        (topics.prediction(camera), CameraTopic.PREDICTION),
    ]:
        assert topic == f"{base}/{device}/{camera}/{kind}"
        assert parse_topic(topic, base=base) == Address(device=device, camera=camera, name=kind)


@pytest.mark.parametrize(
    "topic", ["other/d/info", "edgecam", "edgecam/d", "edgecam/d/c/new_kind", "edgecam/d/cmd/reload/response"]
)
def test_a_topic_of_a_later_version_is_no_error(topic: str) -> None:
    """The contract grows by adding."""
    assert parse_topic(topic, base="edgecam") is None


def test_an_address_keeps_the_login_to_itself() -> None:
    """What is logged holds no secret."""
    address = parse_broker("mqtt://box", username="me", password="secret")  # noqa: S106 - a sample
    assert (address.host, address.port, str(address)) == ("box", 1883, "mqtt://box:1883")
    assert "secret" not in f"{address} {address!r}"


def test_certificates_where_nothing_is_encrypted_are_refused() -> None:
    """Whoever gives a CA believes to be protected."""
    files = TlsFiles(ca=Path("ca.crt"))
    with pytest.raises(ValueError, match="certificates need mqtts:// or wss://, got mqtt://box:1883"):
        parse_broker("mqtt://box", tls=files)
    assert parse_broker("mqtts://box", tls=files).tls == files


@pytest.mark.parametrize("failure", [Failure.VERSION, Failure.CLOSED, Failure.MUTE])
def test_auto_falls_to_3_1_1_at_once_and_stays_where_it_worked(failure: Failure) -> None:
    """What worked is remembered over outages, also when a restarting broker closes connections."""
    choice = ProtocolChoice(Protocol.AUTO)
    first = choice.current
    assert choice.failed(failure)
    assert [first, choice.current] == [Protocol.V5, Protocol.V311]
    choice.worked()
    for outage in (Failure.CLOSED, Failure.MUTE, Failure.UNREACHABLE, Failure.REFUSED):
        assert not choice.failed(outage)
        assert choice.current is Protocol.V311


@pytest.mark.parametrize("failure", [Failure.UNREACHABLE, Failure.REFUSED])
def test_auto_does_not_fall_for_reasons_that_are_none_of_version(failure: Failure) -> None:
    """A broker that is away or refuses the login is asked in version 5 again."""
    choice = ProtocolChoice(Protocol.AUTO)
    assert not choice.failed(failure)
    assert choice.current is Protocol.V5


def test_auto_starts_over_when_neither_version_worked() -> None:
    """Nothing is proven: back off, then ask in version 5 again."""
    choice = ProtocolChoice(Protocol.AUTO)
    assert choice.failed(Failure.CLOSED)
    assert not choice.failed(Failure.UNREACHABLE)
    assert choice.current is Protocol.V5


def test_a_proven_version_is_left_when_the_broker_says_so() -> None:
    """Another broker may answer at the same address one day."""
    choice = ProtocolChoice(Protocol.AUTO)
    choice.worked()
    assert choice.failed(Failure.VERSION)
    assert choice.current is Protocol.V311


@pytest.mark.parametrize("forced", [Protocol.V5, Protocol.V311])
@pytest.mark.parametrize("failure", list(Failure))
def test_a_forced_version_is_kept(forced: Protocol, failure: Failure) -> None:
    """The user's word stands."""
    choice = ProtocolChoice(forced)
    assert not choice.failed(failure)
    assert choice.current is forced


def test_an_outage_logs_each_failure_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    """A night without a broker is a few lines, not a few thousand."""
    outage = Outage(str(BrokerAddress("box")))
    with caplog.at_level(logging.INFO):
        for second in range(50):
            outage.failed("Connection refused", now_s=second)
        outage.failed("login refused", now_s=50)
        outage.ended(protocol="5", now_s=93)
        outage.failed("Connection refused", now_s=100)
    assert [record.getMessage() for record in caplog.records] == [
        "broker not available, retrying broker=mqtt://box:1883 reason=Connection refused",
        "broker not available, retrying broker=mqtt://box:1883 reason=login refused",
        "broker back broker=mqtt://box:1883 protocol=5 after_s=93.0 attempts=51",
        "broker not available, retrying broker=mqtt://box:1883 reason=Connection refused",
    ]


def test_a_tally_tells_at_once_and_then_in_sums() -> None:
    """The first loss is told at once, the next thousand as one number."""
    tally = Tally(30.0)
    assert tally.news(0, now_s=0) == 0
    assert tally.news(1, now_s=1) == 1
    assert tally.news(500, now_s=20) == 0
    assert tally.news(1001, now_s=31) == 1000
    assert tally.news(1001, now_s=90) == 0
