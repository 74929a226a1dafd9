"""`edgecam bench` as a user types it: structure and sums, never durations."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import PHOTOS, edgecam

Conforms = Callable[[str, Any], None]


def parts_of(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The parts of one kind."""
    return [part for part in report["parts"] if part["kind"] == kind]


def assert_every_frame_is_in_the_sums(report: dict[str, Any]) -> None:
    """Of each camera and of all together."""
    for part in parts_of(report, "camera") + parts_of(report, "process"):
        facts = part["facts"]
        assert facts["captured"] == facts["results"] + facts["late"] + sum(facts["skipped"].values())
        assert sum(facts["engines"].values()) == facts["results"] + facts["late"]
    (process,) = parts_of(report, "process")
    for name in ("captured", "results", "late", "published"):
        assert process["facts"][name] == sum(part["facts"][name] for part in parts_of(report, "camera"))


def test_a_model_is_measured_for_each_number_of_threads(tmp_path: Path, conforms: Conforms) -> None:
    """A part per number, a value per round, an advice, and a page that holds the same report."""
    page = tmp_path / "page.html"
    done = edgecam("bench", "--threads", "2,1", "--seconds", "0.1", "--rounds", "2", "--json", "--html", page)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    conforms("bench", report)
    assert [part["facts"]["threads"] for part in report["parts"]] == [1, 2]
    for part in report["parts"]:
        assert all(len(figure["rounds"]) == 2 for figure in part["figures"].values())
        assert part["facts"]["invokes"] >= 2
    assert report["models"].keys() == {"efficientnet_lite0_int8"}
    assert "threads" in report["advice"]
    text = page.read_text(encoding="utf-8")
    data = text.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data)["report"] == report
    assert [plot["title"] for plot in json.loads(data)["plots"]] == [
        "Latency of invoke()",
        "invoke() over time",
    ]
    assert str(Path.cwd()) not in done.out + data


def test_a_bare_model_is_measured_with_its_options(tmp_path: Path, tiny: ModuleType) -> None:
    """As `classify` takes them; the table is for people."""
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    done = edgecam(
        "bench", path, "--mean", "0", "--std", "255", "--threads", "1", "--seconds", "0.1", "--rounds", "1"
    )
    assert done.code == 0, done.err
    assert "threads: 1" in done.out
    assert "within 10 %" in done.out
    assert edgecam("bench", path).code == 69


def test_the_pipeline_is_measured_on_a_pattern(tmp_path: Path, conforms: Conforms) -> None:
    """Under load, two cameras: every captured frame is in the sums, every prediction goes to the broker."""
    page = tmp_path / "page.html"
    done = edgecam(
        "bench", "--pipeline", "--seconds", "0.5", "--rounds", "2", "--size", "64x48", "--fps", "40",
        "--set", "cameras.yard.source=pattern:", "--load", "1", "--json", "--html", page,
    )  # fmt: skip
    assert done.code == 0, done.err
    report = json.loads(done.out)
    conforms("bench", report)
    assert_every_frame_is_in_the_sums(report)
    assert {part["name"] for part in parts_of(report, "camera")} == {"camera main", "camera yard"}
    assert report["settings"]["cameras"]["main"]["size_px"] == [64, 48]
    assert report["settings"]["load"] == 1
    (process,), (bare,) = parts_of(report, "process"), parts_of(report, "engine")
    assert process["facts"]["captured"] > 0
    assert process["facts"]["published"] > 0
    assert process["figures"].keys() >= {
        "cpu_per_frame_ms",
        "source_cpu_per_capture_ms",
        "cpu_ratio",
        "memory_mb",
    }
    assert bare["facts"]["invokes"] > 0
    for part in parts_of(report, "camera"):
        assert part["figures"].keys() >= {"age_p50_ms", "sent_age_p50_ms", "age_ratio", "infer_p99_ms"}
    assert "Skipped frames over time" in page.read_text(encoding="utf-8")


