"""What a newcomer sees first: the bundled recording, named live over MQTT."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import yaml
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program

DEMO = Path(__file__).parents[2] / "scripts" / "demo_data"


def test_the_recording_is_named_rightly_without_flicker_and_within_the_budget(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Played once as a camera would show it: cat, cup, spacecraft, and nothing for the person."""
    config = yaml.safe_load((DEMO / "demo.yaml").read_text(encoding="utf-8"))
    config["cameras"]["main"].update(source=f"file:{DEMO / 'recording.webm'}", loop=False)
    with Program(tmp_path, config, sets=[f"mqtt.url={broker.url}"]) as program:
        assert program.wait(60) == 0
        subscriber.wait(lambda: subscriber.on("edgecam/demo/availability")[-1].payload == b"offline")
    states = [heard.body for heard in subscriber.on("edgecam/demo/main/state")]
    labels = [label for label, _ in groupby(state["label"] for state in states) if label is not None]
    assert labels == ["cat", "cup", "spacecraft"]
    assert all(state["late"] == (state["age_ms"] > 200) for state in states if state["age_ms"] is not None)
    account = subscriber.on("edgecam/demo/stats")[-1].body["cameras"]["main"]
    assert account["captured"] == 720
    assert account["results"] > account["late"]
    events = [heard.body for heard in subscriber.on("edgecam/demo/main/event")]
    assert [event["event_type"] for event in events] == ["start", "end"] * 3
