"""Networks learn what pictures show: repeatably, honestly recorded, and refusing what cannot be learnt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("safetensors", reason=WHY)

from torch import Tensor, nn  # noqa: E402

from edgecam.compress.architectures import design  # noqa: E402
from edgecam.compress.checkpoint import Checkpoint, load, save  # noqa: E402
from edgecam.compress.design import Block, Design  # noqa: E402
from edgecam.compress.held_out import split  # noqa: E402
from edgecam.compress.learning import Learning, class_weights, learn  # noqa: E402
from edgecam.compress.network import build  # noqa: E402
from edgecam.compress.scratch import train  # noqa: E402
from edgecam.compress.tensors import UNLABELLED, Batch, Batches, PictureTensors  # noqa: E402
from edgecam.compress.training import (  # noqa: E402
    Progress,
    accuracy,
    fit,
    logits_of,
    smoothed_cross_entropy,
)
from edgecam.compress.transfer import TransferSettings, transfer  # noqa: E402
from edgecam.errors import EdgecamError, ModelError, SourceError, UsageError  # noqa: E402

LABELS = ("red", "green", "blue")
SIDE_PX = 16


def coloured(count: int, *, side_px: int = SIDE_PX, seed: int = 0) -> PictureTensors:
    """Noise with one colour brighter than the others: what each shows."""
    chance = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 160, (count, side_px, side_px, 3), generator=chance)
    truth = torch.arange(count) % 3
    pixels[torch.arange(count), :, :, truth] += 80
    return PictureTensors(pixels.to(torch.uint8), truth, LABELS)


def small(classes: int = 3) -> Design:
    """Two blocks that learn within a second."""
    blocks = (
        Block(expanded=16, channels=16, stride=2, kernel=3, has_expansion=False, adds=False),
        Block(expanded=32, channels=16, stride=1, kernel=3, adds=True),
    )
    made = design("mobilenet_v2", classes=classes, side_px=SIDE_PX)
    return replace(made, stem=16, blocks=blocks, head=0)


def taught(seed: int, **changes: Any) -> Checkpoint:
    """A small network from scratch."""
    settings = Learning(**{"epochs": 4, "learning_rate": 3e-3, "batch": 16, **changes})
    pictures, kept = split(coloured(120), 0.2, seed=0)
    return train(small(), pictures, settings, seed=seed, licence="MIT", source="made", validation=kept)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision's, of a backbone that knows nothing."""
    network = build(design("mobilenet_v2", classes=1000, side_px=SIDE_PX), seed=9)
    path = tmp_path_factory.mktemp("weights") / "published.pth"
    torch.save(network.state_dict(), path)
    return path


def by_transfer(file: Path, *, seed: int = 1, **changes: Any) -> Checkpoint:
    """A backbone taught the three colours, quickly."""
    settings = {"backbone": "mobilenet_v2", "weights": file, "frozen_epochs": 3, "epochs": 1, **changes}
    return transfer(coloured(24), TransferSettings(**settings), seed=seed)


def same(one: Checkpoint, other: Checkpoint) -> bool:
    """Bit by bit."""
    return all(torch.equal(one.state[name], other.state[name]) for name in one.state)


def test_it_learns_and_says_how_well() -> None:
    """From scratch, on pictures that it has not seen; in the record what the network really does."""
    made = taught(1, epochs=8)
    other = coloured(60, seed=5)
    assert accuracy(made.network(), other, made.mean, made.std) > 0.9
    (step,) = made.steps
    _, kept = split(coloured(120), 0.2, seed=0)
    assert step["validation"]["accuracy"] == pytest.approx(
        accuracy(made.network(), kept, made.mean, made.std), abs=1e-4
    )


def test_the_same_seed_gives_the_same_weights() -> None:
    """And another one others: seeds are what spread is measured over."""
    assert same(taught(1), taught(1))
    assert not same(taught(1), taught(2))


