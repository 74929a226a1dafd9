"""Channels go in groups that hang together, down to the target, and what stays computes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("torch_pruning", reason=WHY)

from edgecam.compress.architectures import design  # noqa: E402
from edgecam.compress.channels import Importance, kept_channels, narrowed  # noqa: E402
from edgecam.compress.network import build, design_of  # noqa: E402
from edgecam.errors import EdgecamError  # noqa: E402

# Beside other processes, more threads wait for each other longer than they compute.
torch.set_num_threads(1)
SIDE_PX = 32
SAMPLE = torch.zeros(1, 3, SIDE_PX, SIDE_PX)


def network_of(family: str) -> Any:
    """Untrained, with ten classes and its widths as published."""
    return build(design(family, classes=10, side_px=SIDE_PX), seed=3).eval()


def macs_of(network: Any) -> int:
    """Of one picture."""
    return design_of(network).macs


def narrow(network: Any, macs: int, **settings: Any) -> Any:
    """With the names that the project's networks have."""
    return narrowed(network, macs, last="linear", sample=SAMPLE, count=macs_of, **settings)


@pytest.mark.parametrize(
    "family", ["mobilenet_v2", "efficientnet_lite0", "efficientnet_b0", "micro_mobilenet"]
)
def test_every_architecture_shrinks_to_the_target_and_is_a_design_again(family: str) -> None:
    """Additions, depthwise convolutions and squeeze-and-excitation keep fitting each other."""
    whole = network_of(family)
    target = macs_of(whole) // 2
    smaller = narrow(whole, target)
    assert 0.9 * target < macs_of(smaller) <= target
    found = design_of(smaller)
    assert found.classes == 10
    assert smaller(SAMPLE).shape == (1, 10)
    again = build(found)
    again.load_state_dict(smaller.state_dict(), strict=True)
    torch.testing.assert_close(again.eval()(SAMPLE), smaller(SAMPLE))


def test_widths_are_multiples_that_kernels_like() -> None:
    """Eight by eight, wherever there are so many."""
    found = design_of(narrow(network_of("mobilenet_v2"), 40_000_000))
    widths = [
        found.stem,
        found.head,
        *(n for block in found.blocks for n in (block.expanded, block.channels)),
    ]
    assert all(width % 8 == 0 for width in widths)
    assert len(set(widths)) > 5


def test_the_network_that_is_narrowed_stays_as_it_is() -> None:
    """Candidates are copies: a later round starts from the trained network."""
    whole = network_of("micro_mobilenet")
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    narrow(whole, macs_of(whole) // 2)
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())


@pytest.mark.parametrize("importance", list(Importance))
def test_channels_that_do_nothing_go_first(importance: Importance) -> None:
    """Half of some layers is all zeros; without it the network computes the same."""
    whole = network_of("micro_mobilenet")
    for unit in (unit for block in whole.blocks for unit in (block.depthwise, block.project)):
        torch.nn.init.constant_(unit.norm.bias, 1.0)
    for block, following in zip(whole.blocks[6:10], whole.blocks[7:11], strict=True):
        for weight in (
            *block.project.parameters(),
            *following.depthwise.parameters(),
            following.project.conv.weight.transpose(0, 1),
        ):
            weight.data[::2] = 0
    picture = torch.randn(2, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))
    for parameter in whole.parameters():
        # To first order, every weight then matters by its size.
        parameter.grad = parameter.detach().sign()
    blocks = [
        replace(block, expanded=expanded, channels=channels)
        for block, expanded, channels in zip(
            design_of(whole).blocks,
            [8, 16, 32, 32, 64, 64, 128, 64, 64, 64, 64, 128, 256],
            [16, 32, 32, 64, 64, 128, 64, 64, 64, 64, 128, 256, 256],
            strict=True,
        )
    ]
    without = replace(design_of(whole), blocks=tuple(blocks))
    smaller = narrow(whole, without.macs, importance=importance)
    assert design_of(smaller) == without
    torch.testing.assert_close(smaller(picture), whole(picture), rtol=1e-3, atol=1e-5)


def test_the_same_network_is_cut_in_the_same_places() -> None:
    """Nothing is left to chance."""
    first, second = (narrow(network_of("mobilenet_v2"), 30_000_000).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_target_out_of_reach_is_told_with_what_is_in_reach() -> None:
    """No layer is cut to nothing, however small the target."""
    with pytest.raises(EdgecamError, match=r"0\.10 M MACs cannot be reached in one round: 50% of each"):
        narrow(network_of("mobilenet_v2"), 100_000, least_share=0.5)


@pytest.mark.parametrize(
    ("wanted", "channels", "expected"),
    [(20, 32, 24), (19, 32, 16), (0, 32, 8), (2, 32, 8), (31, 32, 32), (5, 6, 6), (1, 6, 6), (0, 100, 24)],
)
def test_how_many_stay(wanted: int, channels: int, expected: int) -> None:
    """To the nearest multiple of eight, a quarter at least, never more than there are."""
    assert kept_channels(wanted, channels, round_to=8, least_share=0.25) == expected
