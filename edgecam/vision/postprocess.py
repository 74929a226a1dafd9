"""The model's output tensor into a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.model.card import OutputCard, OutputKind
from edgecam.records import Prediction, Score, TensorSpec

# exp of it is still a normal float32, and a thousand of them still sum up right.
_LEAST_EXPONENT = -80.0


def top_k(raw: NDArray[Any], k: int) -> NDArray[np.intp]:
    """Indices of the k largest of (classes,) values, best first, ties by index.

    Runs on the raw tensor: dequantizing and softmax keep the order.
    """
    if raw.dtype.itemsize == 1:
        # ~x counts down as x counts up, without overflow, and bytes are sorted in linear time.
        return np.asarray((~raw).argsort(kind="stable")[:k], np.intp)
    k = min(k, raw.size)
    if k < raw.size:
        threshold = np.partition(raw, raw.size - k)[raw.size - k]
        candidates = np.flatnonzero(raw >= threshold)
    else:
        candidates = np.arange(raw.size)
    # float64 holds every float32 and int16, the widest outputs, also negated.
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
    """Reads the output tensor of one model.

    An output of one byte a class has 256 values: dequantizing, and the softmax's exponential, are a table.
    """

    def __init__(self, card: OutputCard, tensor: TensorSpec, labels: Sequence[str], *, top: int = 5) -> None:
        """Args: card and tensor of the output, one label per class, how many to name."""
        self._is_logits = card.kind is OutputKind.LOGITS
        self._scale, self._zero_point = tensor.scale, tensor.zero_point
        self._labels = tuple(labels)
        self._top = top
        self._table = self._output_table(tensor)

    def __call__(self, output: NDArray[Any]) -> Prediction:
        """Args: output: (1, classes) or (1, 1, 1, classes) in the model's dtype."""
        raw = output.reshape(-1)
        best = top_k(raw, self._top)
        if self._table is None:
            values = dequantize(raw, self._scale, self._zero_point)
            probabilities = softmax(values) if self._is_logits else values
        else:
            probabilities = self._table[raw.view(np.uint8)]
            if self._is_logits:
                probabilities /= probabilities.sum()
        scores = zip(best.tolist(), probabilities[best].tolist(), strict=True)
        top = tuple(Score(self._labels[index], index, score) for index, score in scores)
        return Prediction(probabilities=probabilities, top=top)

    def _output_table(self, tensor: TensorSpec) -> NDArray[np.float32] | None:
        """What each of the 256 bytes stands for: the value, of a logit its exponential; None: not so."""
        if tensor.dtype not in {"int8", "uint8"} or tensor.scale is None:
            return None
        values = dequantize(
            np.arange(256, dtype=np.uint8).view(tensor.dtype), tensor.scale, tensor.zero_point
        )
        if not self._is_logits:
            return values.clip(0, 1)
        # The largest value there can be takes the place of the largest there is; both cancel out, unless
        # the range is so wide that small numbers vanish.
        shifted = values - values.max()
        return None if shifted.min() < _LEAST_EXPONENT else np.exp(shifted)
