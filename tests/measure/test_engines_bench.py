"""`bench --engines` from within: what an engine that fails leaves behind, and which file a twin is."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from program import has_ended
from stand_ins import until
from tiny_engine import install

from edgecam.measure import trial_process
from edgecam.measure.engines_bench import EnginesRun, bench_engines, engines_report
from edgecam.model.model import Model
from edgecam.model.store import load_model


@pytest.fixture
def model(tiny: ModuleType, tmp_path: Path) -> Model:
    """A model directory's model."""
    return load_model(tiny.write_folder(tmp_path / "pets", tiny.Tiny()))


def measured(model: Model, *, rounds: int = 1) -> EnginesRun:
    """In as little time as can be."""
    return bench_engines(
        model,
        onnx=None,
        pictures=[],
        threads=[1],
        rounds=rounds,
        seconds=0.01,
        progress=lambda _done, _total, _what: None,
    )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for an installed package that the processes of engines find."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


def hangs_after(calls: int, note: Path) -> dict[str, str]:
    """An engine that takes a core for ever after so many inferences, and notes its process then."""
    body = f"""count = 0

    def answer(self):
        self.count += 1
        if self.count > {calls}:
            Path({str(note)!r}).write_text(str(os.getpid()))
            while True:
                pass
        return np.array([200, 40, 10, 6], np.uint8)"""
    return {"top": "import os\nfrom pathlib import Path", "body": body, "answer": "self.answer()"}


def test_an_engine_that_hangs_is_ended_before_the_next_is_measured(
    model: Model, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take a core from all others, whose figures would be of another machine."""
    install(site, **hangs_after(3, tmp_path / "pid"))
    monkeypatch.setattr(trial_process, "_SLACK_S", 1.0)
    alive_with_others = []

    def watch(self: trial_process.TrialProcess, seconds: float) -> object:
        if (tmp_path / "pid").exists():
            alive_with_others.append(not has_ended(int((tmp_path / "pid").read_text())))
        return measure(self, seconds)

    measure = trial_process.TrialProcess.measure
    monkeypatch.setattr(trial_process.TrialProcess, "measure", watch)
    run = measured(model, rounds=2)
    assert alive_with_others
    assert not any(alive_with_others)
    assert {one.name: one.why for one in run.absent}["abacus/cpu x1"] == "does not come back (for 1 s)"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_however_a_bench_ends_no_engine_of_it_lives_on(
    model: Model, site: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """A terminal that is closed must not leave a library that hangs, and takes a core for ever."""
    install(site, **hangs_after(1, tmp_path / "pid"))
    bench = subprocess.Popen(
        [sys.executable, "-m", "edgecam", "bench", model.path.parent, "--engines", "--threads", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{site}:{Path(trial_process.__file__).parents[2]}"},
    )
    with bench:
        try:
            ends_s = time.monotonic() + 60
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
                assert bench.poll() is None
                assert time.monotonic() < ends_s
                time.sleep(0.05)
        finally:
            bench.send_signal(number)
    engine = int((tmp_path / "pid").read_text())
    until(lambda: has_ended(engine))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("__import__('os').kill(__import__('os').getpid(), 40)", "it ends its process (signal 40)"),
        ("(_ for _ in ()).throw(ValueError('one\\ntwo'))", "the engine abacus failed: ValueError: one two"),
    ],
)
def test_what_an_engine_ends_by_is_told_in_a_line(model: Model, site: Path, answer: str, why: str) -> None:
    """A signal without a name, or a fault of many lines, costs no other its results, and breaks no table."""
    install(site, answer=answer)
    assert {one.name: one.why for one in measured(model).absent}["abacus"] == why


def test_a_twin_is_the_file_that_the_card_names(tiny: ModuleType, tmp_path: Path) -> None:
    """`run` refuses any other; its figures would be those of a network that nobody can use."""
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: nothing is measured here")
    folder = tiny.write_folder(tmp_path / "pets", tiny.Tiny())
    twin = tiny.make(tiny.Tiny(dtype="int8"))
    with (folder / "card.yaml").open("a", encoding="utf-8") as card:
        card.write(f"twins: {{litert: {{file: twin.tflite, sha256: {hashlib.sha256(twin).hexdigest()}}}}}\n")
    (folder / "twin.tflite").write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    model = load_model(folder)
    whys = [one.why for one in measured(model).absent if one.name == "litert"]
    assert len(whys) == 1
    assert "twin.tflite: is not the file that the card names for litert" in whys[0]
    (folder / "twin.tflite").write_bytes(twin)
    names = [part["name"] for part in engines_report(measured(model))["parts"]]
    assert "litert/cpu x1" in names
    assert "litert/cpu x1 (twin.tflite)" in names
    assert len(set(names)) == len(names)
