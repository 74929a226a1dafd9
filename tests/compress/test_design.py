"""Designs say what a network is, and how large, before it is built."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.compress.architectures import FAMILIES, design, rounded_channels
from edgecam.compress.design import Block, Design
from edgecam.errors import UsageError

SIDES = st.integers(16, 512)
WIDTHS = st.floats(0.1, 2.0)
FAMILY_NAMES = st.sampled_from(sorted(FAMILIES))


def made(family: str, side_px: int, width: float, classes: int = 10) -> Design:
    """The family at this width, or at its only one."""
    return design(family, classes=classes, side_px=side_px, width=None if FAMILIES[family][2] else width)


@pytest.mark.parametrize(
    ("family", "width", "classes", "side_px", "parameters_m", "macs_m"),
    [
        # The papers' tables; MLPerf Tiny's repository for the last.
        ("mobilenet_v2", 1.0, 1000, 224, 3.5, 300),
        ("mobilenet_v2", 1.4, 1000, 224, 6.1, 582),
        ("mobilenet_v2", 0.35, 1000, 224, 1.66, 59),
        ("efficientnet_b0", None, 1000, 224, 5.3, 390),
        ("efficientnet_lite0", None, 1000, 224, 4.65, 385),
        ("micro_mobilenet", 0.25, 2, 96, 0.211, 7.49),
    ],
)
def test_sizes_are_the_published_ones(
    family: str, width: float | None, classes: int, side_px: int, parameters_m: float, macs_m: float
) -> None:
    """An architecture called by a name is the one that has it: within 2 % of its publication."""
    found = design(family, classes=classes, side_px=side_px, width=width)
    assert found.parameters / 1e6 == pytest.approx(parameters_m, rel=0.02)
    assert found.macs / 1e6 == pytest.approx(macs_m, rel=0.02)


@given(st.floats(1, 4000), st.sampled_from([1, 4, 8, 16]))
def test_channels_are_multiples_that_lose_no_more_than_a_tenth(channels: float, divisor: int) -> None:
    """The rounding of the paper's code."""
    found = rounded_channels(channels, divisor)
    assert found % divisor == 0
    assert found >= max(divisor, 0.9 * channels)
    assert found <= max(channels, divisor) + divisor


@given(FAMILY_NAMES, SIDES, WIDTHS)
def test_any_side_and_width_is_a_network(family: str, side_px: int, width: float) -> None:
    """Within their bounds no setting is refused or leaves nothing of the picture."""
    found = made(family, side_px, width)
    layers = list(found.layers())
    assert all(layer.side_px >= 1 for layer in layers)
    assert layers[-2].side_px >= 2  # the last convolution still sees where things are


@given(FAMILY_NAMES, SIDES, SIDES, WIDTHS)
def test_the_weights_are_the_same_at_every_side(
    family: str, one_px: int, other_px: int, width: float
) -> None:
    """Published weights fit a network of any side: strides change, shapes do not."""
    one, other = made(family, one_px, width), made(family, other_px, width)
    assert one.parameters == other.parameters


@given(FAMILY_NAMES, WIDTHS)
def test_small_pictures_keep_their_resolution_longer(family: str, width: float) -> None:
    """Up to 64 px the stem does not halve; up to 32 px the first stage that would does not, either."""
    sides = [made(family, side_px, width) for side_px in (32, 64, 96)]
    assert [next(one.layers()).side_px for one in sides] == [32, 64, 48]
    assert [list(one.layers())[-2].side_px for one in sides] == [4, 4, 3]


@given(SIDES, st.lists(WIDTHS, min_size=2, max_size=5))
def test_wider_is_never_smaller(side_px: int, widths: list[float]) -> None:
    """Width buys parameters and costs time."""
    found = [made("mobilenet_v2", side_px, width) for width in sorted(widths)]
    for narrow, wide in pairwise(found):
        assert (narrow.parameters, narrow.macs) <= (wide.parameters, wide.macs)
        assert narrow.macs <= wide.macs


def test_a_narrow_mobilenet_keeps_its_wide_head() -> None:
    """1280 * max(1, width), as in the paper."""
    heads = [made("mobilenet_v2", 224, width).head for width in (0.35, 1.0, 1.4)]
    assert heads == [1280, 1280, 1792]


BLOCK = Block(expanded=48, channels=8, stride=1, kernel=3, adds=True)
DESIGN = replace(design("mobilenet_v2", classes=2, side_px=32), stem=8, blocks=(BLOCK,), head=0)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (replace(BLOCK, stride=2), "cannot be added"),
        (replace(BLOCK, channels=16), "cannot be added"),
        (replace(BLOCK, has_expansion=False), "without an expansion"),
        (replace(BLOCK, expanded=0), "below 1"),
        (replace(BLOCK, kernel=4), "even"),
    ],
)
def test_widths_that_do_not_fit_are_refused(block: Block, reason: str) -> None:
    """A design that no network can have is found when it is made, with the block's number."""
    with pytest.raises(ValueError, match=rf"block 0: .*{reason}"):
        replace(DESIGN, blocks=(block,))


@pytest.mark.parametrize("change", [{"classes": 0}, {"activation": "tanh"}, {"head": -1}, {"side_px": 0}])
def test_values_that_no_network_has_are_refused(change: dict[str, int | str]) -> None:
    """Likewise for what is outside of the blocks."""
    with pytest.raises(ValueError, match="no network has these values"):
        replace(DESIGN, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"family": "resnet"}, "expected one of mobilenet_v2"),
        ({"classes": 1}, "at least 2 classes, got 1"),
        ({"side_px": 8}, "16 to 1024 px, got 8"),
        ({"width": 0.0}, r"0\.1 to 2\.0, got 0\.0"),
        ({"family": "efficientnet_b0", "width": 0.5}, "has one width"),
    ],
)
def test_a_wish_that_cannot_be_met_says_what_can(wish: dict[str, object], reason: str) -> None:
    """Whoever mistypes a recipe learns what to write."""
    with pytest.raises(UsageError, match=reason):
        design(**{"family": "mobilenet_v2", "classes": 5, "side_px": 96, **wish})  # type: ignore[arg-type]
