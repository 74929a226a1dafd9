"""A fleet through the typed subscriber: repeats, shared subscriptions, the newest of each device."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mosquitto import Mosquitto
from publish_samples import AT, event, info, state, stats

from edgecam.client import EventMessage, Fleet, StateMessage, Subscriber
from edgecam.errors import UsageError
from edgecam.publish import messages
from edgecam.publish.drafts import EventDraft
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.received import Message, parse_message
from edgecam.publish.repeats import Repeats
from edgecam.publish.topics import Topics, parse_topic
from edgecam.publish.wire import Acknowledged, LinkTiming, Protocol, parse_broker
from edgecam.reports import MqttStats

QUICK = LinkTiming(connack_s=2, backoff_min_s=0.02, backoff_max_s=0.05)
MQTT = MqttStats(connected=True, protocol="5", published=9, refused=0, dropped=2, outbox=1, lost=0)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto that anyone may use."""
    with Mosquitto(tmp_path) as broker:
        yield broker


def happened(event_id: str) -> dict[str, Any]:
    """The payload of an event."""
    return EventDraft.of(event(), AT, event_id=event_id).render(AT, replayed=False)


def publish(broker: Mosquitto, *sent: tuple[str, bytes | dict[str, Any]], retain: bool = False) -> None:
    """Send all of it, and wait until the broker has it."""
    with MqttLink(parse_broker(broker.url), client_id="device", timing=QUICK) as link:
        ends = time.monotonic() + 10
        while not link.connected:
            assert time.monotonic() < ends
            link.step(0.1)
        for topic, payload in sent:
            data = payload if isinstance(payload, bytes) else messages.encode(payload)
            assert link.publish(topic, data, qos=1, retain=retain) is not None
            while not any(isinstance(happening, Acknowledged) for happening in link.step(1)):
                assert time.monotonic() < ends


def connected(subscriber: Subscriber) -> None:
    """Wait until it is, and until the broker has worked off its SUBSCRIBE."""
    ends = time.monotonic() + 10
    while not subscriber.connected:
        assert time.monotonic() < ends
        time.sleep(0.01)
    time.sleep(0.1)


def heard(topic: str, payload: bytes | dict[str, Any], *, retained: bool = False) -> Message:
    """A message as the subscriber reads it."""
    address = parse_topic(topic, base="edgecam")
    assert address is not None
    data = payload if isinstance(payload, bytes) else messages.encode(payload)
    return parse_message(topic, address, data, retained=retained)


def test_an_event_that_comes_again_is_dropped_by_its_id(broker: Mosquitto) -> None:
    """Nobody rings twice for one cat; what merely looks alike, or is another device's, is delivered."""
    door, gate = Topics("edgecam", "door").event("main"), Topics("edgecam", "gate").event("main")
    with Subscriber(broker.url, timing=QUICK) as subscriber:
        connected(subscriber)
        sent = [(door, "1"), (door, "1"), (gate, "1"), (door, "2"), (door, "1")]
        publish(broker, *((topic, happened(event_id)) for topic, event_id in sent))
        got = [subscriber.get(10) for _ in range(3)]
        assert subscriber.get(0.2) is None
    assert [(m.device, m.id) for m in got if isinstance(m, EventMessage)] == [
        ("door", "1"),
        ("gate", "1"),
        ("door", "2"),
    ]
    assert subscriber.repeats == 2


def test_the_memory_of_ids_is_bounded_and_forgets_the_oldest() -> None:
    """A stranger who invents ids costs nothing but his own repeats."""
    repeats = Repeats(max_ids=3)
    assert [repeats.is_repeat("t", name) for name in ("a", "b", "c", "a")] == [False, False, False, True]
    assert not repeats.is_repeat("t", "d" * 100_000)
    assert not repeats.is_repeat("t", "a")
    assert repeats.is_repeat("t", "c")
    assert len(repeats._known) == 3
    assert sum(map(len, repeats._known)) == 3 * 16