def test_a_users_configuration_is_measured_as_a_device_of_its_own(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Conforms
) -> None:
    """Its cameras, model, and broker; the user is told; nobody takes the bench for the appliance."""
    path = tmp_path / "config.yaml"
    config = {
        "device": "box",
        "cameras": {"door": {"source": "pattern:", "size": [64, 48], "fps": 5}},
        "models": {"default": {"path": "efficientnet_lite0_int8"}},
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "predictions": {"enabled": True}},
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    done = edgecam("bench", "--pipeline", "--config", path, "--seconds", "0.5", "--rounds", "1", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    conforms("bench", report)
    assert_every_frame_is_in_the_sums(report)
    assert [part["name"] for part in parts_of(report, "camera")] == ["camera door"]
    assert report["settings"]["user_configuration"]
    assert "box-bench" in done.err
    topics = {heard.topic for heard in subscriber.heard}
    assert topics
    assert all(topic.startswith("edgecam/box-bench/") for topic in topics)


def test_results_are_compared(tmp_path: Path, conforms: Conforms) -> None:
    """A result with itself differs in nothing; for people and for programs."""
    done = edgecam("bench", "--threads", "1", "--seconds", "0.1", "--rounds", "5", "--json")
    path = tmp_path / "a.json"
    path.write_text(done.out, encoding="utf-8")
    said = edgecam("bench", "--compare", path, path, "--json")
    assert said.code == 0, said.err
    comparison = json.loads(said.out)
    conforms("bench", comparison)
    assert {difference["verdict"] for difference in comparison["differences"]} == {"within noise"}
    assert {difference["change"] for difference in comparison["differences"]} == {0.0}
    changed = json.loads(done.out)
    changed["machine"]["cpu"] = "another"
    other = tmp_path / "b.json"
    other.write_text(json.dumps(changed), encoding="utf-8")
    shown = edgecam("bench", "--compare", path, other)
    assert "within noise" in shown.out
    assert "machine differ: cpu" in shown.err
    changed["kind"] = "pipeline"
    other.write_text(json.dumps(changed), encoding="utf-8")
    assert edgecam("bench", "--compare", path, other).code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--fps", "5"], "--fps is for --pipeline alone"),
        (["--load", "1"], "--load is for --pipeline alone"),
        (["--pipeline", "--threads", "1"], "--threads is not for --pipeline"),
        (["--threads", "0"], "--threads: expected numbers"),
        (["--threads", "1,x"], "--threads: expected numbers"),
        (["--pipeline", "--size", "640"], "--size: expected WIDTHxHEIGHT"),
        (["--html", "/nowhere/a.html"], "--html: /nowhere/a.html cannot be written"),
        (["--compare", "absent.json", "absent.json"], "absent.json cannot be read"),
        (["m", "--compare", "a.json", "b.json"], "MODEL is not for --compare"),
        (["m", "--pipeline", "--config", "c.yaml"], "MODEL is for the pattern"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_measured(arguments: list[str], told: str) -> None:
    """Exit 2 and one line, rather than an option that is left unheard."""
    done = edgecam("bench", *arguments)
    assert done.code == 2, done.err
    assert told in done.err
    assert done.out == ""


def test_what_cannot_be_run_ends_with_its_own_code(tmp_path: Path) -> None:
    """A camera that is not there: 69, as `run` says; a recording that is too short: 1; a wrong value: 78."""
    absent = [
        "--pipeline",
        "--seconds",
        "0.1",
        "--rounds",
        "1",
        "--set",
        f"cameras.main.source=file:{tmp_path}/a",
    ]
    done = edgecam("bench", *absent)
    assert done.code == 69, done.err
    assert "Traceback" not in done.err
    done = edgecam(
        "bench", "--pipeline", "--seconds", "9", "--rounds", "1",
        "--set", f"cameras.main.source=images:{PHOTOS}", "--set", "cameras.main.fps=5",
    )  # fmt: skip
    assert done.code == 1, done.err
    assert "the recording ended before 9 s were measured" in done.err
    done = edgecam("bench", "--pipeline", "--set", "cameras.main.size=[1, 1]")
    assert done.code == 78
    assert "cameras.main.size" in done.err


def test_ctrl_c_ends_it_and_leaves_nothing_running() -> None:
    """Exit 130; broker and burners are gone, no result is printed."""
    command = [
        sys.executable, "-m", "edgecam", "bench", "--pipeline", "--seconds", "1", "--rounds", "100",
        "--set", "cameras.main.fps=5", "--load", "1", "--json",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Who was started in the background by a script has it ignored, and hands that on.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    ends = time.monotonic() + 60
    while not any("measure.load" in line for line in _session(process.pid)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends, "the load never began"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    while _session(process.pid):
        assert time.monotonic() < ends, _session(process.pid)
        time.sleep(0.05)


def _session(leader: int) -> list[str]:
    """Command lines of the processes of this session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append((folder / "cmdline").read_text(encoding="utf-8").replace("\0", " "))
        except (OSError, ValueError):
            continue
    return found
