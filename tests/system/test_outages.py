"""What subscribers see when a broker, a camera or edgecam itself goes away and comes back."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from gate import Gate
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import PHOTOS, Program, config_for, write_photos, write_pictures
from stream_servers import MjpegServer, RtspServer

STATE = "edgecam/box/main/state"
EVENT = "edgecam/box/main/event"
AVAILABILITY = "edgecam/box/availability"

JPEGS = [(PHOTOS / "cat.jpg").read_bytes()]
# Long enough for several episodes.
OUTAGE_S = 2.0
SENT_ON_S = 0.5
# A cat and an espresso in turn, so that episodes start and end all the time.
WATCH = {group: {"enter": 0.6, "exit": 0.4, "hold_s": 0} for group in ("cat", "cup")}


def statuses(subscriber: Listener, camera: str = "main") -> list[str]:
    """The camera's statuses in the order heard, repeats left out."""
    seen: list[str] = []
    for heard in subscriber.on(f"edgecam/box/{camera}/state"):
        status = heard.body["status"]
        if not seen or seen[-1] != status:
            seen.append(status)
    return seen


def test_a_broker_that_is_absent_at_the_start_is_waited_for(tmp_path: Path, broker: Mosquitto) -> None:
    """An appliance boots before its broker: the cameras run, and the state comes as soon as it can."""
    broker.stop()
    folder = write_pictures(tmp_path / "pictures", 20)
    with Program(tmp_path, config_for(broker.url, f"images:{folder}", loop=True)) as program:
        program.wait_log(lambda log: "engine opened" in log and "broker not available" in log)
        broker.start()
        with Listener(broker.port) as subscriber:
            subscriber.wait(lambda: [h for h in subscriber.on(STATE) if h.body["status"] == "ok"], 30)
        assert program.stop()[0] == 0
    assert program.log.count("broker not available") == 1


def test_events_survive_the_brokers_death_in_order_and_states_are_only_the_newest(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """Every episode's two ends arrive after a broker was killed and brought back, each with its delay.

    The gate keeps edgecam away until the subscriber is back, since what a broker keeps for an absent
    subscriber is its own affair.
    """
    folder = write_photos(tmp_path / "photos", each=3)
    with Gate(broker.port) as gate:
        config = config_for(gate.url, f"images:{folder}", loop=True, fps=10, smoothing_s=0, watch=WATCH)
        with Program(tmp_path, config) as program, Listener(broker.port) as subscriber:
            subscriber.wait(lambda: len(subscriber.on(EVENT)) >= 4, 30)
            gate.close()
            # What the broker accepted until now is its own affair, and goes with it unless it was sent on.
            time.sleep(SENT_ON_S)
            broker.kill()
            program.wait_log(lambda log: "broker not available" in log)
            subscriber.expect_loss()
            broker.start()
            subscriber.wait_back()
            time.sleep(OUTAGE_S)
            before = len(subscriber.on(EVENT))
            gate.open()
            subscriber.wait(lambda: len(subscriber.on(EVENT)) >= before + 6, 45)
            assert program.stop()[0] == 0
            subscriber.wait(lambda: subscriber.on(AVAILABILITY)[-1].payload == b"offline")
    events = {heard.body["id"]: heard.body for heard in subscriber.on(EVENT)}
    told = [(int(event["episode"].rsplit("-", 1)[1]), event["event_type"]) for event in events.values()]
    # Both ends of each episode, in order, none left out; the listener may have missed the very first.
    first = told[0][0] * 2 - (told[0][1] == "start")
    assert told == [((n + 1) // 2, "start" if n % 2 else "end") for n in range(first, first + len(told))]
    assert max(event["delayed_s"] for event in events.values()) >= OUTAGE_S
    replayed = [heard.body for heard in subscriber.on(STATE) if heard.body["replayed"]]
    assert len([state for state in replayed if state["reason"] != "starting"]) <= 1


def test_a_killed_edgecam_is_offline_and_a_started_one_online(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """The will speaks for a process that cannot."""
    folder = write_pictures(tmp_path / "pictures", 5)
    with Program(tmp_path, config_for(broker.url, f"images:{folder}", loop=True)) as program:
        subscriber.wait(lambda: [h for h in subscriber.on(STATE) if h.body["status"] == "ok"], 30)
        assert subscriber.on(AVAILABILITY)[-1].payload == b"online"
        program.send(signal.SIGKILL)
        program.wait()
        subscriber.wait(lambda: subscriber.on(AVAILABILITY)[-1].payload == b"offline")
        program.start()
        subscriber.wait(lambda: subscriber.on(AVAILABILITY)[-1].payload == b"online", 30)
        assert program.stop()[0] == 0


def test_a_stream_that_stalls_is_no_camera_until_it_is_back_and_the_rest_runs_on(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """A dead camera is said to be dead, its label is taken back, and it heals by itself."""
    with MjpegServer(JPEGS, fps=20) as server:
        config = config_for(broker.url, server.url, fps=20, smoothing_s=0)
        config["cameras"]["other"] = {"source": "pattern:", "fps": 10}
        with Program(tmp_path, config) as program:
            subscriber.wait(lambda: "ok" in statuses(subscriber), 30)
            server.stall()
            subscriber.wait(lambda: "no_camera" in statuses(subscriber), 30)
            lost = subscriber.on(STATE)[-1].body
            assert (lost["label"], lost["status"]) == (None, "no_camera")
            others = len(subscriber.on("edgecam/box/other/prediction"))
            server.resume()
            subscriber.wait(lambda: statuses(subscriber)[-1] == "ok", 45)
            assert len(subscriber.on("edgecam/box/other/prediction")) > others
            assert program.stop()[0] == 0
    kinds = [heard.body["kind"] for heard in subscriber.on("edgecam/box/notice")]
    assert kinds[:2] == ["camera_lost", "camera_back"]
    assert statuses(subscriber, "other") == ["starting", "ok"]


def test_a_camera_that_is_absent_at_the_start_is_waited_for(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """`run` outlives an absent camera: it says no_camera and takes it when it comes; no secret is logged."""
    server = MjpegServer(JPEGS, fps=20)
    address = server.url.replace("http://", "http://viewer:s3cret@")
    with Program(tmp_path, config_for(broker.url, address)) as program:
        subscriber.wait(lambda: "no_camera" in statuses(subscriber), 30)
        with server:
            subscriber.wait(lambda: statuses(subscriber)[-1] == "ok", 45)
            assert program.stop()[0] == 0
        assert "s3cret" not in program.log
    assert not [heard for heard in subscriber.heard if b"s3cret" in heard.payload]


def test_an_rtsp_camera_is_read_and_its_end_is_noticed(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """The commonest network camera: named while it runs, no_camera once it hangs up."""
    with (
        RtspServer(JPEGS, fps=20) as server,
        Program(tmp_path, config_for(broker.url, server.url)) as program,
    ):
        subscriber.wait(lambda: "ok" in statuses(subscriber), 30)
        subscriber.wait(lambda: subscriber.on("edgecam/box/main/prediction"))
        assert subscriber.on("edgecam/box/main/prediction")[0].body["age_basis"] == "arrival"
        server.end()
        subscriber.wait(lambda: statuses(subscriber)[-1] == "no_camera", 30)
        assert program.stop()[0] == 0
