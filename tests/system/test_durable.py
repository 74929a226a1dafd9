"""What was decided survives edgecam's death, with the real program and a real broker."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

from gate import Gate
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for, write_photos

EVENT = "edgecam/box/main/event"
NOTICE = "edgecam/box/notice"
WATCH = {group: {"enter": 0.6, "exit": 0.4, "hold_s": 0} for group in ("cat", "cup")}


def run_config(url: str, folder: Path, **more: Any) -> dict[str, Any]:
    """Episodes start and end all the time."""
    return config_for(url, f"images:{folder}", loop=True, fps=10, smoothing_s=0, watch=WATCH, **more)


def decided(program: Program) -> list[tuple[str, str]]:
    """Episode and type of each event, as logged once it was kept."""
    words = [line.split("episode ", 1)[1].split() for line in program.log.splitlines() if "episode=" in line]
    return [(dict(w.split("=", 1) for w in rest if "=" in w)["episode"], kind) for kind, *rest in words]


def _has_events(least: int, log: str) -> bool:
    return log.count("episode=") >= least


def _heard_more(subscriber: Listener, least: int) -> bool:
    return len(subscriber.on(EVENT)) >= least


def events(subscriber: Listener) -> list[dict[str, Any]]:
    """As heard, repeats left out."""
    return list({heard.body["id"]: heard.body for heard in subscriber.on(EVENT)}.values())


def told(subscriber: Listener) -> list[tuple[str, str]]:
    """Episode and type of each event heard."""
    return [(event["episode"], event["event_type"]) for event in events(subscriber)]


def test_every_decided_event_outlives_kills_and_reaches_a_subscriber(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """The broker is out of reach, edgecam is killed twice; then all comes, in order, with its true delay."""
    folder = write_photos(tmp_path / "photos", each=3)
    with Gate(broker.port) as gate:
        gate.close()
        with Program(tmp_path, run_config(gate.url, folder)) as program:
            for least in (5, 10):
                program.wait_log(partial(_has_events, least), 60)
                program.send(signal.SIGKILL)
                program.wait()
                program.start()
            gate.open()
            subscriber.wait(lambda: len(told(subscriber)) > len(decided(program)) - 3 >= 10, 60)
            assert program.stop()[0] == 0
            subscriber.wait(lambda: set(told(subscriber)) >= set(decided(program)))
        logged = decided(program)
        assert [event for event in told(subscriber) if event in logged] == logged
        # A kill may come after an event was kept, and before that was logged.
        assert len(told(subscriber)) - len(logged) <= 2
    heard = events(subscriber)
    restarts = [event for event in heard if event["reason"] == "restart"]
    assert {(event["event_type"], event["status"]) for event in restarts} <= {("end", "starting")}
    starts = [episode for episode, kind in told(subscriber) if kind == "start"]
    assert starts == [episode for episode, kind in told(subscriber) if kind == "end"]
    assert heard[0]["replayed"] is True
    assert heard[0]["delayed_s"] >= heard[-1]["delayed_s"]


def test_an_episode_that_a_kill_left_open_is_ended_by_the_next_start(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Any
) -> None:
    """Whoever follows episodes never waits for an end that nobody will tell."""
    folder = write_photos(tmp_path / "photos", each=1)
    (folder / "00001.jpg").unlink()
    with Program(tmp_path, run_config(broker.url, folder)) as program:
        subscriber.wait(lambda: subscriber.on(EVENT), 30)
        program.send(signal.SIGKILL)
        program.wait()
        program.start()
        subscriber.wait(lambda: len(events(subscriber)) >= 3, 30)
        assert program.stop()[0] == 0
    start, end, new = events(subscriber)[:3]
    assert (start["event_type"], end["event_type"], new["event_type"]) == ("start", "end", "start")
    assert (end["reason"], end["episode"], end["label"]) == ("restart", start["episode"], start["label"])
    assert start["episode"] != new["episode"]
    assert start["end"] is None
    assert start["start"] == end["start"] < end["end"]
    conforms("event", end)


def test_what_a_removed_camera_left_on_the_broker_is_cleared(tmp_path: Path, broker: Mosquitto) -> None:
    """A subscriber who comes later finds the cameras that there are."""
    folder = write_photos(tmp_path / "photos", each=1)
    config = run_config(broker.url, folder)
    config["cameras"]["old"] = dict(config["cameras"]["main"])
    with Program(tmp_path, config) as program, Listener(broker.port) as subscriber:
        subscriber.wait(lambda: subscriber.on("edgecam/box/old/state"), 30)
        subscriber.wait(lambda: subscriber.on("edgecam/box/info"), 30)
        assert program.stop()[0] == 0
    del config["cameras"]["old"]
    with Program(tmp_path, config) as program, Listener(broker.port) as subscriber:
        subscriber.wait(
            lambda: b"" in [heard.payload for heard in subscriber.on("edgecam/box/old/state")], 30
        )
        assert program.stop()[0] == 0
    with Listener(broker.port) as late:
        late.wait(lambda: late.on("edgecam/box/main/state"))
        assert [heard.topic for heard in late.heard if "/old/" in heard.topic] == []


def test_an_outbox_that_cannot_be_used_is_noticed_and_events_flow(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Any
) -> None:
    """One log line, one notice; edgecam does its work from memory."""
    folder = write_photos(tmp_path / "photos", each=3)
    (tmp_path / "state").write_text("a file where the folder should be")
    with Program(tmp_path, run_config(broker.url, folder)) as program:
        subscriber.wait(lambda: len(subscriber.on(EVENT)) >= 4 and subscriber.on(NOTICE), 30)
        assert program.stop()[0] == 0
    notices = [heard.body for heard in subscriber.on(NOTICE)]
    assert [notice["kind"] for notice in notices] == ["outbox_degraded"]
    conforms("notice", notices[0])
    assert program.log.count("outbox is in memory only") == 1


def test_a_stop_in_order_leaves_nothing_for_the_next_run(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """No event comes twice, and no `restart`, after a clean stop."""
    folder = write_photos(tmp_path / "photos", each=3)
    with Program(tmp_path, run_config(broker.url, folder)) as program:
        for _ in range(2):
            subscriber.wait(partial(_heard_more, subscriber, len(subscriber.on(EVENT)) + 4), 30)
            assert program.stop()[0] == 0
            program.start()
        subscriber.wait(partial(_heard_more, subscriber, len(subscriber.on(EVENT)) + 1), 30)
    ids = [heard.body["id"] for heard in subscriber.on(EVENT)]
    assert len(ids) == len(set(ids))
    assert "restart" not in {heard.body["reason"] for heard in subscriber.on(EVENT)}
