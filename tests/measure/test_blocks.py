"""Blocks, load and reading back, each by itself."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecam.capture.camera import CameraSettings
from edgecam.capture.pattern import Pattern
from edgecam.errors import ConfigError, UsageError
from edgecam.measure.blocks import run_bare, run_source
from edgecam.measure.load import cpu_load
from edgecam.measure.machine import describe_machine
from edgecam.measure.result_file import read_report
from edgecam.measure.setting import user_setting


class CountingEngine:
    """An engine that only counts."""

    def __init__(self) -> None:
        self.calls = 0

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Count."""
        self.calls += 1
        return tensor


def test_warm_up_is_not_measured_and_every_other_invoke_is() -> None:
    """Nothing is thrown away after the fact; at least one is measured however short the block."""
    for seconds in (0.0, 0.01):
        engine = CountingEngine()
        block = run_bare(engine, np.zeros(1), seconds=seconds, warm_up=3)  # type: ignore[arg-type] # all it needs
        assert block.count == engine.calls - 3 >= 1
        assert block.walls_ns.shape == block.began_ns.shape
        assert int(block.walls_ns.sum()) == block.span_ns


def test_a_source_alone_is_counted_by_its_frames() -> None:
    """Frames that were given, not reads that came back empty."""
    with Pattern(CameraSettings(size_px=(64, 48), fps=1000)) as camera:
        block = run_source(camera, seconds=0.05, warm_up=1)
    assert block.count >= 1
    assert block.cpu_ns > 0


def test_burners_burn_and_end_with_the_block() -> None:
    """Also when an exception ends it."""
    started: list[int] = []

    def children() -> set[int]:
        mine = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text(encoding="ascii")
        return {int(pid) for pid in mine.split()}

    before = children()

    def watch() -> None:
        with cpu_load(2, at_most_s=60):
            started.extend(sorted(children() - before))
            ends = time.monotonic() + 30
            while any(_cpu_ticks(pid) == 0 for pid in started):
                assert time.monotonic() < ends, "they do not burn"
                time.sleep(0.01)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch()
    assert len(started) == 2
    assert not children() & set(started)


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_machine_is_told_by_what_it_is(tmp_path: Path) -> None:
    """Board and CPU of a Raspberry Pi, whose kernel names no model; and nothing where nothing is told."""
    assert describe_machine(tmp_path)["cpu"] is None
    (tmp_path / "proc" / "device-tree").mkdir(parents=True)
    (tmp_path / "proc" / "device-tree" / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    (tmp_path / "proc" / "cpuinfo").write_text("CPU implementer\t: 0x41\nCPU part\t: 0xd08\n")
    said = describe_machine(tmp_path)
    assert said["board"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert said["cpu"] == "implementer 0x41 part 0xd08"
    (tmp_path / "proc" / "cpuinfo").write_text("model name\t: Some CPU @ 2 GHz\nmodel name\t: other\n")
    assert describe_machine(tmp_path)["cpu"] == "Some CPU @ 2 GHz"


HEAD = '{"schema": 1, "kind": "model", "machine": {}, "models": {}, "settings": {}, "parts": '
FIGURE = '[{"name": "a", "figures": {"x_ms": {"unit": "ms", "better": "lower", "rounds": [%s]}}}]}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "{}",
        '{"schema": 1, "kind": "comparison"}',
        HEAD.replace("1", "2") + FIGURE % "1",
        HEAD + '[{"name": "a"}]}',
        HEAD + FIGURE % "",
        HEAD + FIGURE % "NaN",
        (HEAD + FIGURE % "1").replace("lower", "wider"),
        "[" * 100_000,
        "\ud800",
    ],
)
def test_what_is_no_result_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """Whatever the file holds: what it is not, and how to make one."""
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=r"a\.json is no result of edgecam bench"):
        read_report(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_report(tmp_path / "absent.json")
    path.write_text(HEAD + FIGURE % "1", encoding="utf-8")
    assert read_report(path)["kind"] == "model"


def test_a_users_cameras_are_asked_for_another_pace_all_at_once(tmp_path: Path) -> None:
    """--fps and --size go to every camera; the device is not that of `edgecam run`."""
    path = tmp_path / "config.yaml"
    cameras = {name: {"source": "pattern:", "fps": 7} for name in ("yard", "door")}
    config = {
        "device": "x" * 64,
        "cameras": cameras,
        "models": {"default": {"path": "efficientnet_lite0_int8"}},
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    with user_setting(path, environ={}, fps=12.0, size_px=(320, 240)) as setting:
        assert {plan.config.fps for plan in setting.plan.cameras} == {12.0}
        assert {plan.config.size for plan in setting.plan.cameras} == {(320, 240)}
        assert setting.device == "x" * 58 + "-bench"
    with user_setting(path, environ={}) as setting:
        assert {plan.config.fps for plan in setting.plan.cameras} == {7.0}
    with pytest.raises(ConfigError, match="size"), user_setting(path, environ={}, size_px=(1, 1)):
        pass
