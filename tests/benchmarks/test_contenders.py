"""The comparison of scripts/bench: one model for all, one source for all, and rows that add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from benchmarks.contender import Frame, Job, Outcome, Source, parse_job
from benchmarks.contenders import (
    MEDIAPIPE,
    NAIVE,
    Contender,
    ContenderError,
    child,
    known_contenders,
    measure,
    windows_of_photos,
)
from benchmarks.mediapipe_live import Live
from benchmarks.rows import LIMIT, Round, rows_of, table
from benchmarks.uint8_model import uint8_build, write_uint8_package
from numpy.typing import NDArray

SHIPPED = Path(__file__).parents[2] / "models" / "efficientnet_lite0_int8"
CATS = {281, 282, 283, 284, 285}
ESPRESSO = {967}
OUTCOME = Outcome(30, 100, [1, 2, 3], cpu_ms=2, resident_bytes=1_000_000, answers=[1], versions={})


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.ns = 1_000

    def now_ns(self) -> int:
        """The time."""
        return self.ns

    def sleep(self, seconds: float) -> None:
        """Pass it."""
        self.ns += round(seconds * 1e9)


def answer_of(tflite: bytes, tensor: NDArray[Any]) -> NDArray[Any]:
    """The model's raw output."""
    interpreter = Interpreter(model_content=tflite, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def frame(captured_ms: int) -> Frame:
    """A frame of nothing, captured then."""
    return Frame(0, np.zeros((2, 2, 3), np.uint8), captured_ms * 1_000_000)


def result(best: int) -> SimpleNamespace:
    """As MediaPipe tells it."""
    return SimpleNamespace(classifications=[SimpleNamespace(categories=[SimpleNamespace(index=best)])])


def test_the_uint8_build_answers_every_picture_as_the_original() -> None:
    """All contenders run the shipped network: with uint8 ends it says the same, bit for bit."""
    original = (SHIPPED / "model.tflite").read_bytes()
    built = uint8_build(original)
    for picture in windows_of_photos((224, 224)):
        signed = answer_of(original, (picture.astype(np.int16) - 128).astype(np.int8)[np.newaxis])
        unsigned = answer_of(built, picture[np.newaxis])
        assert unsigned.dtype == np.uint8
        assert (unsigned.astype(np.int16) - 128 == signed).all()
        assert len(np.unique(signed)) > 20


def test_a_model_that_is_not_int8_gets_no_uint8_build(tiny: ModuleType) -> None:
    """A comparison on a network of other numbers is none."""
    with pytest.raises(ValueError, match="is not int8"):
        uint8_build(tiny.make(tiny.Tiny(dtype="float32")))


def test_the_pictures_are_the_same_each_time_and_differ_from_each_other() -> None:
    """Every contender, in every run, sees one fixed sequence of the asked size."""
    pictures = windows_of_photos((640, 480))
    assert pictures.shape[1:] == (480, 640, 3)
    assert (pictures == windows_of_photos((640, 480))).all()
    assert len({picture.tobytes() for picture in pictures}) == len(pictures) > 4


def test_the_source_waits_for_a_frame_and_gives_the_newest_after_a_delay() -> None:
    """A contender that was busy gets the newest frame, as old as it is; one that waits gets a fresh one."""
    clock = Clock()
    source = Source(np.zeros((4, 1, 1, 3), np.uint8), 100, now_ns=clock.now_ns, sleep=clock.sleep)
    assert source.next().captured_ns == 1_000
    assert source.next().captured_ns == clock.ns == 10_001_000
    clock.sleep(0.033)
    late = source.next()
    assert (late.picture, late.captured_ns) == (0, 40_001_000)
    assert clock.ns == 43_001_000
    assert source.next().picture == 1


def test_without_a_rate_the_source_gives_a_fresh_frame_at_once() -> None:
    """How many a contender can do is not limited by the source."""
    clock = Clock()
    source = Source(np.zeros((2, 1, 1, 3), np.uint8), 0, now_ns=clock.now_ns, sleep=clock.sleep)
    assert [source.next().picture for _ in range(3)] == [0, 1, 0]
    assert source.next().captured_ns == clock.ns == 1_000


def test_a_job_survives_its_command_line() -> None:
    """The child does what the parent asked for."""
    job = Job(Path("a.tflite"), Path("b.npy"), fps=12.5, seconds=0.25, threads=3)
    assert parse_job(None, job.arguments) == job


def test_ratios_are_taken_within_a_round() -> None:
    """A round on a slow machine is compared with the limit of that same round."""
    paced = [replace(OUTCOME, ages_ms=[a], cpu_ms=a + 1) for a in (4.0, 30.0, 5.0)]
    fastest = [replace(OUTCOME, fps_out=f) for f in (250.0, 25.0, 300.0)]
    limits = [replace(OUTCOME, ages_ms=[a], fps_out=f) for a, f in ((2.0, 500.0), (20.0, 50.0), (2.0, 400.0))]
    limit, row = rows_of(
        {
            LIMIT: [Round(one, one) for one in limits],
            "other": [Round(*pair) for pair in zip(paced, fastest, strict=True)],
        }
    )
    assert (limit.times_invoke, limit.share_of_invoke) == (1, 1)
    assert (row.age_ms, row.age_span_ms, row.cpu_ms, row.most_fps) == (5, (4, 30), 6, 250)
    assert (row.times_invoke, row.share_of_invoke) == (2, 0.5)


def test_the_99th_percentile_is_of_the_paced_run() -> None:
    """Ages of a saturated run are no ages of 30 fps."""
    paced = replace(OUTCOME, ages_ms=[float(n) for n in range(101)])
    (row,) = rows_of({LIMIT: [Round(paced, replace(OUTCOME, ages_ms=[900.0]))]})
    assert row.p99_ms == pytest.approx(99)


def test_the_table_has_a_line_and_all_figures_for_each_row() -> None:
    """What goes into docs/latency.md is Markdown whose columns fit their heads."""
    rows = rows_of({LIMIT: [Round(OUTCOME, OUTCOME)], "other": [Round(OUTCOME, OUTCOME)]})
    lines = table(rows).splitlines()
    assert [line.count("|") for line in lines] == [9] * 4
    assert lines[3] == "| other | 2.00 (2.00 to 2.00) | 2.98 | 1.00 | 2.00 | 100 | 1.00 | 1 |"


def test_what_cannot_be_installed_is_skipped_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine without network or wheels still measures the rest, and says what is missing and why."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    names = [one.name for one in known_contenders(folder=tmp_path)]
    assert names[0] == LIMIT
    assert not {NAIVE, MEDIAPIPE} & set(names)
    said = capsys.readouterr().err
    assert f"SKIPPED: {MEDIAPIPE}: mediapipe==" in said
    assert f"SKIPPED: {NAIVE}: ai-edge-litert==" in said


def test_a_contender_that_fails_is_left_out_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    """One that falls does not take the table with it, and is not run again."""
    asked: list[float] = []

    def fall(job: Job) -> Outcome:
        asked.append(job.fps)
        raise ContenderError("libEGL.so.1: cannot open shared object file")

    contenders = [Contender(LIMIT, lambda _: OUTCOME), Contender("fallen", fall)]
    rows = measure(contenders, repeats=2, model=Path("none.tflite"), size_px=(64, 48))
    assert [row.contender for row in rows] == [LIMIT]
    assert asked == [30]
    assert "SKIPPED: fallen: libEGL.so.1: cannot open shared object file" in capsys.readouterr().err


def test_without_the_limit_there_is_no_comparison() -> None:
    """A ratio to nothing is not printed."""

    def fall(_: Job) -> Outcome:
        raise ContenderError("no engine")

    with pytest.raises(ContenderError, match="no engine"):
        measure([Contender(LIMIT, fall)], repeats=1, model=Path("none.tflite"), size_px=(64, 48))


def test_contenders_run_by_turns() -> None:
    """What slows the machine for a while slows all of them."""
    turns: list[tuple[str, float]] = []

    def noting(name: str) -> Contender:
        def run(job: Job) -> Outcome:
            turns.append((name, job.fps))
            return OUTCOME

        return Contender(name, run)

    measure([noting(LIMIT), noting("b")], repeats=2, fps=30, model=Path("none.tflite"), size_px=(64, 48))
    assert turns == [(LIMIT, 30), (LIMIT, 0), ("b", 30), ("b", 0)] * 2


def test_a_child_says_the_last_words_of_its_failure(tmp_path: Path) -> None:
    """The reason is the child's own."""
    pictures = tmp_path / "pictures.npy"
    np.save(pictures, windows_of_photos((64, 48)))
    with pytest.raises(ContenderError, match=r"none\.tflite"):
        child(LIMIT, "bare_invoke").run(Job(tmp_path / "none.tflite", pictures, fps=0, seconds=0.1))


def test_edgecam_s_chain_names_what_the_pictures_show(tmp_path: Path) -> None:
    """The contenders do the real work: cats and espresso by turns, one age per answer."""
    pictures = tmp_path / "pictures.npy"
    np.save(pictures, windows_of_photos((640, 480)))
    model = write_uint8_package(SHIPPED, tmp_path / "model")
    outcome = child("chain", "edgecam_chain").run(Job(model, pictures, fps=0, seconds=0.5))
    assert outcome.ages_ms
    assert min(outcome.ages_ms) > 0
    answered = [(number, best) for number, best in enumerate(outcome.answers) if best is not None]
    assert answered
    for number, best in answered:
        assert best in (ESPRESSO if number % 2 else CATS)


def test_an_answer_of_mediapipe_belongs_to_its_own_frame() -> None:
    """Frames that its flow limiter dropped are not taken for answered, and no later frame for theirs."""
    noted: list[tuple[Frame, int]] = []
    live = Live(Job(Path(), Path(), fps=30, seconds=1), lambda one, best: noted.append((one, best)))
    frames = [frame(10), frame(20), frame(30)]
    stamps: list[int] = []
    for one in frames:
        live.hand_over(one, lambda _, stamp_ms: stamps.append(stamp_ms))
    live.heard(result(7), None, stamps[1])
    live.heard(result(8), None, stamps[2])
    assert noted == [(frames[1], 7), (frames[2], 8)]


def test_mediapipe_s_time_stamps_always_rise() -> None:
    """It refuses a stamp twice, and above 1000 frames a second milliseconds repeat."""
    live = Live(Job(Path(), Path(), fps=2000, seconds=1), lambda *_: None)
    stamps: list[int] = []
    for captured_ms in (10, 10, 10, 15):
        live.hand_over(frame(captured_ms), lambda _, stamp_ms: stamps.append(stamp_ms))
    assert stamps == [10, 11, 12, 15]