def test_transfer_with_the_same_seed_gives_the_same_weights(weights: Path) -> None:
    """Through both stages."""
    one = by_transfer(weights)
    assert same(one, by_transfer(weights))
    assert not same(one, by_transfer(weights, seed=2))


def test_the_record_says_what_was_done(weights: Path, tmp_path: Path) -> None:
    """Settings, seed, digests of weights and pictures, versions; it survives the disk."""
    save(by_transfer(weights), tmp_path)
    made = load(tmp_path)
    (step,) = json.loads(json.dumps(made.steps))
    assert (step["step"], step["seed"]) == ("transfer", 1)
    assert step["pictures"] == {"count": 24, "sha256": coloured(24).digest()}
    assert step["settings"]["frozen_epochs"] == 3
    assert step["settings"]["augmentation"]["flip"] is True
    assert step["weights_sha256"] in made.source
    assert made.labels == LABELS
    assert made.mean == (123.675, 116.28, 103.53)


def test_only_the_last_layer_learns_while_the_backbone_is_frozen(weights: Path) -> None:
    """Without epochs of fine-tuning all else is the file's, statistics too."""
    made = by_transfer(weights, epochs=0)
    published = torch.load(weights, weights_only=True)
    changed = {name for name in published if not torch.equal(published[name], made.state[name])}
    assert changed == {"linear.weight", "linear.bias"}


def test_only_the_last_blocks_are_fine_tuned_if_wanted(weights: Path) -> None:
    """What lies before them is the file's, statistics too."""
    made = by_transfer(weights, last_blocks=2)
    published = torch.load(weights, weights_only=True)
    changed = {name for name in published if not torch.equal(published[name], made.state[name])}
    count = len(made.design.blocks)
    allowed = (f"blocks.{count - 2}.", f"blocks.{count - 1}.", "head.", "linear.")
    assert {name.split(".conv")[0] for name in changed} >= {f"blocks.{count - 2}.project", "head"}
    assert all(name.startswith(allowed) for name in changed)


