"""What a network learns from is what a camera will show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)

import cv2  # noqa: E402

from edgecam.compress.augmentation import Augmentation, augmented  # noqa: E402
from edgecam.compress.held_out import split  # noqa: E402
from edgecam.compress.tensors import (  # noqa: E402
    UNLABELLED,
    Batches,
    PictureTensors,
    as_float,
    normalised,
    picture_tensors,
    unlabelled_tensors,
)
from edgecam.errors import SourceError, UnusableError, UsageError  # noqa: E402
from edgecam.evaluation.pictures import read_picture_set, read_pixels  # noqa: E402
from edgecam.model.card import InputCard  # noqa: E402
from edgecam.records import Image, PixelFormat, TensorSpec  # noqa: E402
from edgecam.vision.geometry import View  # noqa: E402
from edgecam.vision.preprocess import Preprocessor  # noqa: E402

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def write(path: Path, *, width_px: int, height_px: int, seed: int = 0) -> Path:
    """A picture of smooth noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_CUBIC))
    return path


def numbered(count: int, *, classes: int = 2) -> PictureTensors:
    """Pictures whose pixels say which they are."""
    pixels = torch.arange(count, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 8, 8, 3).contiguous()
    labels = tuple(f"class {number}" for number in range(classes))
    return PictureTensors(pixels, torch.arange(count) % classes, labels)


@pytest.mark.parametrize(("width_px", "height_px"), [(64, 48), (33, 200), (24, 24), (500, 301)])
def test_pictures_are_cut_and_normalised_as_the_live_path_does(
    tmp_path: Path, width_px: int, height_px: int
) -> None:
    """The float input of the exported model, and the tensor that it learnt from, are the same numbers."""
    path = write(tmp_path / "set" / "cat" / "1.png", width_px=width_px, height_px=height_px)
    found = picture_tensors(read_picture_set(tmp_path / "set"), 32)
    live = Preprocessor(
        InputCard(width_px=32, height_px=32, mean=MEAN, std=STD),
        TensorSpec("image", (1, 32, 32, 3), "float32"),
        View(),
    )
    image = Image(read_pixels(path), PixelFormat.BGR, width_px, height_px)
    expected = torch.from_numpy(live(image)).permute(0, 3, 1, 2)
    torch.testing.assert_close(normalised(as_float(found.pixels), MEAN, STD), expected, atol=1e-5, rtol=1e-5)


def test_pictures_keep_their_order_and_classes(tmp_path: Path) -> None:
    """Reading in several threads mixes nothing up, and the progress ends at the last one."""
    for label, value in (("a", 10), ("b", 200)):
        for number in range(20):
            path = write(tmp_path / label / f"{number:02}.png", width_px=8, height_px=8)
            cv2.imwrite(str(path), np.full((8, 8, 3), value + number, np.uint8))
    told: list[tuple[int, int]] = []
    found = picture_tensors(read_picture_set(tmp_path), 8, told=lambda *at: told.append(at))
    assert found.labels == ("a", "b")
    assert found.pixels[:, 0, 0, 0].tolist() == [*range(10, 30), *range(200, 220)]
    assert found.truth.tolist() == [0] * 20 + [1] * 20
    assert told[-1] == (40, 40)


def test_red_comes_first(tmp_path: Path) -> None:
    """As the card says; OpenCV's own order is the other one."""
    path = write(tmp_path / "x.png", width_px=8, height_px=8)
    cv2.imwrite(str(path), np.full((8, 8, 3), (1, 2, 250), np.uint8))
    assert unlabelled_tensors(tmp_path, 8).pixels[0, 0, 0].tolist() == [250, 2, 1]


