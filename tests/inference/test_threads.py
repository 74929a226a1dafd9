"""How many threads an engine gets: the rule, the measurement, and what is remembered of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecam.errors import EngineError
from edgecam.inference.engine import EngineInfo
from edgecam.inference.thread_rule import candidates, choose
from edgecam.inference.thread_store import Place, ThreadStore
from edgecam.inference.threads import ThreadChoice
from edgecam.model.model import Model
from edgecam.model.store import load_model
from edgecam.records import TensorSpec

MS = 1_000_000
SHIPPED = Path(__file__).parents[2] / "models" / "efficientnet_lite0_int8"


@pytest.mark.parametrize(
    ("median_ms", "cores", "threads"),
    [
        ({1: 10.0}, 1, 1),
        ({1: 10.0, 2: 6.0, 3: 5.5, 4: 5.0}, 4, 2),  # 6.0 is within 10 % of 5.5
        ({1: 10.0, 2: 6.0, 3: 4.0, 4: 3.1}, 4, 3),  # the last core takes off less than 25 %
        ({1: 10.0, 2: 6.0, 3: 4.0, 4: 2.9}, 4, 4),
        ({1: 10.0, 2: 7.6}, 2, 1),
        ({1: 10.0, 2: 7.5}, 2, 2),
        ({1: 10.0, 2: 12.0, 3: 15.0}, 8, 1),
        ({2: 5.0}, 2, 2),  # nothing else was measured
    ],
)
def test_the_fewest_threads_that_serve_well_are_chosen(
    median_ms: dict[int, float], cores: int, threads: int
) -> None:
    """A core is left to capture and MQTT, unless the network gains much by it."""
    assert choose(median_ms, cores=cores) == threads


@pytest.mark.parametrize(
    ("cores", "tried"), [(0, [1]), (1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (64, [1, 2, 3, 4])]
)
def test_no_more_threads_are_tried_than_there_are_cores_and_never_more_than_four(
    cores: int, tried: list[int]
) -> None:
    """Small networks gain nothing beyond; the start is to be quick."""
    assert list(candidates(cores)) == tried


class Made:
    """Engines on a made clock, of which each inference takes `inference_ms(threads)`."""

    def __init__(self, inference_ms: Callable[[int], float], *, info: EngineInfo | None = None) -> None:
        """Opening one takes 10 ms."""
        self.now_ns = 0
        self.inference_ms = inference_ms
        self.info = info or EngineInfo("litert", "2.3.0", "cpu", 1)
        self.opened: list[int] = []
        self.open_now = 0
        self.refused = set[int]()

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now_ns += int(seconds * 1e9)

    def open_with(self, threads: int) -> MadeEngine:
        """As `open_engine`."""
        if threads in self.refused:
            raise EngineError("refused")
        self.opened.append(threads)
        self.open_now += 1
        self.now_ns += 10 * MS
        return MadeEngine(self, threads)

    def choice(self, path: Path, *, board: str = "board", cores: int = 4) -> ThreadChoice:
        """A new process on it."""
        self.opened.clear()
        return ThreadChoice(
            ThreadStore(path), board=board, cores=cores, read_ns=lambda: self.now_ns, sleep=self.sleep
        )


class MadeEngine:
    """One of them."""

    input = TensorSpec("in", (1, 224, 224, 3), "int8", 0.0078125, 0)
    output = TensorSpec("out", (1, 1000), "int8", 1.0, 0)

    def __init__(self, made: Made, threads: int) -> None:
        """Open."""
        self._made = made
        self.info = replace(made.info, threads=threads)
        self._is_open = True

    def invoke(self, _tensor: NDArray[Any], /) -> NDArray[Any]:
        """Takes its time."""
        assert self._is_open
        self._made.now_ns += int(self._made.inference_ms(self.info.threads) * MS)
        return np.zeros(1000, np.int8)

    def close(self) -> None:
        """Let it go."""
        self._made.open_now -= self._is_open
        self._is_open = False

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


@pytest.fixture(scope="module")
def model() -> Model:
    """The shipped one, for its card and hash."""
    return load_model(SHIPPED)


def shared(threads: int) -> float:
    """Each core helps a little less."""
    return 20 + 60 / threads


def test_the_first_start_measures_and_the_next_ones_remember(model: Model, tmp_path: Path) -> None:
    """Once for a board: the one engine that serves is left, and a new process opens it straight away."""
    made = Made(shared)
    file = tmp_path / "state" / "threads.json"
    choice = made.choice(file)
    assert choice.open(model, made.open_with, may_measure=True).info.threads == 3
    assert sorted(set(made.opened)) == [1, 2, 3, 4]
    assert made.open_now == 1
    for again in (choice, made.choice(file)):
        made.opened.clear()
        assert again.open(model, made.open_with, may_measure=True).info.threads == 3
        assert made.opened == [3]
    assert file.stat().st_mode & 0o077 == 0


def test_measuring_takes_no_longer_than_three_seconds_and_one_call(model: Model, tmp_path: Path) -> None:
    """A slow model on a slow board starts all the same, by the number of cores; also that is remembered."""
    made = Made(lambda _: 1100.0)
    assert (
        made.choice(tmp_path / "threads.json").open(model, made.open_with, may_measure=True).info.threads == 3
    )
    assert made.now_ns <= 4_000 * MS
    assert (
        made.choice(tmp_path / "threads.json").open(model, made.open_with, may_measure=True).info.threads == 3
    )
    assert made.opened == [3]


def test_a_measurement_that_is_cut_short_goes_by_its_whole_rounds(model: Model, tmp_path: Path) -> None:
    """A moment of calm in the round that was cut would favour those that it fell on."""
    later = iter((1.0, 2000.0))
    left = dict.fromkeys((1, 2, 3, 4), True)

    def takes_ms(threads: int) -> float:
        return 9 * shared(threads) if left.pop(threads, False) else next(later)

    made = Made(takes_ms)
    assert (
        made.choice(tmp_path / "threads.json").open(model, made.open_with, may_measure=True).info.threads == 3
    )
    assert next(later, None) is None


@pytest.mark.parametrize(
    "changed",
    [{"board": "another"}, {"cores": 3}, {"info": EngineInfo("litert", "2.4.0", "cpu", 1)},
     {"info": EngineInfo("tflite-runtime", "2.3.0", "cpu", 1)}],
)  # fmt: skip
def test_another_board_runtime_or_number_of_cores_is_measured_anew(
    model: Model, tmp_path: Path, changed: dict[str, Any]
) -> None:
    """A card that moves to another board, a cgroup, an upgrade: what was fast there need not be here."""
    file = tmp_path / "threads.json"
    made = Made(shared)
    made.choice(file).open(model, made.open_with, may_measure=True)
    moved = Made(lambda threads: 10.0 * threads, info=changed.pop("info", None))
    assert moved.choice(file, **changed).open(model, moved.open_with, may_measure=True).info.threads == 1
    assert len(set(moved.opened)) > 1
    # The first is not forgotten for it.
    again = made.choice(file)
    assert again.open(model, made.open_with, may_measure=True).info.threads == 3
    assert 4 not in made.opened


def test_one_that_frames_wait_for_is_not_measured(model: Model, tmp_path: Path) -> None:
    """The lighter model of a ladder: another one's number has to do, and is not taken for its own."""
    file = tmp_path / "threads.json"
    made = Made(lambda threads: 60 / threads)
    light = replace(model, sha256="light")
    assert made.choice(file).open(light, made.open_with, may_measure=False).info.threads == 3
    made.inference_ms = lambda threads: 20 + 60 / threads**2
    assert made.choice(file, cores=3).open(model, made.open_with, may_measure=True).info.threads == 2
    assert made.choice(file, cores=3).open(light, made.open_with, may_measure=False).info.threads == 2
    assert made.opened == [2]
    made.inference_ms = lambda threads: 10.0 * threads
    assert made.choice(file, cores=3).open(light, made.open_with, may_measure=True).info.threads == 1
    assert made.choice(file, cores=3).open(light, made.open_with, may_measure=False).info.threads == 1
    assert made.choice(file, cores=3).open(model, made.open_with, may_measure=False).info.threads == 2
    assert made.opened == [2]


