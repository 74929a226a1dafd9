"""The typed subscriber: what the contract says comes out as types, and nothing that comes in can hurt it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mosquitto import Mosquitto
from publish_samples import AT, S, event, info, later, result, starting, state, stats

from edgecam.client import (
    AvailabilityMessage,
    EventMessage,
    InfoMessage,
    Message,
    NoticeMessage,
    PredictionMessage,
    StateMessage,
    StatsMessage,
    Subscriber,
)
from edgecam.errors import UsageError
from edgecam.publish import messages
from edgecam.publish.broker import EmbeddedBroker
from edgecam.publish.drafts import EventDraft
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.received import MAX_PAYLOAD_BYTES, parse_message
from edgecam.publish.topics import Topics, parse_topic
from edgecam.publish.wire import LinkTiming, Protocol, parse_broker
from edgecam.records import Score
from edgecam.reports import MqttStats, Notice, NoticeKind, NoticeLevel

TOPICS = Topics("edgecam", "dev")
STATE = TOPICS.state("main")
QUICK = LinkTiming(connack_s=2, backoff_min_s=0.02, backoff_max_s=0.05)
MQTT = MqttStats(connected=True, protocol="5", published=9, refused=0, dropped=2, outbox=1, lost=0)


def parse(topic: str, payload: bytes | dict[str, Any], *, retained: bool = False) -> Message:
    """A message as the subscriber reads it."""
    address = parse_topic(topic, base="edgecam")
    assert address is not None
    data = payload if isinstance(payload, bytes) else messages.encode(payload)
    return parse_message(topic, address, data, retained=retained)


class Device:
    """The publishing side of a link, driven by the test."""

    def __init__(self, port: int) -> None:
        self._link = MqttLink(parse_broker(f"mqtt://127.0.0.1:{port}"), client_id="device", timing=QUICK)
        ends = time.monotonic() + 10
        while not self._link.connected:
            assert time.monotonic() < ends
            self._link.step(0.1)

    def publish(self, topic: str, payload: bytes | dict[str, Any], *, retain: bool = False) -> None:
        """Send it, and wait for the answer."""
        data = payload if isinstance(payload, bytes) else messages.encode(payload)
        assert self._link.publish(topic, data, qos=1, retain=retain) is not None
        while not self._link.step(1):
            pass

    def close(self) -> None:
        """Leave."""
        self._link.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto that anyone may use."""
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def device(broker: Mosquitto) -> Iterator[Device]:
    """Somebody who publishes."""
    device = Device(broker.port)
    yield device
    device.close()


def connected(subscriber: Subscriber) -> None:
    """Wait until it is."""
    ends = time.monotonic() + 10
    while not subscriber.connected:
        assert time.monotonic() < ends
        time.sleep(0.01)
    # Connected is not yet subscribed: the broker works off our SUBSCRIBE first.
    time.sleep(0.1)


def test_a_state_comes_out_as_it_went_in() -> None:
    """Every field of the contract has its type."""
    message = parse(STATE, messages.state(state(), later(2_000_000), replayed=True), retained=True)
    assert isinstance(message, StateMessage)
    assert (message.topic, message.device, message.camera) == (STATE, "dev", "main")
    assert (message.retained, message.replayed, message.late) == (True, True, False)
    assert message.ts == datetime(2026, 1, 31, 11, 59, 59, 960_000, tzinfo=UTC)
    assert message.since == datetime(2026, 1, 31, 11, 59, 58, tzinfo=UTC)
    assert (message.label, message.score, message.status, message.reason) == ("cat", 0.914, "ok", "entered")
    assert (message.seq, message.age_ms, message.age_basis) == (7, 42, "sensor")
    assert message.top == (Score("tabby", 281, 0.814), Score("tiger cat", 282, 0.1))
    assert (message.model, message.engine) == ("default", "litert/cpu")


def test_a_camera_without_a_result_is_read() -> None:
    """Nulls are None."""
    message = parse(STATE, messages.state(starting(), AT, replayed=False))
    assert isinstance(message, StateMessage)
    assert (message.ts, message.age_ms, message.label, message.top) == (None, None, None, ())


