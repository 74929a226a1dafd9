"""Single weights become zero and stay so, and it is told honestly what that is good for."""

from __future__ import annotations

from typing import Any

import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)

from taught_network import made_pictures, taught  # noqa: E402

from edgecam.compress.magnitude import (  # noqa: E402
    MagnitudeSettings,
    archive_bytes,
    prunable,
    prune_weights,
    sparsity_at,
)
from edgecam.compress.network import Network  # noqa: E402
from edgecam.compress.training import accuracy  # noqa: E402
from edgecam.errors import UsageError  # noqa: E402

PICTURES = made_pictures(256, seed=1)
OTHERS = made_pictures(200, seed=2)
HOW: dict[str, Any] = {"batch": 32, "learning_rate": 3e-3, "augmentation": None}


def pruned(**settings: Any) -> Any:
    """The network that was taught, after pruning."""
    how = {"epochs": 2, "interval": 4, **HOW, **settings}
    return prune_weights(taught(), PICTURES, MagnitudeSettings(**how), seed=1)


def test_the_wanted_share_is_zero_and_the_network_makes_up_for_it() -> None:
    """Over all layers together; learning goes on with what is left."""
    made = pruned(epochs=12, sparsity=0.6)
    network = made.network()
    weights = prunable(network)
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    assert zeros == round(0.6 * sum(weight.numel() for weight in weights))
    assert accuracy(network, OTHERS, made.mean, made.std) > 0.9
    assert made.steps[-1]["zeros"] == zeros


def test_first_and_depthwise_layers_keep_all_their_weights() -> None:
    """They have few, and need them."""
    network = pruned(sparsity=0.9).network()
    kept = [network.stem.conv.weight, *(block.depthwise.conv.weight for block in network.blocks)]
    assert all(int((weight == 0).sum()) == 0 for weight in kept)


def test_the_record_says_that_only_an_archive_is_smaller() -> None:
    """The size is that of gzip, before and after; the design and its work are the same."""
    made = pruned(sparsity=0.7)
    before, after = made.steps[-1]["weights_gzip_bytes"]
    assert (before, after) == (archive_bytes(taught().network()), archive_bytes(made.network()))
    assert after < 0.7 * before
    assert "nothing faster" in made.steps[-1]["word"]
    assert made.design == taught().design


def test_zeros_grow_along_the_cubic_curve() -> None:
    """Quick at first, and no more after the last step of growing."""
    found = [sparsity_at(step, growing_steps=10, final=0.8) for step in (0, 5, 10, 99)]
    assert found == pytest.approx([0.0, 0.8 * (1 - 0.5**3), 0.8, 0.8])


def test_zeros_are_there_while_the_others_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight that was taken stays zero in each step that follows: their share never falls."""
    seen: list[float] = []
    plain = Network.features

    def features(network: Any, x: Any) -> Any:
        if network.training:
            weights = torch.cat([weight.detach().flatten() for weight in prunable(network)])
            seen.append(float((weights == 0).float().mean()))
        return plain(network, x)

    taught()
    monkeypatch.setattr(Network, "features", features)
    pruned(epochs=4, sparsity=0.5, growing_share=0.5)
    assert len(seen) == 32
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[8] == pytest.approx(0.5 * (1 - 0.5**3), abs=1e-3)
    assert seen[16] == seen[-1] == pytest.approx(0.5, abs=1e-3)


def test_the_same_seed_gives_the_same_weights() -> None:
    """Nothing else is left to chance."""
    first, second = (pruned(epochs=1).state for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("wrong", [{"sparsity": 1.0}, {"growing_share": 1.5}, {"interval": 0}])
def test_a_setting_without_sense_is_refused(wrong: dict[str, Any]) -> None:
    """Before anything is learnt."""
    with pytest.raises(UsageError, match="expected a sparsity"):
        pruned(**wrong)
