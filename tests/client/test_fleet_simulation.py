"""scripts/fleet in small: the simulation keeps the promise, and would see it broken."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fleet_simulation.broker import MeasuredBroker
from fleet_simulation.consumer import Consumer
from fleet_simulation.run import fleet, run


def hear(consumer: Consumer, device: str, episode: str, event_type: str, event_id: str) -> None:
    """As if it came from the broker."""
    payload = json.dumps({"episode": episode, "event_type": event_type, "id": event_id}).encode()
    message: Any = SimpleNamespace(topic=f"fleet/{device}/main/event", payload=payload)
    consumer._on_message(consumer._client, None, message)


def test_a_broker_that_restarts_loses_no_event_of_a_fleet(tmp_path: Path) -> None:
    """Real devices but for the camera, in a process of their own."""
    with (
        MeasuredBroker(tmp_path) as broker,
        Consumer(broker.port) as consumer,
        fleet(4, broker.url, period_s=0.1) as gauges,
    ):
        figures = run(broker, consumer, gauges, seconds=1, outage_s=0.5)
    assert figures["faults"] == []
    assert figures["events_heard"] == figures["events_decided"]
    assert int(str(figures["events_decided"])) > 40
    assert figures["connections_of_a_device"] == 2


def test_the_consumer_sees_a_broken_promise() -> None:
    """A loss, a wrong order, a repeat with another id; a plain repeat is none."""
    consumer = Consumer(1)
    for device, heard in {
        "good": [("0", "start", "a"), ("0", "end", "b"), ("0", "end", "b")],
        "lost": [("0", "start", "a")],
        "order": [("0", "end", "b"), ("0", "start", "a")],
        "ids": [("0", "start", "a"), ("0", "start", "x"), ("0", "end", "b")],
    }.items():
        for event in heard:
            hear(consumer, device, *event)
    assert consumer.faults(dict.fromkeys(("good", "lost", "order", "ids"), 2)) == [
        "ids: a repeat of ('0', 'start') has another id",
        "lost: 1 of 2 events lost",
        "order: events out of order",
    ]
    assert (consumer.heard, consumer.repeats) == (7, 2)