def test_every_kind_of_message_is_read() -> None:
    """One class per topic."""
    notice = Notice(NoticeKind.CAMERA_LOST, NoticeLevel.WARNING, "no frames for 3 s", {"camera": "main"})
    payload = EventDraft.of(event(end=True), AT, event_id="x").render(later(S), replayed=False)
    happened = parse(TOPICS.event("main"), payload)
    assert isinstance(happened, EventMessage)
    assert (happened.id, happened.episode, happened.event_type, happened.delayed_s) == ("x", "e1", "end", 1.0)
    assert happened.end == datetime(2026, 1, 31, 12, tzinfo=UTC)
    said = parse(TOPICS.prediction("main"), messages.prediction(result(), AT))
    assert isinstance(said, PredictionMessage)
    assert said.top[0].label == "tabby"
    told = parse(TOPICS.notice, messages.notice(notice, AT))
    assert isinstance(told, NoticeMessage)
    assert (told.kind, told.data) == ("camera_lost", {"camera": "main"})
    figures = parse(TOPICS.stats, messages.stats(stats(), MQTT, AT))
    assert isinstance(figures, StatsMessage)
    assert figures.cameras["main"].captured == 100
    assert figures.cameras["main"].stages_ms["postprocess"].p50 is None
    assert figures.cameras["main"].engines == {"litert/cpu": 61}
    runs = parse(TOPICS.info, messages.info(info(), AT))
    assert isinstance(runs, InfoMessage)
    assert runs.versions["edgecam"] == "0.1.0"
    there = parse(TOPICS.availability, b"offline")
    assert isinstance(there, AvailabilityMessage)
    assert there.online is False


def test_what_a_later_version_adds_is_no_error() -> None:
    """The contract grows by adding; what we do not know is in `body`."""
    payload = messages.state(state(), AT, replayed=False) | {"mood": "fine", "reason": "a new one"}
    message = parse(STATE, payload)
    assert isinstance(message, StateMessage)
    assert message.reason == "a new one"
    assert message.body["mood"] == "fine"


def test_the_topic_says_who_speaks() -> None:
    """A payload cannot pretend to be of another camera, nor overwrite what the subscriber knows."""
    payload = messages.state(state(), AT, replayed=False)
    forged = payload | {"camera": "vault", "device": "other", "topic": "x", "retained": True, "body": 1}
    message = parse(STATE, forged)
    assert isinstance(message, StateMessage)
    assert (message.camera, message.device, message.topic, message.retained) == ("main", "dev", STATE, False)
    assert message.body["camera"] == "vault"


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"\xff", b"[]", b"null", b"{}", b"[" * 100_000, b" " * (MAX_PAYLOAD_BYTES + 1)],
)
def test_a_malformed_payload_is_a_value_error(payload: bytes) -> None:
    """One kind of exception for every kind of nonsense."""
    with pytest.raises(ValueError, match=r"."):
        parse(STATE, payload)


@pytest.mark.parametrize(
    "change",
    [
        {"ts": "9999-12-31T23:59:59Z"},
        {"ts": "0001-01-01T00:00:00Z"},
        {"ts": "2026-01-31T12:00:00"},
        {"label": "\ud800"},
        {"score": float("nan")},
        {"extra": ["\udfff"]},
    ],
)
def test_a_state_that_could_not_be_shown_is_refused(change: dict[str, Any]) -> None:
    """Moments that no time zone can hold, half characters, NaN: JSON to Python, poison to who prints it."""
    body = messages.state(state(), AT, replayed=False) | change
    with pytest.raises(ValueError, match=r"."):
        parse(STATE, json.dumps(body).encode())


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    """Whatever comes over the network."""
    for topic in (STATE, TOPICS.info, TOPICS.availability):
        try:
            parse(topic, payload)
        except ValueError:
            continue
        assert payload in {b"online", b"offline"}


def test_a_wrong_url_is_told_at_once() -> None:
    """Exit code 2, not a thread that never connects."""
    with pytest.raises(UsageError, match="expected mqtt://HOST"):
        Subscriber("http://box")


