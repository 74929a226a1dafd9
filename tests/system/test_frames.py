"""Every captured frame meets exactly one fate, and subscribers are told which."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for, write_pictures

STATS = "edgecam/box/stats"
PREDICTION = "edgecam/box/main/prediction"
STATE = "edgecam/box/main/state"


def books(subscriber: Listener, camera: str = "main") -> dict[str, Any]:
    """The last word on a camera's frames."""
    cameras: dict[str, dict[str, Any]] = subscriber.on(STATS)[-1].body["cameras"]
    return cameras[camera]


def sum_of_fates(account: dict[str, Any]) -> int:
    """Results, late ones and skipped ones."""
    return int(account["results"] + account["late"] + sum(account["skipped"].values()))


def test_as_fast_as_possible_a_thousand_pictures_are_a_thousand_results(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Played `fast`, nothing is skipped, and the run ends with 0 by itself."""
    folder = write_pictures(tmp_path / "pictures", 1000)
    config = config_for(broker.url, f"images:{folder}", playback="fast")
    with Program(tmp_path, config) as program:
        assert program.wait(110) == 0
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
    account = books(subscriber)
    assert account["captured"] == 1000
    assert account["results"] + account["late"] == 1000
    assert sum(account["skipped"].values()) == 0


def test_paced_faster_than_the_engine_the_sum_is_exact(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Overload: what is not classified in time is skipped for a named cause, to the last frame."""
    folder = write_pictures(tmp_path / "pictures", 200)
    config = config_for(broker.url, f"images:{folder}", fps=1000, loop=True)
    with Program(tmp_path, config) as program:
        subscriber.wait(lambda: subscriber.on(PREDICTION), 60)
        subscriber.wait(lambda: subscriber.on(STATS) and books(subscriber)["skipped"]["superseded"], 60)
        program.send(signal.SIGTERM)
        assert program.wait(60) == 0
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
    account = books(subscriber)
    assert account["captured"] == sum_of_fates(account) >= 2
    assert account["results"] + account["late"] > 0


def test_every_topic_on_the_wire_keeps_its_schema_and_no_late_result_is_unmarked(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Callable[[str, Any], None]
) -> None:
    """The contract with subscribers, held against what really arrives."""
    folder = write_pictures(tmp_path / "pictures", 60)
    config = config_for(broker.url, f"images:{folder}", fps=30, smoothing_s=0, budget_ms=150)
    # Any label at all makes episodes, so that events are on the wire too.
    config["cameras"]["main"]["watch"] = {
        group: {"enter": 0.02, "exit": 0.01, "hold_s": 0} for group in ("clothing", "vehicle", "food")
    }
    with Program(tmp_path, config) as program:
        assert program.wait(60) == 0
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
    seen = set()
    for heard in subscriber.heard:
        name = heard.topic.rsplit("/", 1)[1]
        seen.add(name)
        if name == "availability":
            assert heard.payload in {b"online", b"offline"}
            continue
        if name == "enabled":
            assert heard.payload == b"ON"
            continue
        conforms(name, heard.body)
        if name in {"state", "prediction", "event"} and heard.body["age_ms"] is not None:
            assert heard.body["late"] == (heard.body["age_ms"] > 150)
    assert seen >= {"availability", "info", "stats", "state", "event", "prediction"}


def test_states_are_retained_and_predictions_are_not(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Who comes later learns the newest state at once."""
    folder = write_pictures(tmp_path / "pictures", 30)
    with Program(tmp_path, config_for(broker.url, f"images:{folder}")) as program:
        assert program.wait(60) == 0
    with Listener(broker.port) as latecomer:
        latecomer.wait(lambda: len(latecomer.heard) >= 4)
    assert {heard.topic for heard in latecomer.heard} == {
        "edgecam/box/availability",
        "edgecam/box/info",
        "edgecam/box/main/enabled",
        "edgecam/box/main/state",
    }
    assert all(heard.retained for heard in latecomer.heard)
    assert subscriber.on(PREDICTION)
    assert latecomer.on("edgecam/box/info")[0].body["models"]["default"]["classes"] == 1000


def test_an_unreadable_picture_is_counted_and_the_next_one_is_classified(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Bad input costs one frame, with its cause, and is logged by name."""
    folder = write_pictures(tmp_path / "pictures", 10)
    (folder / "00004.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no JPEG")
    (folder / "00007.jpg").write_bytes(b"")
    config = config_for(broker.url, f"images:{folder}", playback="fast")
    with Program(tmp_path, config) as program:
        assert program.wait(60) == 0
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
        assert "00004.jpg" in program.log
    account = books(subscriber)
    assert (account["captured"], account["skipped"]["decode"]) == (10, 2)
    assert account["results"] + account["late"] == 8


def test_two_cameras_share_one_engine_and_neither_is_starved(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Both get results while the engine is overloaded, also when a third one's recording has ended."""
    config = config_for(broker.url, f"images:{write_pictures(tmp_path / 'short', 50)}", fps=200)
    endless = {"source": f"images:{write_pictures(tmp_path / 'long', 200)}", "fps": 1000, "loop": True}
    config["cameras"] |= {"left": endless, "right": endless}
    with Program(tmp_path, config) as program:
        subscriber.wait(
            lambda: [heard.body["status"] for heard in subscriber.on(STATE)][-1:] == ["no_camera"], 60
        )
        for camera in ("left", "right"):
            topic = f"edgecam/box/{camera}/prediction"
            enough = len(subscriber.on(topic)) + 20
            subscriber.wait(partial(_has, subscriber, topic, enough), 60)
        program.send(signal.SIGTERM)
        assert program.wait(60) == 0
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
    for camera in ("main", "left", "right"):
        account = books(subscriber, camera)
        assert account["captured"] == sum_of_fates(account)
    assert books(subscriber)["captured"] == 50
    assert books(subscriber, "left")["skipped"]["superseded"] > 0


def _statuses(subscriber: Listener) -> list[str]:
    return [heard.body["status"] for heard in subscriber.on(STATE)]


def _has(subscriber: Listener, topic: str, count: int) -> bool:
    return len(subscriber.on(topic)) >= count


def test_max_fps_skips_by_rate(tmp_path: Path, broker: Mosquitto, subscriber: Listener) -> None:
    """A camera may be asked for less than it gives."""
    folder = write_pictures(tmp_path / "pictures", 90)
    config = config_for(broker.url, f"images:{folder}", fps=30, max_fps=5)
    with Program(tmp_path, config) as program:
        assert program.wait(60) == 0
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
    account = books(subscriber)
    assert account["captured"] == sum_of_fates(account) == 90
    assert account["skipped"]["rate"] > 0
    # By the frames' own moments: a busy machine plays the recording slower.
    moments = [datetime.fromisoformat(heard.body["ts"]) for heard in subscriber.on(PREDICTION)]
    assert len(moments) <= (moments[-1] - moments[0]).total_seconds() * 5 + 2
