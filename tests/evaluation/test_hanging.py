"""A process that hangs over a picture does not hang the evaluation: counted by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as really_wait
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgecam.config.shipped import shipped_folder
from edgecam.errors import EngineError
from edgecam.evaluation import parallel
from edgecam.evaluation.scoring import ScoringOrder
from edgecam.model.store import load_model

LOOKS = round(parallel._PATIENCE_S / parallel._LOOK_S)
"""So often it is looked in vain until a process is given up."""

# What it says after it got its order and its lot; then it stays.
CHILD = """
import sys
from multiprocessing.connection import Connection
line = Connection(int(sys.argv[1]))
line.recv_bytes(), line.recv_bytes()
for said in {says}:
    line.send(said)
try:
    line.recv_bytes()
except EOFError:
    pass
"""


def score(
    monkeypatch: pytest.MonkeyPatch,
    *,
    says: list[object],
    looks: Iterable[int],
    look_s: float = parallel._LOOK_S,
) -> list[object]:
    """What comes of one lot of two pictures.

    Args:
        monkeypatch: pytest's.
        says: what the process says.
        looks: how often it is looked for each of these in vain, before it is heard.
        look_s: what passes from one look to the next.
    """
    heard = iter([hears for vain in looks for hears in (*[False] * vain, True)])

    def look(lines: list[Connection], timeout_s: float) -> list[object]:
        assert timeout_s == parallel._LOOK_S
        return list(really_wait(lines)) if next(heard) else []

    clock_s = count(step=look_s)
    monkeypatch.setattr(parallel, "wait", look)
    monkeypatch.setattr(parallel, "time", SimpleNamespace(monotonic=lambda: next(clock_s)))
    monkeypatch.setattr(parallel, "_MAIN", CHILD.format(says=says))
    model = load_model(shipped_folder() / "models" / "efficientnet_lite0_160_int8")
    lots = [(Path("/pictures/a.jpg"), Path("/pictures/b.jpg"))]
    return list(parallel.score_in_processes(ScoringOrder(model, "auto", 1), lots, processes=1))


def test_a_process_that_hangs_over_a_picture_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is named, and the process ends."""
    with pytest.raises(EngineError, match=r"hangs at /pictures/b\.jpg: .*10 minutes.*another --engine"):
        score(monkeypatch, says=[0, 1], looks=[0, 0, LOOKS])


def test_an_engine_that_hangs_while_it_opens_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture can be named but the first that it was to see."""
    with pytest.raises(EngineError, match=r"hangs before the 2 pictures from /pictures/a\.jpg on"):
        score(monkeypatch, says=[], looks=[LOOKS])


def test_slow_pictures_are_waited_for_each_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a lot of them takes: each has the whole patience."""
    done = score(monkeypatch, says=[0, 1, "scored"], looks=[LOOKS - 1, LOOKS - 1, LOOKS - 1])
    assert done == [(0, "scored")]


def test_time_in_which_nobody_looked_hardly_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspended container has not hung, and its processes go on when it does."""
    done = score(monkeypatch, says=["scored"], looks=[LOOKS - 1], look_s=86_400)
    assert done == [(0, "scored")]
