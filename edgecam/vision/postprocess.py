"""The model's output tensor into a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.model.card import OutputCard, OutputKind
from edgecam.records import Prediction, Score, TensorSpec


def top_k(raw: NDArray[Any], k: int) -> NDArray[np.intp]:
    """Indices of the k largest of (classes,) values, best first, ties by index.

    Runs on the raw tensor: dequantizing and softmax keep the order.
    """
    k = min(k, raw.size)
    if k < raw.size:
        threshold = np.partition(raw, raw.size - k)[raw.size - k]
        candidates = np.flatnonzero(raw >= threshold)
    else:
        candidates = np.arange(raw.size)
    # int16 is the widest integer output, so the negated value cannot overflow.
    order = np.argsort(-raw[candidates].astype(np.float64), kind="stable")
    return candidates[order][:k]


def dequantize(raw: NDArray[Any], scale: float | None, zero_point: int | None) -> NDArray[np.float32]:
    """Real value = scale * (raw - zero_point), widened first so that the subtraction cannot overflow."""
    if scale is None or zero_point is None:
        return raw.astype(np.float32)
    return ((raw.astype(np.int32) - zero_point) * np.float32(scale)).astype(np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp(x - max) / sum: the shift keeps exp from overflowing and cancels out."""
    grown = np.exp(logits - logits.max())
    return np.asarray(grown / grown.sum(), np.float32)


class Postprocessor:
    """Reads the output tensor of one model."""

    def __init__(self, card: OutputCard, tensor: TensorSpec, labels: Sequence[str], *, top: int = 5) -> None:
        """Args: card and tensor of the output, one label per class, how many to name."""
        self._is_logits = card.kind is OutputKind.LOGITS
        self._scale, self._zero_point = tensor.scale, tensor.zero_point
        self._labels = tuple(labels)
        self._top = top

    def __call__(self, output: NDArray[Any]) -> Prediction:
        """Args: output: (1, classes) or (1, 1, 1, classes) in the model's dtype."""
        raw = output.reshape(-1)
        best = top_k(raw, self._top)
        values = dequantize(raw, self._scale, self._zero_point)
        probabilities = softmax(values) if self._is_logits else values
        top = tuple(Score(self._labels[i], int(i), float(probabilities[i])) for i in best)
        return Prediction(probabilities=probabilities, top=top)
