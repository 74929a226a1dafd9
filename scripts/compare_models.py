"""Compare models of the same labels on your own pictures: how often they agree, and how fast they are.

    .venv/bin/python scripts/compare_models.py PICTURES efficientnet_lite0_int8 efficientnet_lite0_160_int8

PICTURES is a folder; they take the path of a camera's frames. invoke() is timed in turn, with one thread.
The first model is the reference. Agreement with it is not accuracy: it tells what changes when another
model takes its place.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam.capture.images import list_pictures
from edgecam.errors import EdgecamError
from edgecam.evaluation.classifier import Classifier
from edgecam.inference.engine import Engine, open_engine
from edgecam.model.model import Model
from edgecam.model.store import find_model, load_model

_TOP = 5
_BLOCKS = 30
_BLOCK = 20


def main() -> int:
    """Compare and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path, help="a folder of pictures")
    parser.add_argument("models", nargs="+", help="model directories or names; the first is the reference")
    options = parser.parse_args()
    try:
        models = _load(options.models)
        pictures = list_pictures(options.pictures, shown=str(options.pictures))
        with contextlib.ExitStack() as stack:
            engines = [stack.enter_context(open_engine(model, threads=1)) for model in models]
            scores = [_scores(model, engine, pictures) for model, engine in zip(models, engines, strict=True)]
            times_ms = _invoke_ms(engines)
    except EdgecamError as fault:
        print(f"compare_models: {fault}", file=sys.stderr)
        return 1
    print(f"{len(pictures)} pictures; compared with {models[0].name}")
    print("same answer  in its five  same group  mean score  invoke ms  times as fast  model")
    for model, found, walls_ms in zip(models, scores, times_ms, strict=True):
        ratio = statistics.median(a / b for a, b in zip(times_ms[0], walls_ms, strict=True))
        print(
            f"{_same_answers(scores[0], found):11d}  {_in_top(scores[0], found):11d}  "
            f"{_same_groups(model, scores[0], found):10d}  {found.max(axis=1).mean():10.2f}  "
            f"{statistics.median(walls_ms):9.2f}  {ratio:13.2f}  {model.name}"
        )
    return 0


def _load(names: Sequence[str]) -> list[Model]:
    models = [load_model(find_model(name, folder=Path())) for name in names]
    for model in models[1:]:
        if model.labels != models[0].labels:
            raise EdgecamError(
                f"{model.path.parent}: has not the labels of {models[0].path.parent}; "
                "compare models of the same labels"
            )
    return models


def _scores(model: Model, engine: Engine, pictures: Sequence[Path]) -> NDArray[np.float32]:
    """Probabilities [pictures, classes]."""
    see = Classifier(model, engine, top=1)
    return np.stack([see(path).probabilities for path in pictures])


def _invoke_ms(engines: Sequence[Engine]) -> list[list[float]]:
    """For each engine the median of each block, block by block in turn; the first blocks warm up."""
    rng = np.random.default_rng(1)
    shapes = [(engine.input.shape, np.dtype(engine.input.dtype)) for engine in engines]
    tensors = [rng.integers(0, 128, shape).astype(dtype) for shape, dtype in shapes]
    blocks = [
        [_block_ms(engine, tensor) for engine, tensor in zip(engines, tensors, strict=True)]
        for _ in range(_BLOCKS + 1)
    ]
    return [list(column) for column in zip(*blocks[1:], strict=True)]


def _block_ms(engine: Engine, tensor: NDArray[np.generic]) -> float:
    walls_ms = []
    for _ in range(_BLOCK):
        begun_s = time.perf_counter()
        engine.invoke(tensor)
        walls_ms.append((time.perf_counter() - begun_s) * 1e3)
    return statistics.median(walls_ms)


def _same_answers(reference: NDArray[np.float32], found: NDArray[np.float32]) -> int:
    return int((reference.argmax(axis=1) == found.argmax(axis=1)).sum())


def _in_top(reference: NDArray[np.float32], found: NDArray[np.float32]) -> int:
    """For how many pictures the reference's first answer is among the first five."""
    best = np.argsort(-found, axis=1, kind="stable")[:, :_TOP]
    return int((best == reference.argmax(axis=1)[:, None]).any(axis=1).sum())


def _same_groups(model: Model, reference: NDArray[np.float32], found: NDArray[np.float32]) -> int:
    """For how many pictures the most probable group is the same; 0 without groups."""
    if not model.groups:
        return 0
    first, second = (
        np.stack([scores[:, list(classes)].sum(axis=1) for classes in model.groups.values()])
        for scores in (reference, found)
    )
    return int((first.argmax(axis=0) == second.argmax(axis=0)).sum())


if __name__ == "__main__":
    sys.exit(main())
