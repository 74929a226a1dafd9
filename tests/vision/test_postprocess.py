"""What the network said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edgecam.model.card import OutputCard, OutputKind
from edgecam.records import TensorSpec
from edgecam.vision.postprocess import Postprocessor, dequantize, softmax, top_k

LABELS = ["ant", "bee", "cat", "dog"]


def test_int8_probabilities_are_dequantized_without_overflow() -> None:
    """At scale 1/256, zero point -128: 127 is 255/256, although 127 + 128 does not fit int8."""
    raw = np.array([-128, 127, 0, -64], np.int8)
    assert dequantize(raw, 1 / 256, -128).tolist() == pytest.approx([0, 255 / 256, 0.5, 0.25])


def test_logits_get_a_softmax_and_probabilities_none() -> None:
    """The card says which; reference values of softmax([0, 1, 2, 3])."""
    spec = TensorSpec("output", (1, 4), "float32")
    raw = np.array([[0, 1, 2, 3]], np.float32)
    said = Postprocessor(OutputCard(kind=OutputKind.LOGITS, background_offset=0), spec, LABELS)(raw)
    assert said.probabilities.tolist() == pytest.approx(
        [0.0320586, 0.0871443, 0.2368828, 0.6439143], abs=1e-6
    )
    plain = Postprocessor(OutputCard(kind=OutputKind.PROBABILITIES, background_offset=0), spec, LABELS)(
        raw / 6
    )
    assert plain.probabilities.tolist() == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6])


def test_the_best_come_first_with_their_labels() -> None:
    """Top-k names, indices and scores in order."""
    spec = TensorSpec("output", (1, 4), "uint8", 1 / 256, 0)
    raw = np.array([[10, 200, 30, 16]], np.uint8)
    said = Postprocessor(OutputCard(kind=OutputKind.PROBABILITIES, background_offset=0), spec, LABELS, top=3)(
        raw
    )
    assert [(s.label, s.id) for s in said.top] == [("bee", 1), ("cat", 2), ("dog", 3)]
    assert said.top[0].score == pytest.approx(200 / 256)


def test_softmax_survives_huge_logits() -> None:
    """No overflow, no NaN."""
    out = softmax(np.array([1000, 1000, -1000], np.float32))
    assert out.tolist() == pytest.approx([0.5, 0.5, 0])


@given(
    raw=hnp.arrays(np.int8, st.integers(1, 60)) | hnp.arrays(np.uint8, st.integers(1, 60)),
    k=st.integers(1, 10),
)
def test_top_k_equals_a_stable_sort(raw: NDArray[np.integer], k: int) -> None:
    """Fast selection gives what sorting everything gives, ties by index."""
    expected = sorted(range(raw.size), key=lambda i: (-int(raw[i]), i))[:k]
    assert top_k(raw, k).tolist() == expected
