"""Whether the calibration error is the one of the paper, and means what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from made_scores import binary, drawn

from edgecam.evaluation.calibration import expected_calibration_error
from edgecam.evaluation.metrics import accuracy_of
from edgecam.evaluation.scores import Scores


def test_the_error_is_the_weighted_gap_of_the_bins() -> None:
    """Worked by hand after Guo et al.: 4 at 0.9 with 2 right, 6 at 0.6 with 6 right, in 5 bins."""
    scores = binary([0.9] * 4 + [0.65] * 6, [True, True, False, False] + [True] * 6)
    found = expected_calibration_error(scores, bins=5)
    assert found.error == pytest.approx(0.4 * 0.4 + 0.6 * 0.35, abs=1e-6)
    assert found.worst == pytest.approx(0.4, abs=1e-6)
    assert found.overconfidence == pytest.approx(0.75 - 0.8, abs=1e-6)
    assert [(b.count, b.accuracy) for b in found.bins] == [
        (0, None),
        (0, None),
        (0, None),
        (6, 1.0),
        (4, 0.5),
    ]


def test_a_model_that_is_right_as_often_as_it_says_has_no_error() -> None:
    """Said with 0.75, right in three of four."""
    assert expected_calibration_error(binary([0.75] * 400, [True, True, True, False] * 100)).error == 0.0


def test_a_bin_holds_its_upper_edge() -> None:
    """The paper's intervals are open below and closed above: 1 is in the last bin, not beyond it."""
    found = expected_calibration_error(binary([1.0, 0.75], [True, False]), bins=4)
    assert [b.count for b in found.bins] == [0, 0, 1, 1]


@given(drawn())
def test_every_picture_is_in_one_bin(scores: Scores) -> None:
    """The bins partition 0..1, and their weighted accuracy is the model's own."""
    found = expected_calibration_error(scores)
    assert sum(b.count for b in found.bins) == len(scores.truth)
    assert all(before.high == after.low for before, after in zip(found.bins, found.bins[1:], strict=False))
    right = sum(b.count * (b.accuracy or 0) for b in found.bins) / len(scores.truth)
    assert right == pytest.approx(accuracy_of(scores))
    assert abs(found.overconfidence) - 1e-9 <= found.error <= found.worst + 1e-9 <= 1 + 2e-9
    assert np.isfinite(found.error)
