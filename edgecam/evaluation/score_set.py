"""Asks a model of a set of labelled pictures, by the path of a camera's frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.errors import ModelError, SourceError
from edgecam.evaluation.cluster import score_on_cluster
from edgecam.evaluation.parallel import score_in_processes
from edgecam.evaluation.pictures import PictureSet
from edgecam.evaluation.scores import Scores, Unreadable
from edgecam.evaluation.scoring import Lot, ScoredLot, Scorer, ScoringOrder
from edgecam.model.model import Model
from edgecam.model.store import bare_model, load_model

# Small enough that progress is seen and the last process does not keep all others waiting.
_LOT_PICTURES = 16
# Below that, a process takes longer to start than it saves.
_WORTH_A_PROCESS_PICTURES = 128


def score_pictures(
    model: Path | Model,
    pictures: PictureSet,
    *,
    processes: int | None = None,
    engine: str = "auto",
    threads: int = 1,
    dask: str | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Scores:
    """Classify every picture as a camera's frame is classified; the result does not depend on `processes`.

    Each process opens an engine of its own.

    Args:
        model: a model directory or a bare file, or what was loaded of one.
        pictures: from `read_picture_set`, with the model's labels.
        processes: None: one per core, but no more than the pictures are worth.
        engine: its name; `auto` chooses by the model's file and by what is installed.
        threads: of each engine.
        dask: the address of a Dask scheduler, whose workers then do it, in the place of own processes.
        told: hears from time to time how many pictures are done, and of how many.

    Raises:
        ModelError: the model cannot be used, or its labels are not those of the pictures.
        EngineError: no engine runs it, or a process ended.
        UnusableError: the cluster cannot be used.
        SourceError: none of the pictures can be read.
    """
    loaded = load(model)
    if pictures.members is None and loaded.labels != pictures.labels:
        raise ModelError(
            f"{loaded.path}: the pictures were labelled for another model: it has {len(loaded.labels)} "
            f"labels, they have {len(pictures.labels)}; read the set with its labels"
        )
    # Processes run elsewhere, where a relative path would lead to nothing.
    order = ScoringOrder(replace(loaded, path=loaded.path.absolute()), engine, threads)
    lots = lots_of(pictures)
    count = min(processes or _processes_for(len(pictures.pictures)), len(lots))
    if dask is not None:
        scored = score_on_cluster(order, lots, address=dask)
    elif count > 1:
        scored = score_in_processes(order, lots, processes=count)
    else:
        scored = _score_here(order, lots)
    return gather(pictures, scored, told=told)


def load(model: Path | Model) -> Model:
    """The model of a directory or a bare file; raises ModelError."""
    if isinstance(model, Model):
        return model
    return load_model(model) if model.is_dir() else bare_model(model)


def lots_of(pictures: PictureSet) -> list[Lot]:
    """The set in small lots, its order kept."""
    paths = [picture.path.absolute() for picture in pictures.pictures]
    return [tuple(paths[start : start + _LOT_PICTURES]) for start in range(0, len(paths), _LOT_PICTURES)]


def gather(
    pictures: PictureSet,
    scored: Iterator[tuple[int, ScoredLot]],
    *,
    told: Callable[[int, int], None] | None = None,
) -> Scores:
    """Put together what became of the lots of a set, in whatever order they come.

    Raises:
        SourceError: none of the pictures can be read.
    """
    total = len(pictures.pictures)
    sums = _sums_for(pictures)
    engines: set[str] = set()
    probabilities = np.zeros((total, len(pictures.labels)), np.float32)
    faults: dict[int, str] = {}
    done = 0
    for number, lot in scored:
        start = number * _LOT_PICTURES
        engines.add(lot.engine)
        probabilities[start : start + len(lot.probabilities)] = sums(lot.probabilities)
        faults |= {start + place: fault for place, fault in lot.faults.items()}
        done += len(lot.probabilities)
        if told is not None:
            told(done, total)
    if len(faults) == total:
        first = f"; the first: {faults[0]}" if faults else ""
        raise SourceError(f"{pictures.root}: none of the {total} pictures can be read{first}")
    names = [pictures.name_of(picture) for picture in pictures.pictures]
    readable = [place for place in range(len(names)) if place not in faults]
    return Scores(
        labels=pictures.labels,
        names=tuple(names[place] for place in readable),
        truth=np.array([pictures.pictures[place].label for place in readable], np.int64),
        probabilities=_closed_up(probabilities, readable),
        unreadable=tuple(Unreadable(names[place], fault) for place, fault in sorted(faults.items())),
        engine=", ".join(sorted(engines)),
    )


def _closed_up(probabilities: NDArray[np.float32], readable: Sequence[int]) -> NDArray[np.float32]:
    """The rows that are readable, moved up over the others: a copy would take all their memory again."""
    for place, row in enumerate(readable):
        if row > place:
            probabilities[place] = probabilities[row]
    return probabilities[: len(readable)]


def _sums_for(pictures: PictureSet) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """From (pictures, model's classes) to (pictures, set's classes), as a camera's watchlist sums."""
    if pictures.members is None:
        return lambda probabilities: probabilities
    *members, _ = pictures.members
    # Groups may have classes in common, which `other` lacks but once.
    named = {f"{place}": classes for place, classes in enumerate(members)}
    named["all"] = tuple({index for classes in members for index in classes})
    watchlist = Watchlist((), named, watch=dict.fromkeys(named, Threshold()))

    def sums(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        found = np.array([watchlist.scores(row) for row in probabilities], np.float32)
        found[:, -1] = 1 - found[:, -1]
        return found

    return sums


def _score_here(order: ScoringOrder, lots: Sequence[Lot]) -> Iterator[tuple[int, ScoredLot]]:
    with Scorer(order) as score:
        for number, lot in enumerate(lots):
            yield number, score(lot)


def _processes_for(count: int) -> int:
    """One per core that this process may use, but none without enough to do."""
    return max(1, min(len(os.sched_getaffinity(0)), count // _WORTH_A_PROCESS_PICTURES))