def test_an_accelerator_is_opened_once_and_not_measured(model: Model, tmp_path: Path) -> None:
    """It may belong to one user at a time, and threads are nothing to it."""
    made = Made(shared, info=EngineInfo("hailort", "4", "hailo", 1))
    made.choice(tmp_path / "threads.json").open(model, made.open_with, may_measure=True)
    assert len(made.opened) == 1
    assert not (tmp_path / "threads.json").exists()


def test_a_number_of_threads_that_is_refused_is_passed_over(model: Model, tmp_path: Path) -> None:
    """What serves with fewer must not fail for the sake of a measurement."""
    made = Made(shared)
    made.refused = {1, 4}
    assert (
        made.choice(tmp_path / "threads.json").open(model, made.open_with, may_measure=True).info.threads == 3
    )
    assert made.open_now == 1


def test_an_engine_that_fails_while_it_is_measured_leaves_none_open(model: Model, tmp_path: Path) -> None:
    """The worker tries again later; nothing is held until then, and nothing remembered."""

    def fails(_: int) -> float:
        raise EngineError("failed")

    made = Made(fails)
    with pytest.raises(EngineError, match="failed"):
        made.choice(tmp_path / "threads.json").open(model, made.open_with, may_measure=True)
    assert made.open_now == 0
    assert not (tmp_path / "threads.json").exists()