def test_progress_grows_from_nothing_to_all(weights: Path) -> None:
    """Told after each batch, through all stages; checked on other pictures at an epoch's end only."""
    told: list[Progress] = []
    settings = TransferSettings(backbone="mobilenet_v2", weights=weights, frozen_epochs=2, epochs=2, batch=8)
    transfer(coloured(24), settings, seed=1, validation=coloured(6, seed=3), told=told.append)
    shares = [progress.done for progress in told]
    assert shares == sorted(shares)
    assert (shares[-1], told[-1].epoch, told[-1].epochs) == (1.0, 2, 2)
    assert [progress.stage for progress in told if progress.checked is not None] == ["fine-tuning"] * 2
    assert {progress.stage for progress in told} == {"last layer", "fine-tuning"}
    told.clear()
    transfer(coloured(24), replace(settings, epochs=0), seed=1, told=told.append)
    assert told[-1].done == 1.0


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"backbone": "resnet"}, UsageError, "take efficientnet_lite0 or mobilenet_v2"),
        ({"last_blocks": 99}, UsageError, "0 to 17 last blocks"),
        ({"weights": Path("absent.pth")}, ModelError, r"absent\.pth: cannot be read"),
        (
            {"backbone": "efficientnet_lite0"},
            ModelError,
            r"published\.pth: holds \d+ weights, but efficientnet",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_learning(
    weights: Path, changes: dict[str, Any], error: type[EdgecamError], reason: str
) -> None:
    """With what to write instead."""
    with pytest.raises(error, match=reason):
        by_transfer(weights, **changes)


def test_a_class_of_one_picture_is_refused(weights: Path) -> None:
    """By its name."""
    pictures = coloured(4)
    with pytest.raises(SourceError, match="green has 1, blue has 1"):
        transfer(pictures, TransferSettings(backbone="mobilenet_v2", weights=weights), seed=1)
    with pytest.raises(SourceError, match="green has 1, blue has 1"):
        train(small(), pictures, Learning(), seed=1, licence="", source="")


def test_a_network_for_other_pictures_is_refused() -> None:
    """Other classes, another side."""
    for made in (small(classes=4), replace(small(), side_px=32)):
        with pytest.raises(UsageError, match="the pictures have 3 at 16 px"):
            train(made, coloured(30), Learning(), seed=1, licence="", source="")


def test_learning_that_goes_astray_is_told() -> None:
    """Rather than kept as a network; with the rate to go below."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE_PX**2, 3))
    batches = Batches(coloured(30), mean=(0.0,), std=(1.0,), size=8)
    with pytest.raises(EdgecamError, match="give a learning rate below 1e"):
        fit(network, batches, epochs=3, learning_rate=1e30)


def test_the_rate_rises_and_falls_to_nothing() -> None:
    """A warm-up over a tenth of the steps, then a cosine: the last step hardly moves anything."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE_PX**2, 3))
    batches, rates = Batches(coloured(80), mean=(127.0,), std=(128.0,), size=8), []
    optimizer = torch.optim.AdamW
    made: list[Any] = []

    def watched(*args: Any, **more: Any) -> Any:
        made.append(optimizer(*args, **more))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", watched)

        def note(_: Progress) -> None:
            rates.append(made[0].param_groups[0]["lr"])

        fit(network, batches, epochs=4, learning_rate=0.1, told=note)
    top = rates.index(max(rates))
    assert len(rates) == 40
    assert max(rates) == pytest.approx(0.1)
    assert top <= 4
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.001


def test_smoothed_labels_are_those_of_the_paper() -> None:
    """(1 - s) of the label's own loss and s of the mean of all; unlabelled pictures do not count."""
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.3, 0.2, 0.1]])
    batch = Batch(torch.zeros(2), torch.zeros(2), torch.tensor([0, UNLABELLED]), torch.arange(2))
    logs = torch.log_softmax(logits[0], 0)
    expected = -(0.9 * logs[0] + 0.1 * logs.mean())
    assert float(smoothed_cross_entropy(0.1)(logits, batch)) == pytest.approx(float(expected), rel=1e-6)
    nothing = replace(batch, truth=torch.tensor([UNLABELLED] * 2))
    assert float(smoothed_cross_entropy()(logits, nothing)) == 0


def test_classes_count_alike_where_that_is_wanted() -> None:
    """However many pictures each has: a class with half as many counts twice as much."""
    pictures = PictureTensors(torch.zeros(7, 8, 8, 3), torch.tensor([0, 0, 0, 0, 1, 1, 2]), LABELS)
    weights: Tensor = class_weights(pictures, Learning(balanced=True))
    assert (weights / weights[0]).tolist() == pytest.approx([1, 2, 4])
    assert class_weights(pictures, Learning()) is None


def test_a_balanced_network_does_not_guess_the_commonest_class() -> None:
    """Of pictures that say nothing it says that each class is as likely; else as likely as it is common."""
    pixels = torch.full((28, SIDE_PX, SIDE_PX, 3), 100, dtype=torch.uint8)
    pictures = PictureTensors(pixels, torch.tensor([0] * 16 + [1] * 8 + [2] * 4), LABELS)
    for balanced, expected in ((True, [1 / 3] * 3), (False, [4 / 7, 2 / 7, 1 / 7])):
        settings = Learning(
            epochs=200, learning_rate=0.02, batch=28, label_smoothing=0, augmentation=None, balanced=balanced
        )
        network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE_PX**2, 3))
        learn(network, pictures, settings, seed=1, mean=(127.0,), std=(128.0,))
        said = torch.softmax(logits_of(network, pictures, (127.0,), (128.0,)), 1)[0]
        assert said.tolist() == pytest.approx(expected, abs=0.04)
