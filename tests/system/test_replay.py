"""A replay decides as the live path did, on the same frames at the same moments."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import PHOTOS, Done, Program, config_for, edgecam
from stand_ins import Ear, Fates

from edgecam.config.loader import load_config
from edgecam.evaluation.recording import Recording, open_recording
from edgecam.evaluation.replay import Replayer, Seen
from edgecam.pipeline.assembly import Plan, assemble
from edgecam.pipeline.workforce import Workforce
from edgecam.records import EventType, Reason

FPS = 10
PIECE_FRAMES = 12
FRAMES = 4 * PIECE_FRAMES
WATCH = {
    "cat": {"enter": 0.3, "exit": 0.2, "hold_s": 0},
    "espresso": {"enter": 0.3, "exit": 0.2, "hold_s": 0},
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cat, a cup, nothing, the cat again: each for a dozen frames, none like the other."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (224, 224))
    photos = {name: cv2.imread(str(PHOTOS / name)) for name in ("cat.jpg", "espresso.jpg")}
    for name in ("cat.jpg", "espresso.jpg", None, "cat.jpg"):
        photo = None if name is None else photos[name]
        plain = np.full((224, 224, 3), 90, np.uint8) if photo is None else cv2.resize(photo, (224, 224))
        for _ in range(PIECE_FRAMES):
            noise = rng.integers(-30, 31, plain.shape)
            writer.write(np.clip(plain.astype(int) + noise, 0, 255).astype(np.uint8))
    writer.release()
    return path


def config_of(folder: Path, clip: Path, url: str = "mqtt://127.0.0.1:1", **camera: Any) -> Path:
    """A camera that plays the clip with no frame skipped; its settings are those that are tried."""
    settings = {"playback": "fast", "watch": WATCH, "smoothing_s": 0.03, **camera}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config_for(url, f"file:{clip}", **settings)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def scores(clip: Path) -> Path:
    """What the shipped model says of the clip."""
    path = clip.with_name("scores.jsonl")
    done = edgecam("eval", "--record", path, "--config", config_of(clip.parent, clip))
    assert done.code == 0, done.err
    assert f"{FRAMES} frames" in done.err
    return path


def replay_command(scores: Path, config: Path, *options: str | Path) -> Done:
    """`edgecam eval --replay`."""
    return edgecam("eval", "--replay", scores, "--config", config, *options)


def play_live(config: Path) -> tuple[Ear, Fates, Plan]:
    """All of `edgecam run` but its network: what was decided, and each result."""
    loaded = load_config(config, environ=os.environ)
    plan = assemble(loaded)
    ear, fates = Ear(), Fates()
    faults: list[BaseException] = []
    workers = Workforce(
        loaded,
        plan,
        ear,  # type: ignore[arg-type]
        snapshots=None,
        evidence=None,
        witness=fates,
        fail=faults.append,
        engines_changed=lambda: None,
        is_stopping=lambda: False,
        patient=False,
    )
    workers.start()
    try:
        ends = time.monotonic() + 60
        while not workers.has_ended and not faults:
            assert time.monotonic() < ends, "the clip did not end"
            time.sleep(0.02)
    finally:
        workers.stop(capture_s=10, engine_s=10)
    assert not faults
    return ear, fates, plan


def retimed(recording: Recording, plan: Plan, fates: Fates) -> list[Seen]:
    """The recorded frames at the moments at which the live path had them."""
    frames = recording.frames(plan.models["default"].labels, camera="main")
    return [
        replace(frame, at_ns=result.captured_ns)
        for frame, result in zip(frames, sorted(fates.results, key=lambda r: r.seq), strict=True)
    ]


@pytest.mark.parametrize(
    "camera",
    [
        {"smoothing_s": 0.0},
        {"smoothing_s": 0.03},
        {"smoothing_s": 0.0, "watch": {}, "ignore": ["web site"]},
        {"smoothing_s": 0.03, "flip": "horizontal", "roi": [0.1, 0.1, 0.8, 0.8]},
    ],
    ids=["raw", "smoothed", "all labels", "another view"],
)
def test_a_replay_decides_as_the_live_path_did(tmp_path: Path, clip: Path, camera: dict[str, Any]) -> None:
    """The same frames at the same moments give the same episodes, to the last bit of their scores."""
    config, scores = config_of(tmp_path, clip, **camera), tmp_path / "scores.jsonl"
    assert edgecam("eval", "--record", scores, "--config", config).code == 0
    ear, fates, plan = play_live(config)
    assert len(fates.results) == FRAMES
    replayer = Replayer(plan.cameras[0].rungs[0].watchlist, smoothing_s=camera["smoothing_s"])
    for seen in retimed(open_recording(scores), plan, fates):
        replayer.take(seen)
    found = replayer.end()
    starts = [event.edge for event in ear.events if event.edge.type is EventType.START]
    ends = [event.edge for event in ear.events if event.edge.type is EventType.END]
    assert starts
    assert [(e.label, e.start_ns) for e in found.episodes] == [(edge.label, edge.start_ns) for edge in starts]
    assert [e.peak_score for e in found.episodes] == [edge.peak_score for edge in ends]
    # What the end of the recording cuts off, the live path ends when it stops, a little later.
    assert [e.end_ns for e in found.episodes if not e.is_open] == [
        edge.end_ns for edge in ends if edge.reason is Reason.LEFT
    ]


def test_model_and_source_of_the_command_line_take_the_place_of_the_cameras(
    tmp_path: Path, clip: Path
) -> None:
    """Paths count from where the command is called, whatever folder the configuration is in."""
    config = config_of(tmp_path, tmp_path / "gone.mp4")
    scores = tmp_path / "scores.jsonl"
    where = ("--record", scores, "--config", config, "--source", f"file:{clip.name}")
    done = edgecam("eval", "efficientnet_lite0_160_int8", *where, cwd=clip.parent)
    assert done.code == 0, done.err
    origin = open_recording(scores).origin
    assert origin is not None
    assert origin.model == "efficientnet_lite0_160_int8"
    assert origin.source == f"file:{clip}"


def test_a_recording_has_the_moments_of_the_clip(scores: Path) -> None:
    """Not those of the machine that recorded it: a second of the clip is one, however fast it was."""
    recording = open_recording(scores)
    assert recording.origin is not None
    moments = [seen.at_ns for seen in recording.frames(recording.origin.labels, camera="main")]
    assert moments == [number * 10**9 // FPS for number in range(FRAMES)]


def test_settings_are_compared_on_the_truth(
    tmp_path: Path, clip: Path, scores: Path, conforms: Callable[[str, Any], None]
) -> None:
    """One line a setting; with enough smoothing to see nothing, recall is lost, and so it is told."""
    truth = tmp_path / "truth.csv"
    truth.write_text("start,end,label\n0,1.2,cat\n1.2,2.4,espresso\n3.6,4.8,cat\n")
    config = config_of(tmp_path, clip)
    vary = ("--vary", "cameras.main.smoothing_s=0,0.2,3600", "--truth", truth)
    done = replay_command(scores, config, *vary, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    conforms("replay", report)
    raw, smooth, blind = report["settings"]
    assert raw["set"] == {"cameras.main.smoothing_s": "0"}
    assert raw["truth"]["recall"] == {"value": 1.0, "hits": 3, "of": 3}
    assert raw["truth"]["delay_s"]["longest"] <= 0.2
    assert raw["labels"].keys() == {"cat", "espresso"}
    assert smooth["truth"]["recall"]["hits"] == 3
    assert smooth["truth"]["delay_s"]["longest"] > raw["truth"]["delay_s"]["longest"]
    assert smooth["changes"] <= raw["changes"]
    # Nothing that comes later moves it away from what it saw first.
    assert blind["labels"] == {"cat": 1}
    assert blind["truth"]["recall"]["hits"] == 2
    assert blind["truth"]["time"]["precision"] < 0.6 < raw["truth"]["time"]["precision"]
    table = replay_command(scores, config, *vary)
    assert table.out.count("67% (2/3)") == 1
    assert "smoothing_s" in table.out


def test_one_setting_lists_its_episodes(tmp_path: Path, clip: Path, scores: Path) -> None:
    """What a run would have published, with the moments of the clip."""
    done = replay_command(scores, config_of(tmp_path, clip), "--set", "cameras.main.watch={espresso: {}}")
    assert done.code == 0, done.err
    episodes = [line for line in done.out.splitlines() if line.startswith("espresso")]
    assert len(episodes) == 1
    assert 1.0 < float(episodes[0].split()[1]) < 2.4


def test_what_cannot_be_replayed_is_refused_with_the_remedy(tmp_path: Path, clip: Path, scores: Path) -> None:
    """A label that is none, an exit above enter, a camera that is none, a live source: each by its place."""
    config = config_of(tmp_path, clip)
    done = replay_command(scores, config, "--vary", "cameras.main.watch.cat.enter=0.5,0.1")
    assert done.code == 78
    assert "cameras.main.watch.cat.exit" in done.err
    assert "with cameras.main.watch.cat.enter=0.1" in done.err
    done = replay_command(scores, config, "--camera", "door")
    assert done.code == 2
    assert "there is no camera door; give one of them with --camera: main" in done.err
    done = edgecam("eval", "--record", tmp_path / "x.jsonl", "--config", config, "--source", "pattern:")
    assert done.code == 69
    assert "is no recording that ends" in done.err
    assert not (tmp_path / "x.jsonl").exists()


def test_what_subscribers_recorded_decides_as_the_run_did(
    tmp_path: Path, clip: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """The predictions of a real run give its episodes, and how far they can be wrong is told."""
    folder = tmp_path / "run"
    folder.mkdir()
    settings = json.loads(config_of(tmp_path, clip, broker.url, smoothing_s=0).read_text())
    settings["cameras"]["main"]["watch"].pop("cat")
    with Program(folder, settings) as program:
        assert program.wait(60) == 0
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
    recorded = tmp_path / "heard.jsonl"
    lines = [f"{heard.topic} {heard.payload.decode()}\n" for heard in subscriber.heard]
    recorded.write_text("".join(lines), encoding="utf-8")
    done = replay_command(recorded, folder / "config.yaml", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["recording"]["kind"] == "predictions"
    assert report["recording"]["frames"] == len(subscriber.on("edgecam/box/main/prediction")) > FRAMES / 2
    # The cup is one class, and no class that is not told had more than those that are.
    assert 0 < report["recording"]["shortfall"]["most"] < 0.2
    events = [event.body for event in subscriber.on("edgecam/box/main/event")]
    started = [event["label"] for event in events if event["event_type"] == "start"]
    assert [episode["label"] for episode in report["settings"][0]["episodes"]] == started == ["espresso"]