def test_a_group_shares_the_events_among_its_members(broker: Mosquitto) -> None:
    """Each event goes to exactly one member, from every device; states go to none."""
    sent = {(f"d{n % 3}", str(n)) for n in range(40)}
    with (
        Subscriber(broker.url, group="workers", timing=QUICK) as one,
        Subscriber(broker.url, group="workers", timing=QUICK) as two,
        Subscriber(broker.url, group="archive", timing=QUICK) as other_group,
    ):
        for member in (one, two, other_group):
            connected(member)
        publish(broker, (Topics("edgecam", "d0").state("main"), messages.state(state(), AT, replayed=False)))
        publish(broker, *((Topics("edgecam", device).event("main"), happened(n)) for device, n in sent))
        for member in (one, two, other_group):
            threading.Timer(0.5, member.close).start()
        shares = [list(member) for member in (one, two, other_group)]
    ids = [[(m.device, m.id) for m in share if isinstance(m, EventMessage)] for share in shares]
    assert [len(share) for share in shares] == [len(share) for share in ids]
    assert sorted(ids[0] + ids[1]) == sorted(ids[2]) == sorted(sent)
    assert ids[0]
    assert ids[1]


@pytest.mark.parametrize(
    "choice", [{"group": "a/b"}, {"group": "+"}, {"group": ""}, {"group": "a", "protocol": Protocol.V311}]
)
def test_a_group_that_could_hear_nothing_is_told_at_once(choice: dict[str, Any]) -> None:
    """3.1.1 would take `$share` for the name of a topic."""
    with pytest.raises(UsageError, match="group"):
        Subscriber("mqtt://127.0.0.1:1", **choice)


def test_the_fleet_shows_the_newest_of_each() -> None:
    """By device and camera; an event is no state."""
    fleet = Fleet()
    for name in ("door", "gate"):
        topics = Topics("edgecam", name)
        fleet.take(heard(topics.availability, b"online"), at_s=0)
        fleet.take(heard(topics.info, messages.info(info(), AT)), at_s=0)
        fleet.take(heard(topics.stats, messages.stats(stats(), MQTT, AT)), at_s=0)
        for seq in (1, 2):
            payload = messages.state(state(seq=seq), AT, replayed=False)
            fleet.take(heard(topics.state("main"), payload), at_s=seq)
    fleet.take(heard(Topics("edgecam", "gate").event("side"), happened("x")), at_s=3)
    fleet.take(heard(Topics("edgecam", "gate").availability, b"offline"), at_s=4)
    assert {name: device.online for name, device in fleet.devices.items()} == {"door": True, "gate": False}
    door, gate = fleet.devices["door"], fleet.devices["gate"]
    assert isinstance(door.cameras["main"].state, StateMessage)
    assert door.cameras["main"].state.seq == 2
    assert gate.cameras["side"].state is None
    assert gate.cameras["side"].event is not None
    assert gate.info is not None
    assert gate.stats is not None


def test_what_the_broker_had_retained_is_never_fresh() -> None:
    """A device may have been dead for a year: its last state is still at the broker."""
    fleet, topic = Fleet(), Topics("edgecam", "door").state("main")
    payload = messages.state(state(), AT, replayed=False)
    fleet.take(heard(topic, payload, retained=True), at_s=10)
    view = fleet.devices["door"].cameras["main"]
    assert view.state is not None
    assert not view.is_fresh(10, within_s=180)
    fleet.take(heard(topic, payload), at_s=20)
    assert view.is_fresh(200, within_s=180)
    assert not view.is_fresh(201, within_s=180)


def test_a_stranger_cannot_fill_the_memory_with_devices() -> None:
    """Bounded, and counted."""
    fleet = Fleet(max_devices=2, max_cameras=2)
    payload = json.dumps(messages.state(state(), AT, replayed=False)).encode()
    for device in "abc":
        for camera in "xyz":
            fleet.take(heard(Topics("edgecam", device).state(camera), payload), at_s=0)
    assert {name: sorted(device.cameras) for name, device in fleet.devices.items()} == {
        "a": ["x", "y"],
        "b": ["x", "y"],
    }
    assert fleet.ignored == 2 + 3
