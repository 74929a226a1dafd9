"""Evidence on the device, with the real program: kept, listed, and found again after a kill."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for, edgecam, write_photos

ROOT = Path(__file__).parents[2]
WATCH = {group: {"enter": 0.6, "exit": 0.4, "hold_s": 0} for group in ("cat", "cup")}


def configured(broker: Mosquitto, folder: Path) -> dict[str, Any]:
    """A cat, then a cup, for ever, each for a second."""
    photos = write_photos(folder / "photos", each=10)
    config = config_for(broker.url, f"images:{photos}", loop=True, fps=10, smoothing_s=0, watch=WATCH)
    return {**config, "history": {"enabled": True}}


def listed(state: Path, *options: str) -> dict[str, Any]:
    """What `edgecam history --json` answers."""
    done = edgecam("history", "--folder", state, "--json", *options)
    assert done.code == 0, done.err
    answer: dict[str, Any] = json.loads(done.out)
    return answer


def test_the_demo_recording_leaves_its_episodes_and_their_pictures(
    tmp_path: Path, conforms: Callable[[str, Any], None]
) -> None:
    """A user switches it on, plays the recording to its end, and looks."""
    import cv2

    state = tmp_path / "state"
    done = edgecam(
        "run", "--config", ROOT / "scripts" / "demo_data" / "demo.yaml", "--set", "history.enabled=true",
        "--set", "cameras.main.loop=false",
        "--set", "mqtt.url=mqtt://127.0.0.1:9",
        timeout_s=100, STATE_DIRECTORY=str(state),
    )  # fmt: skip
    assert done.code == 0, done.err
    answer = listed(state)
    conforms("history", answer)
    told = [(event["event_type"], event["label"]) for event in answer["events"]]
    assert told[:5] == [
        ("start", "cat"), ("end", "cat"), ("start", "cup"), ("end", "cup"), ("start", "spacecraft"),
    ]  # fmt: skip
    for event in answer["events"]:
        assert (event["picture"] is not None) == (event["event_type"] == "start")
        if event["picture"]:
            picture = cv2.imread(event["picture"])
            assert picture is not None
            assert picture.shape == (480, 640, 3)
    assert len(edgecam("history", STATE_DIRECTORY=str(state)).out.splitlines()) == len(told)


def test_what_is_kept_is_what_is_published_also_over_a_kill(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Callable[[str, Any], None]
) -> None:
    """The same events by the same ids; an episode that a kill has cut is ended at the next start."""
    state = tmp_path / "state"
    with Program(tmp_path, configured(broker, tmp_path)) as program:
        program.wait_log(lambda log: log.count("episode start") >= 2, 60)
        program.send(signal.SIGKILL)
        program.wait()
        program.start()
        program.wait_log(lambda log: log.count("episode start") >= 4, 60)
        subscriber.wait(partial(_has_history, subscriber), 30)
        assert program.stop()[0] == 0
    heard = {one.body["id"]: one.body for one in subscriber.on("edgecam/box/main/event")}
    kept = {event["id"]: event for event in listed(state)["events"]}
    assert kept.keys() == heard.keys()
    assert [event["reason"] for event in kept.values()].count("restart") == 1
    stats = subscriber.on("edgecam/box/stats")[-1].body
    conforms("stats", stats)
    assert stats["history"]["lost"] == 0
    assert stats["history"]["bytes"] > stats["history"]["pictures"] > 0


def _has_history(subscriber: Listener) -> bool:
    return any((one.body["history"] or {}).get("events") for one in subscriber.on("edgecam/box/stats"))


def test_a_folder_that_cannot_be_written_is_noticed_and_events_go_on(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Callable[[str, Any], None]
) -> None:
    """Told once; what is published does not depend on it, and it recovers by itself."""
    state = tmp_path / "state"
    state.mkdir()
    blocker = state / "history"
    blocker.write_text("a file in its place")
    with Program(tmp_path, configured(broker, tmp_path)) as program:
        subscriber.wait(lambda: len(subscriber.on("edgecam/box/main/event")) >= 3, 60)
        notices = [one.body for one in subscriber.on("edgecam/box/notice")]
        assert [notice["kind"] for notice in notices] == ["history_degraded"]
        conforms("notice", notices[0])
        blocker.unlink()
        subscriber.wait(
            lambda: (
                [one.body["kind"] for one in subscriber.on("edgecam/box/notice")][1:] == ["history_restored"]
            ),
            60,
        )
        assert program.stop()[0] == 0
    assert program.log.count("history cannot be kept") == 1
    heard = {one.body["id"] for one in subscriber.on("edgecam/box/main/event")}
    assert {event["id"] for event in listed(state)["events"]} == heard


def test_off_keeps_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    """By default no picture is ever written to the disk, and `edgecam history` says how to change that."""
    config = {**configured(broker, tmp_path), "history": {"enabled": False}}
    with Program(tmp_path, config) as program:
        program.wait_log(lambda log: "episode start" in log, 60)
        assert program.stop()[0] == 0
    assert not (tmp_path / "state" / "history").exists()
    done = edgecam("history", "--folder", tmp_path / "state")
    assert done.code == 69
    assert "history: {enabled: true}" in done.err
