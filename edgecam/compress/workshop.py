"""Does the jobs of a recipe's chain, and measures what they gave, by the path that a camera's frames take."""

from __future__ import annotations

import gzip
import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edgecam.compress.calibration import digest_of_pictures, find_pictures
from edgecam.compress.chain import Job, Told
from edgecam.compress.extra import versions
from edgecam.compress.picture_sets import (
    check_apart,
    check_learnable,
    check_readable,
    left_out,
    read_apart,
    tally,
)
from edgecam.compress.recipe_file import LoadedRecipe, unlabelled_of
from edgecam.compress.results import Measured
from edgecam.compress.steps import Maker, Order
from edgecam.evaluation.metrics import accuracy_of
from edgecam.evaluation.pictures import PictureSet
from edgecam.evaluation.score_set import score_pictures
from edgecam.model.arena import arena_of
from edgecam.model.digests import digest_of
from edgecam.model.graph import read_graph
from edgecam.model.pull import Prove
from edgecam.model.store import load_model

MODEL_FOLDER = "model"
"""In a job's folder: the model directory that it made."""
# Of a job, its last tenth.
_MEASURING_FROM = 0.9


class RealWorkshop:
    """As `chain.Workshop`, with real networks and pictures.

    Args:
        loaded: the recipe.
        prove: runs a model once before it is believed.

    Raises:
        SourceError: the pictures cannot be used.
        ModelError: a file of weights cannot be read.
    """

    def __init__(self, loaded: LoadedRecipe, prove: Prove) -> None:
        self._train, self._test = read_apart(loaded.train, loaded.test)
        check_learnable(self._train, loaded.train)
        recipe = loaded.recipe
        self._maker = Maker(
            self._train, folder=loaded.folder, licence=recipe.licence, origin=recipe.source, prove=prove
        )
        self._unlabelled = {
            name: find_pictures(folder, most=sys.maxsize)
            for name, folder in unlabelled_of(recipe, loaded.folder).items()
        }
        for name, paths in self._unlabelled.items():
            check_apart(paths, self._test, what=f"the unlabelled pictures of {name}")
        # A file at the same path may be another one tomorrow.
        self._weights = {
            name: digest_of(loaded.folder / step.transfer.weights)
            for name, step in recipe.steps.items()
            if step.transfer is not None and step.transfer.weights is not None
        }
        self._test_is_readable = False

    def words(self) -> Iterator[str]:
        """What is to be told of the pictures: how many each class has, and of files that are none."""
        yield tally(self._train)
        for pictures in (self._train, self._test):
            yield from left_out(pictures)

    def facts(self) -> dict[str, Any]:
        """What every result depends on: `pictures`, `versions`, and `weights` if the recipe names files."""
        pictures = {"train": _identity(self._train), "test": _identity(self._test)}
        for name, paths in self._unlabelled.items():
            pictures[f"unlabelled of {name}"] = {"count": len(paths), "sha256": digest_of_pictures(paths)}
        weights = {"weights": self._weights} if self._weights else {}
        return {"pictures": pictures, **weights, "versions": versions()}

    def make(self, job: Job, folder: Path, told: Told) -> tuple[str, ...]:
        """As `Workshop.make`."""
        if not self._test_is_readable:
            told(0, "reading test pictures")
            check_readable(self._test)
            self._test_is_readable = True
        order = Order(
            step=job.step,
            place=folder / MODEL_FOLDER,
            source=None if job.source is None else job.source / MODEL_FOLDER,
            teacher=None if job.teacher is None else job.teacher / MODEL_FOLDER,
            seed=job.seed,
        )
        return self._maker(order, lambda share, what: told(_MEASURING_FROM * share, what))

    def measure(self, folder: Path, told: Told) -> Measured:
        """As `Workshop.measure`."""
        model = load_model(folder / MODEL_FOLDER)

        def scored(done: int, count: int) -> None:
            told(_MEASURING_FROM + (1 - _MEASURING_FROM) * done / max(count, 1), "scoring test pictures")

        scores = score_pictures(model, self._test, told=scored)
        graph = read_graph(model.path)
        data = model.path.read_bytes()
        arena = arena_of(graph.subgraphs[0])
        return Measured(
            accuracy=accuracy_of(scores),
            pictures=len(scores.truth),
            parameters=graph.parameters,
            macs=graph.macs,
            bytes=len(data),
            gz_bytes=len(gzip.compress(data, mtime=0)),
            arena_bytes=None if arena is None else arena.bytes,
        )


def _identity(pictures: PictureSet) -> dict[str, Any]:
    lines: Iterable[str] = sorted(
        f"{digest_of(entry.path)} {pictures.labels[entry.label]}\n" for entry in pictures.pictures
    )
    return {
        "count": len(pictures.pictures),
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
    }
