"""Smoothing runs in time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.decision.smoothing import Smoother

S = 1_000_000_000


def vector(value: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """One value."""
    return np.array([value], np.float32)


def test_after_one_time_constant_63_percent_of_a_step_is_seen() -> None:
    """1 - 1/e, the definition of a time constant."""
    smoother = Smoother(0.5)
    smoother.update(vector(0), 0)
    assert float(smoother.update(vector(1), S // 2)[0]) == pytest.approx(1 - 1 / math.e, abs=1e-6)


@given(st.lists(st.integers(1, S), min_size=1, max_size=30))
def test_a_constant_step_depends_on_time_and_not_on_the_number_of_frames(gaps: list[int]) -> None:
    """Skipped frames must not slow a decision down."""
    smoother = Smoother(0.7)
    smoother.update(vector(0), 0)
    now = 0
    for gap in gaps:
        now += gap
        seen = float(smoother.update(vector(1), now)[0])
    assert seen == pytest.approx(1 - math.exp(-now / (0.7 * S)), abs=1e-4)


def test_zero_passes_everything_through() -> None:
    """smoothing_s: 0 switches it off."""
    smoother = Smoother(0)
    smoother.update(vector(0.2), 0)
    assert float(smoother.update(vector(0.9), 1)[0]) == pytest.approx(0.9)


def test_a_frame_out_of_order_changes_nothing() -> None:
    """Time does not run backwards."""
    smoother = Smoother(1)
    smoother.update(vector(0.5), S)
    assert float(smoother.update(vector(1), S // 2)[0]) == 0.5


def test_reset_forgets() -> None:
    """After the camera was away the past says nothing."""
    smoother = Smoother(10)
    smoother.update(vector(1), 0)
    smoother.reset()
    assert float(smoother.update(vector(0.25), 1)[0]) == 0.25