def test_unreadable_pictures_are_named_all_at_once(tmp_path: Path) -> None:
    """Five with the reason, and how many more."""
    write(tmp_path / "cat" / "good.png", width_px=8, height_px=8)
    for number in range(7):
        (tmp_path / "cat" / f"bad{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"bad0\.jpg: is not a picture(.|\n)*bad4(.|\n)*and 2 more"):
        picture_tensors(read_picture_set(tmp_path), 8)


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    """And one that is not there."""
    with pytest.raises(SourceError, match=r"absent: there is no such folder"):
        unlabelled_tensors(tmp_path / "absent", 8)
    with pytest.raises(SourceError, match="has no picture"):
        unlabelled_tensors(tmp_path, 8)


def test_more_pictures_than_memory_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than that the machine swaps to a halt; with what would help."""
    write(tmp_path / "a.png", width_px=8, height_px=8)
    monkeypatch.setattr("os.sysconf", lambda _name: 20)
    with pytest.raises(UnusableError, match="take fewer, or a smaller side"):
        unlabelled_tensors(tmp_path, 96)


def test_an_epoch_has_each_picture_once_in_another_order() -> None:
    """The same seed gives the same order; the next epoch and another seed another one."""
    pictures = numbered(50)

    def order(seed: int, epoch: int) -> list[int]:
        batches = Batches(pictures, mean=(0.0,), std=(1.0,), size=16, seed=seed)
        seen = [batch.places for batch in batches.epoch(epoch)]
        assert len(seen) == len(batches) == 3
        return [int(place) for places in seen for place in places]

    assert sorted(order(1, 0)) == list(range(50))
    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_a_batch_belongs_together() -> None:
    """Pixels, truth and places are those of the same pictures; inputs are the normalised pixels."""
    pictures = numbered(30)
    for batch in Batches(pictures, mean=(2.0,), std=(4.0,), size=8).epoch(0):
        assert torch.equal(batch.pixels[:, 0, 0, 0].long(), batch.places)
        assert torch.equal(batch.truth, pictures.truth[batch.places])
        assert torch.equal(batch.inputs, (batch.pixels - 2) / 4)


def test_no_batch_is_a_single_picture() -> None:
    """Batch normalisation could learn nothing of one."""
    for count in (33, 65, 129):
        batches = Batches(numbered(count), mean=(0.0,), std=(1.0,), size=32)
        assert min(len(batch.truth) for batch in batches.epoch(0)) > 16


def test_joined_pictures_have_no_label() -> None:
    """Whatever the second set says."""
    joined = numbered(4).joined_by(numbered(3))
    assert joined.truth.tolist() == [0, 1, 0, 1, *[UNLABELLED] * 3]
    assert joined.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2]


def test_the_digest_tells_pictures_classes_and_labels_apart() -> None:
    """Provenance: which pictures a network has seen."""
    one = numbered(6)
    others = [
        PictureTensors(one.pixels + 1, one.truth, one.labels),
        PictureTensors(one.pixels, one.truth.flip(0), one.labels),
        PictureTensors(one.pixels, one.truth, ("x", "y")),
    ]
    assert one.digest() == numbered(6).digest()
    assert len({each.digest() for each in (one, *others)}) == 4


def test_augmentation_stays_within_what_pixels_are() -> None:
    """0 to 255, the same shape; the same chance gives the same pictures."""
    pixels = torch.rand(16, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 255
    how = Augmentation(light=0.9)
    one, same, other = (augmented(pixels, how, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.shape == pixels.shape
    assert 0 <= float(one.min()) < float(one.max()) <= 255
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_each_change_is_the_one_that_is_called_so() -> None:
    """Mirrored or not; moved by no more than its share, the other way too; lighter or darker."""
    ramp = torch.arange(32.0).expand(64, 3, 32, 32).contiguous()
    chance = torch.Generator().manual_seed(3)
    flipped = augmented(ramp, Augmentation(flip=True, shift=0, light=0), chance)[:, 0, 0, 0]
    assert set(flipped.tolist()) == {0.0, 31.0}
    moved = augmented(ramp, Augmentation(flip=False, shift=0.125, light=0), chance)[:, 0, 0, 16] - 16
    assert (moved.min(), moved.max()) == (-4, 4)
    grey = torch.full((64, 3, 8, 8), 100.0)
    lit = augmented(grey, Augmentation(flip=False, shift=0, light=0.2), chance)[:, 0, 0, 0]
    assert 79.9 < float(lit.min()) < 90
    assert 110 < float(lit.max()) < 120.1


def test_nothing_is_changed_where_nothing_is_wanted() -> None:
    """Each part can be left out."""
    pixels = torch.rand(4, 3, 8, 8)
    how = Augmentation(flip=False, shift=0, light=0)
    assert torch.equal(augmented(pixels, how, torch.Generator()), pixels)


def test_a_share_of_each_class_is_kept_apart() -> None:
    """The same seed keeps the same; nothing is in both, nothing is lost, no class is empty in either."""
    truth = torch.tensor([0] * 40 + [1] * 10 + [2] * 2)
    pictures = PictureTensors(
        torch.arange(52, dtype=torch.uint8).reshape(-1, 1, 1, 1), truth, ("a", "b", "c")
    )
    learnt, kept = split(pictures, 0.2, seed=1)
    assert torch.bincount(kept.truth).tolist() == [8, 2, 1]
    both = sorted([*learnt.pixels.flatten().tolist(), *kept.pixels.flatten().tolist()])
    assert both == list(range(52))
    again, other = (split(pictures, 0.2, seed=seed)[1].pixels.flatten().tolist() for seed in (1, 2))
    assert kept.pixels.flatten().tolist() == again != other


def test_a_class_with_one_picture_is_refused_by_name() -> None:
    """Nothing could be learnt and checked at once; an empty class likewise."""
    pictures = PictureTensors(torch.zeros(4, 8, 8, 3), torch.tensor([0, 0, 1, 0]), ("cat", "dog", "owl"))
    with pytest.raises(SourceError, match=r"at least 2 pictures.*dog has 1, owl has 0"):
        split(pictures, 0.5, seed=0)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_all_or_nothing_is_no_share(share: float) -> None:
    """Told before anything is read."""
    with pytest.raises(UsageError, match="between 0 and 1"):
        split(numbered(10), share, seed=0)
