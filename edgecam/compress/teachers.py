"""Whose answers a student learns: a checkpoint's, of every picture as changed, or a model directory's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from torch import Tensor

from edgecam.compress.checkpoint import Checkpoint
from edgecam.compress.tensors import Batch, normalised
from edgecam.errors import ModelError, SourceError
from edgecam.evaluation.scoring import Scorer, ScoringOrder
from edgecam.model.store import load_model

_LOT_PICTURES = 16
# Below that a score is rounding; its logarithm would only say how exact.
_LEAST_PROBABILITY = 1e-6


class Teacher(Protocol):
    """Answers for batches."""

    @property
    def described(self) -> Mapping[str, Any]:
        """Who it is, for the record."""
        ...

    def __call__(self, batch: Batch) -> Tensor:
        """Logits of the student's classes, float32 (n, classes), without gradients."""
        ...


class CheckpointTeacher:
    """Sees each picture just as the student does, changed by chance as it is.

    Args:
        checkpoint: the teacher; if it sees a larger side, pictures are enlarged for it.
        labels: the student's; all of them must be among the teacher's.

    Raises:
        ModelError: the teacher does not know one of them.
    """

    def __init__(self, checkpoint: Checkpoint, labels: Sequence[str]) -> None:
        self._network = checkpoint.network()
        self._checkpoint = checkpoint
        self._columns = _columns(labels, checkpoint.labels)

    @property
    def described(self) -> Mapping[str, Any]:
        """Its family, size and history."""
        design = self._checkpoint.design
        return {
            "family": design.family,
            "parameters": design.parameters,
            "macs": design.macs,
            "steps": [str(step.get("step")) for step in self._checkpoint.steps],
        }

    def __call__(self, batch: Batch) -> Tensor:
        """As `Teacher` says."""
        side_px, pixels = self._checkpoint.design.side_px, batch.pixels
        with torch.no_grad():
            if pixels.shape[-1] != side_px:
                pixels = F.interpolate(pixels, size=(side_px, side_px), mode="bilinear", antialias=True)
            logits: Tensor = self._network(normalised(pixels, self._checkpoint.mean, self._checkpoint.std))
        return logits[:, self._columns]


class ModelTeacher:
    """A model directory, run once for each picture file as the live path runs it; its answers are kept.

    Args:
        model: the directory.
        paths: the student's pictures: the labelled ones in the order of its set, then those without a label.
        labels: the student's; all of them must be among the model's.
        told: hears how many pictures are done, and of how many.

    Raises:
        ModelError: the model cannot be used, or does not know one of the labels.
        EngineError: no engine runs it.
        SourceError: a picture cannot be read.
    """

    def __init__(
        self,
        model: Path,
        paths: Sequence[Path],
        labels: Sequence[str],
        *,
        told: Callable[[int, int], None] | None = None,
    ) -> None:
        loaded = load_model(model)
        self._model = loaded
        columns = _columns(labels, loaded.labels)
        rows: list[Tensor] = []
        with Scorer(ScoringOrder(loaded, engine="auto", threads=1)) as score:
            for start in range(0, len(paths), _LOT_PICTURES):
                lot = paths[start : start + _LOT_PICTURES]
                scored = score(lot)
                if scored.faults:
                    raise SourceError("\n".join(scored.faults.values()))
                rows.append(torch.from_numpy(np.asarray(scored.probabilities)))
                if told is not None:
                    told(start + len(lot), len(paths))
        probabilities = torch.cat(rows)[:, columns] if rows else torch.zeros(0, len(columns))
        self._logits = probabilities.clamp_min(_LEAST_PROBABILITY).log()

    @property
    def described(self) -> Mapping[str, Any]:
        """Its name and file."""
        return {"model": self._model.name, "sha256": self._model.sha256, "answers": self._digest()}

    def __call__(self, batch: Batch) -> Tensor:
        """As `Teacher` says; of the pictures as they are, however the student's were changed.

        Raises:
            SourceError: the batch has pictures that the teacher was not asked about.
        """
        if int(batch.places.max()) >= len(self._logits):
            raise SourceError(
                f"the teacher was asked about {len(self._logits)} pictures, and there are more; "
                "give it those without a label, too"
            )
        return self._logits[batch.places]

    def _digest(self) -> str:
        return hashlib.sha256(self._logits.numpy().tobytes()).hexdigest()


def _columns(labels: Sequence[str], known: Sequence[str]) -> list[int]:
    """Where the teacher has the student's classes."""
    missing = [label for label in labels if label not in known]
    if missing:
        raise ModelError(
            f"the teacher does not know {', '.join(missing[:5])}; it has {len(known)} labels, "
            f"{', '.join(known[:5])}, …: take a teacher of the same classes"
        )
    return [list(known).index(label) for label in labels]
