"""What one process does: open an engine, and score pictures in small lots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import UnreadableFrame
from edgecam.evaluation.classifier import Classifier
from edgecam.inference.engine import open_engine
from edgecam.inference.habits import ClosedAfterUse
from edgecam.model.model import Model

Lot = tuple[Path, ...]
"""Pictures that are scored at one go; their paths are absolute, since processes may run elsewhere."""


@dataclass(frozen=True, slots=True)
class ScoringOrder:
    """What is to be opened."""

    model: Model
    engine: str
    threads: int


@dataclass(frozen=True, slots=True, eq=False)
class ScoredLot:
    """What became of a lot."""

    probabilities: NDArray[np.float32]
    """(pictures, classes), each 0..1; zeros for what could not be read."""
    faults: dict[int, str]
    """Why not, by the place in the lot."""
    engine: str
    """What ran it."""


class Scorer(ClosedAfterUse):
    """An open engine that scores lots; for one thread at a time.

    Raises:
        EngineError: none runs the model.
    """

    def __init__(self, order: ScoringOrder) -> None:
        self._classes = len(order.model.labels)
        self._engine = open_engine(order.model, engine=order.engine, threads=order.threads)
        self._see = Classifier(order.model, self._engine, top=1)

    def __call__(self, lot: Sequence[Path], *, told: Callable[[int], None] | None = None) -> ScoredLot:
        """Score each picture.

        Args:
            lot: the pictures.
            told: hears the place of each before it is looked at.

        Raises:
            EngineError: the engine fails.
        """
        scored = ScoredLot(np.zeros((len(lot), self._classes), np.float32), {}, self._engine.info.name)
        for place, path in enumerate(lot):
            if told is not None:
                told(place)
            try:
                # Rounding may leave 0..1 by a little.
                np.clip(self._see(path).probabilities, 0, 1, out=scored.probabilities[place])
            except UnreadableFrame as fault:
                scored.faults[place] = str(fault)
        return scored

    def close(self) -> None:
        """Let the engine go."""
        self._engine.close()
