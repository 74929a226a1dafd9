"""`run --trace` as a user has it: a file at the end and at each SIGUSR1, which a viewer can open."""

from __future__ import annotations

import json
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mosquitto import Mosquitto, free_port
from mqtt_listener import Listener
from program import Program, config_for, edgecam, write_pictures

Events = list[dict[str, Any]]


def nest(events: Events) -> None:
    """On each track a slice ends within the one that is open, and each stage lies in a slice of its frame."""
    tracks: defaultdict[int, Events] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            tracks[event["tid"]].append(event)
    for slices in tracks.values():
        around: Events = []
        for slice_ in sorted(slices, key=lambda one: (one["ts"], -one["dur"], one["cat"])):
            while around and around[-1]["ts"] + around[-1]["dur"] <= slice_["ts"]:
                around.pop()
            assert [one["cat"] for one in around] == ([] if slice_["cat"] == "frame" else ["frame"])
            for one in around:
                assert slice_["ts"] + slice_["dur"] <= one["ts"] + one["dur"]
            around.append(slice_)


def stages(events: Events) -> dict[tuple[str, int], list[str]]:
    """What the tracks tell of each frame: in the file a frame's stages follow its slice."""
    told: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    frame = ("", 0)
    for event in events:
        if event.get("cat") == "frame":
            frame = event["args"]["camera"], event["args"]["seq"]
        elif event.get("cat") == "stage":
            told[frame].append(event["name"])
    return told


def workers(events: Events) -> set[str]:
    """The names of the tracks."""
    return {event["args"]["name"] for event in events if event["name"] == "thread_name"}


def skips(events: Events) -> Events:
    """What is told of each skipped frame; its name says why, too."""
    found = [event for event in events if event.get("cat") == "skip"]
    assert all(event["name"] == f"skip: {event['args']['cause']}" for event in found)
    return [event["args"] for event in found]


def test_a_trace_tells_of_every_frame_of_a_run(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Callable[[str, Any], None]
) -> None:
    """More frames than the engine can take: what was captured, done, skipped and why agrees with `stats`."""
    path = tmp_path / "trace.json"
    folder = write_pictures(tmp_path / "pictures", 30)
    config = config_for(broker.url, f"images:{folder}", fps=500, loop=True)
    with Program(tmp_path, config, trace=path) as program:
        subscriber.wait(lambda: len(subscriber.on("edgecam/box/main/prediction")) > 20, 30)
        assert not path.exists()
        program.send(signal.SIGUSR1)
        program.wait_log(lambda log: "trace written" in log)
        early = json.loads(path.read_text(encoding="utf-8"))
        assert program.stop(signal.SIGINT)[0] == 130
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
    whole = json.loads(path.read_text(encoding="utf-8"))
    for trace in (early, whole):
        conforms("trace", trace)
        nest(trace["traceEvents"])
    events: Events = whole["traceEvents"]
    assert len(early["traceEvents"]) < len(events)
    assert workers(events) >= {"capture-main", "engine-default"}
    told = stages(events)
    books = subscriber.on("edgecam/box/stats")[-1].body["cameras"]["main"]
    assert sorted(told) == [("main", seq) for seq in range(1, books["captured"] + 1)]
    assert all(names.count("capture") == 1 for names in told.values())
    causes = Counter(skip["cause"] for skip in skips(events))
    # What is in an engine that is left behind at the stop has no worker any more to tell of it.
    assert all(causes[cause] == count for cause, count in books["skipped"].items() if cause != "shutdown")
    assert causes["superseded"] > 0
    assert {("main", skip["seq"]) for skip in skips(events)} <= set(told)
    decided = [names for names in told.values() if "decide" in names]
    assert len(decided) == books["results"] + books["late"]
    assert all({"preprocess", "infer", "postprocess"} <= set(names) for names in decided)
    assert sum("publish" in names for names in told.values()) > 0


def test_a_trace_that_cannot_be_written_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    """A wrong path is a wrong command line: exit 2, and no camera was opened for it."""
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(config_for(f"mqtt://127.0.0.1:{free_port()}", "pattern:")))
    done = edgecam("run", "--config", config, "--trace", tmp_path / "absent" / "trace.json")
    assert done.code == 2, done.err
    assert (
        done.err == f"--trace: {tmp_path}/absent is no folder; make it, or name a file in one that exists\n"
    )