@pytest.mark.parametrize("protocol", [Protocol.AUTO, Protocol.V311])
def test_messages_are_iterated_and_bad_ones_are_counted(
    broker: Mosquitto, device: Device, caplog: pytest.LogCaptureFixture, protocol: Protocol
) -> None:
    """A malformed payload never ends the iteration; it is logged once per topic."""
    with Subscriber(broker.url, protocol=protocol, timing=QUICK) as subscriber:
        connected(subscriber)
        for payload in (b"nonsense", b"{}", messages.state(state(), AT, replayed=False)):
            device.publish(STATE, payload)
        device.publish("edgecam/dev/main/unheard_of", b"nonsense")
        device.publish("other/dev/main/state", b"nonsense")
        device.publish(TOPICS.availability, b"online")
        first, second = next(subscriber), next(subscriber)
    assert isinstance(first, StateMessage)
    assert isinstance(second, AvailabilityMessage)
    assert subscriber.malformed == 2
    assert [text.partition(" reason=")[0] for text in caplog.messages if "ignored" in text] == [
        f"message ignored topic={STATE}"
    ]
    assert list(subscriber) == []


def test_only_what_was_asked_for_is_delivered(broker: Mosquitto, device: Device) -> None:
    """One device, one camera."""
    with Subscriber(broker.url, device="dev", camera="b", timing=QUICK) as subscriber:
        connected(subscriber)
        payload = messages.state(state(), AT, replayed=False)
        for topic in (STATE, Topics("edgecam", "other").state("b"), TOPICS.state("b")):
            device.publish(topic, payload)
        message = subscriber.get(10)
        assert message is not None
        assert message.topic == TOPICS.state("b")
        assert subscriber.get(0.1) is None


def test_it_comes_back_with_its_broker(broker: Mosquitto) -> None:
    """And hears again what was retained meanwhile."""
    with Subscriber(broker.url, timing=QUICK) as subscriber:
        connected(subscriber)
        broker.restart()
        device = Device(broker.port)
        device.publish(TOPICS.availability, b"online", retain=True)
        message = subscriber.get(10)
        device.close()
    assert isinstance(message, AvailabilityMessage)


def test_it_speaks_with_the_embedded_broker(caplog: pytest.LogCaptureFixture) -> None:
    """It falls to 3.1.1 by itself, without a word of warning."""
    with EmbeddedBroker(port=0) as broker:
        device = Device(broker.port)
        device.publish(STATE, messages.state(state(), AT, replayed=False), retain=True)
        with Subscriber(f"mqtt://127.0.0.1:{broker.port}", timing=QUICK) as subscriber:
            message = subscriber.get(10)
        device.close()
    assert isinstance(message, StateMessage)
    assert message.retained is True
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_a_full_inbox_loses_the_oldest_predictions_first(broker: Mosquitto, device: Device) -> None:
    """Who reads too slowly still gets the states."""
    with Subscriber(broker.url, max_messages=3, timing=QUICK) as subscriber:
        connected(subscriber)
        device.publish(STATE, messages.state(state(), AT, replayed=False))
        for seq in (1, 2, 3, 4):
            device.publish(TOPICS.prediction("main"), messages.prediction(result(seq=seq), AT))
        device.publish(TOPICS.availability, b"online")
        ends = time.monotonic() + 10
        while subscriber.dropped < 3:
            assert time.monotonic() < ends
            time.sleep(0.01)
        kept = [subscriber.get(1) for _ in range(3)]
    assert [type(message) for message in kept] == [StateMessage, PredictionMessage, AvailabilityMessage]
    assert isinstance(kept[1], PredictionMessage)
    assert kept[1].seq == 4


def test_closing_from_another_place_ends_a_waiting_reader(broker: Mosquitto) -> None:
    """Nobody waits for ever."""
    subscriber = Subscriber(broker.url, timing=QUICK)
    with subscriber:
        threading.Timer(0.1, subscriber.close).start()
        assert list(subscriber) == []


@pytest.mark.parametrize(
    "filter_", [{"base": "#"}, {"base": "a/#/b"}, {"base": ""}, {"device": "#"}, {"camera": "a/b"}]
)
def test_a_filter_that_no_topic_could_match_is_told_at_once(filter_: dict[str, str]) -> None:
    """Rather than a subscriber that never hears anything."""
    with pytest.raises(UsageError, match=next(iter(filter_))):
        Subscriber("mqtt://127.0.0.1:1", **filter_)  # type: ignore[arg-type]


def test_what_ends_the_listening_thread_reaches_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead thread must not look like a quiet house."""

    def fail(*_: object) -> None:
        raise RuntimeError("the thread died")

    monkeypatch.setattr(MqttLink, "step", fail)
    with Subscriber("mqtt://127.0.0.1:1") as subscriber, pytest.raises(RuntimeError, match="died"):
        subscriber.get(10)