def test_a_folder_that_cannot_be_written_costs_only_the_next_process_a_measurement(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """This one remembers without a file: a reload does not measure."""
    made = Made(shared)
    (tmp_path / "file").touch()
    choice = made.choice(tmp_path / "file" / "threads.json")
    choice.open(model, made.open_with, may_measure=True)
    assert "threads cannot be remembered" in caplog.text
    made.opened.clear()
    assert choice.open(model, made.open_with, may_measure=True).info.threads == 3
    assert made.opened == [3]


PLACE = Place("ab" * 32, "litert", "2.3.0", "board", 4)
ROW = {
    "sha256": "ab" * 32,
    "runtime": "litert",
    "version": "2.3.0",
    "board": "board",
    "cores": 4,
    "threads": 2,
}


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", json.dumps({"measured": [ROW]}).encode() + b" " * 1_000_000,
     b'{"measured": 1}', b'{"measured": [1]}', b"[" * 100_000,
     *(json.dumps({"measured": [{**ROW, **wrong}]}).encode()
       for wrong in ({"threads": 0}, {"threads": 65}, {"threads": True}, {"threads": "2"}, {"more": 1},
                     {"board": ["a"]}))],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path, content: bytes) -> None:
    """Whatever is in it, edgecam starts; what is measured then takes its place."""
    path = tmp_path / "threads.json"
    path.write_bytes(content)
    store = ThreadStore(path)
    assert store.recall(PLACE) is None
    store.keep(PLACE, 2)
    assert ThreadStore(path).recall(PLACE) == 2
    assert json.loads(path.read_bytes()) == {"measured": [ROW]}
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_in_the_files_place_is_passed_over(tmp_path: Path) -> None:
    """Reading it would wait for a writer, for ever."""
    path = tmp_path / "threads.json"
    os.mkfifo(path)
    assert ThreadStore(path).recall(PLACE) is None


def test_the_file_forgets_the_oldest_beyond_a_hundred(tmp_path: Path) -> None:
    """Models come and go for years."""
    path = tmp_path / "threads.json"
    store = ThreadStore(path)
    for number in range(101):
        store.keep(replace(PLACE, sha256=str(number)), 2)
    fresh = ThreadStore(path)
    assert fresh.recall(replace(PLACE, sha256="0")) is None
    assert fresh.recall(replace(PLACE, sha256="1")) == 2
    assert fresh.recall(replace(PLACE, sha256="100")) == 2
