"""A student learns what its teacher says, with the weights and the temperature of the paper."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("safetensors", reason=WHY)

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from torch import Tensor  # noqa: E402

from edgecam.compress.architectures import design  # noqa: E402
from edgecam.compress.checkpoint import Checkpoint  # noqa: E402
from edgecam.compress.design import Block  # noqa: E402
from edgecam.compress.distil import DistilSettings, distil, distillation_loss  # noqa: E402
from edgecam.compress.scratch import untrained  # noqa: E402
from edgecam.compress.teachers import CheckpointTeacher, ModelTeacher  # noqa: E402
from edgecam.compress.tensors import UNLABELLED, Batch, PictureTensors, as_float  # noqa: E402
from edgecam.compress.training import logits_of  # noqa: E402
from edgecam.errors import EdgecamError, ModelError, SourceError, UsageError  # noqa: E402

LABELS = ("dark", "bright")
SHIPPED = Path(__file__).parents[2] / "models" / "efficientnet_lite0_160_int8"


class Oracle:
    """Says what it was told to say."""

    def __init__(self, logits: Tensor) -> None:
        self._logits = logits

    @property
    def described(self) -> Mapping[str, Any]:
        """Who it is."""
        return {"oracle": True}

    def __call__(self, batch: Batch) -> Tensor:
        """The same again."""
        return self._logits[: len(batch.truth)]


class ByBrightness:
    """Knows what a picture shows, whoever has labelled it otherwise."""

    described: Mapping[str, Any] = {"by": "brightness"}

    def __call__(self, batch: Batch) -> Tensor:
        """By the mean of all pixels."""
        bright = (batch.pixels.mean(dim=(1, 2, 3)) - 127) / 16
        return torch.stack([-bright, bright], dim=1)


def lit(count: int, *, seed: int = 0) -> PictureTensors:
    """Dark and bright noise in turns."""
    chance = torch.Generator().manual_seed(seed)
    truth = torch.arange(count) % 2
    pixels = torch.randint(0, 128, (count, 16, 16, 3), generator=chance) + 127 * truth[:, None, None, None]
    return PictureTensors(pixels.to(torch.uint8), truth, LABELS)


def student(seed: int = 1, *, side_px: int = 16, labels: tuple[str, ...] = LABELS) -> Checkpoint:
    """A network that knows nothing."""
    block = Block(expanded=8, channels=8, stride=2, kernel=3, has_expansion=False, adds=False)
    made = design("mobilenet_v2", classes=len(labels), side_px=side_px)
    made = replace(made, stem=8, blocks=(block,), head=0)
    return untrained(made, labels, seed=seed, licence="MIT", source="made")


def batch_of(truth: list[int]) -> Batch:
    """Black pictures."""
    pixels = torch.zeros(len(truth), 3, 16, 16)
    return Batch(pixels, pixels, torch.tensor(truth), torch.arange(len(truth)))


def test_the_loss_is_that_of_the_paper() -> None:
    """Worked out by hand: T squared times the divergence at T, and the labels at 1; means over pictures."""
    said, taught = torch.tensor([[1.0, -0.5], [0.2, 0.9]]), torch.tensor([[3.0, 1.0], [-2.0, 2.0]])
    temperature, weight = 3.0, 0.6
    divergence = 0.0
    for row, teacher in zip(said, taught, strict=True):
        p, q = torch.softmax(teacher / temperature, 0), torch.softmax(row / temperature, 0)
        divergence += float((p * (p / q).log()).sum())
    labels = -float(torch.log_softmax(said, 1)[torch.arange(2), torch.tensor([0, 1])].sum())
    expected = weight * temperature**2 * divergence / 2 + (1 - weight) * labels / 2
    settings = DistilSettings(temperature=temperature, weight=weight)
    found = distillation_loss(Oracle(taught), settings)(said, batch_of([0, 1]))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_gradients_are_as_large_at_any_temperature() -> None:
    """What T squared is for: weight and learning rate mean the same at every temperature."""
    sizes = []
    for temperature in (8.0, 16.0, 32.0):
        said = torch.tensor([[1.0, -0.5]], requires_grad=True)
        settings = DistilSettings(temperature=temperature, weight=1.0)
        distillation_loss(Oracle(torch.tensor([[-1.0, 2.0]])), settings)(said, batch_of([0])).backward()
        sizes.append(float(said.grad.norm()))
    assert sizes == pytest.approx([sizes[0]] * 3, rel=0.05)


def test_pictures_without_a_label_learn_from_the_teacher_only() -> None:
    """Their share of the labels' part is nothing; their share of the teacher's is as any other's."""
    said = torch.tensor([[1.0, -0.5], [0.2, 0.9]])
    teacher = Oracle(torch.zeros(2, 2))
    one, both = (
        float(distillation_loss(teacher, DistilSettings(weight=0.0))(said, batch_of(truth)))
        for truth in ([0, UNLABELLED], [0, 1])
    )
    alone = -float(torch.log_softmax(said[1], 0)[1]) / 2
    assert both - one == pytest.approx(alone, rel=1e-5)
    only = distillation_loss(teacher, DistilSettings(weight=1.0))
    assert float(only(said, batch_of([0, UNLABELLED]))) == float(only(said, batch_of([0, 1])))


def test_a_student_learns_from_its_teacher_and_not_from_wrong_labels() -> None:
    """With the whole weight on the teacher, labels do not count."""
    pictures = lit(64)
    wrong = PictureTensors(pictures.pixels, 1 - pictures.truth, LABELS)
    settings = DistilSettings(epochs=12, learning_rate=1e-2, batch=16, weight=1.0, augmentation=None)
    made = distil(student(), ByBrightness(), wrong, settings, seed=1)
    other = lit(40, seed=4)
    right = logits_of(made.network(), other, made.mean, made.std).argmax(1) == other.truth
    assert float(right.float().mean()) > 0.95


def test_unlabelled_pictures_are_learnt_of() -> None:
    """Without them a student whose labelled pictures are all dark cannot know what bright ones are."""
    dark = lit(40)
    blind = PictureTensors(dark.pixels[dark.truth == 0], torch.arange(20) % 2, LABELS)
    unlabelled = PictureTensors(lit(40, seed=2).pixels, torch.full((40,), UNLABELLED), ())
    settings = DistilSettings(epochs=12, learning_rate=1e-2, batch=15, weight=1.0, augmentation=None)
    made = distil(student(), ByBrightness(), blind, settings, seed=1, unlabelled=unlabelled)
    other = lit(40, seed=4)
    right = logits_of(made.network(), other, made.mean, made.std).argmax(1) == other.truth
    assert float(right.float().mean()) > 0.95
    assert made.steps[-1]["unlabelled"] == {"count": 40, "sha256": unlabelled.digest()}


def test_the_same_seed_gives_the_same_weights() -> None:
    """And what was done is recorded so that it can be written."""
    teacher = CheckpointTeacher(student(7), LABELS)
    one, again, other = (
        distil(student(), teacher, lit(20), DistilSettings(epochs=2), seed=seed) for seed in (1, 1, 2)
    )
    assert all(torch.equal(one.state[name], again.state[name]) for name in one.state)
    assert not torch.equal(one.state["linear.weight"], other.state["linear.weight"])
    (step,) = json.loads(json.dumps(one.steps))
    assert (step["step"], step["teacher"]["family"]) == ("distil", "mobilenet_v2")
    assert step["settings"]["temperature"] == 4.0


def test_a_teacher_s_labels_are_found_by_name() -> None:
    """In whatever order, and among others; a class that it does not know is named."""
    known = student(3, labels=("bright", "cat", "dark"))
    pictures = lit(6)
    batch = Batch(as_float(pictures.pixels), torch.zeros(6), pictures.truth, torch.arange(6))
    said = logits_of(known.network(), pictures, known.mean, known.std)
    torch.testing.assert_close(CheckpointTeacher(known, LABELS)(batch), said[:, [2, 0]])
    with pytest.raises(ModelError, match="does not know dog; it has 3 labels, bright, cat, dark"):
        CheckpointTeacher(known, ("dog", "cat"))


def test_a_larger_teacher_sees_larger_pictures() -> None:
    """Enlarged to its own side and normalised as it wants them."""
    teacher = CheckpointTeacher(student(3, side_px=32), LABELS)
    flat = torch.full((2, 3, 16, 16), 50.0)
    enlarged = torch.full((2, 3, 32, 32), 50.0)
    batches = [Batch(pixels, pixels, torch.zeros(2), torch.arange(2)) for pixels in (flat, enlarged)]
    torch.testing.assert_close(teacher(batches[0]), teacher(batches[1]), atol=1e-5, rtol=1e-5)


def test_a_model_directory_teaches_what_the_live_path_says(tmp_path: Path) -> None:
    """Its answers of each picture file, among the student's classes, by the places of the batch."""
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        noise = np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8)
        cv2.imwrite(str(paths[-1]), noise)
    teacher = ModelTeacher(SHIPPED, paths, ("goldfish", "tench"))
    pixels = torch.zeros(2, 3, 16, 16)
    answers = torch.softmax(teacher(Batch(pixels, pixels, torch.zeros(2), torch.tensor([2, 0]))), dim=1)
    assert answers.shape == (2, 2)
    assert teacher.described["model"] == "efficientnet_lite0_160_int8"
    again = ModelTeacher(SHIPPED, paths[::-1], ("tench", "goldfish"))
    other = torch.softmax(again(Batch(pixels, pixels, torch.zeros(2), torch.tensor([0, 2]))), dim=1)
    torch.testing.assert_close(answers, other.flip(1))
    with pytest.raises(SourceError, match="asked about 3 pictures, and there are more"):
        teacher(Batch(pixels, pixels, torch.zeros(2), torch.tensor([0, 3])))


def test_a_picture_that_the_teacher_cannot_read_is_named(tmp_path: Path) -> None:
    """Before anything is learnt."""
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"bad\.jpg: is not a picture"):
        ModelTeacher(SHIPPED, [tmp_path / "bad.jpg"], ("tench",))


@pytest.mark.parametrize(
    ("changes", "pictures", "error", "reason"),
    [
        ({"temperature": 0.0}, lit(8), UsageError, "temperature above 0"),
        ({"weight": 1.5}, lit(8), UsageError, "weight of 0 to 1"),
        (
            {},
            replace(lit(8), labels=("bright", "dark")),
            SourceError,
            "pictures show bright, dark, the student",
        ),
        (
            {},
            replace(lit(8), pixels=torch.zeros(8, 32, 32, 3)),
            SourceError,
            "at 32 px, the student sees 16 px",
        ),
        ({}, lit(3), SourceError, "bright has 1"),
    ],
)
def test_what_cannot_be_taught_is_refused(
    changes: dict[str, Any], pictures: PictureTensors, error: type[EdgecamError], reason: str
) -> None:
    """Settings, other labels, another side, a class of one picture: each with what is wrong."""
    with pytest.raises(error, match=reason):
        distil(student(), ByBrightness(), pictures, DistilSettings(**changes), seed=1)
