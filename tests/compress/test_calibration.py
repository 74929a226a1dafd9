"""The pictures of a calibration: which are taken, how they are cut, what is told of them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from make_tiny_model import Tiny

from edgecam.compress.calibration import (
    calibration_inputs,
    digest_of_pictures,
    find_pictures,
    input_range,
    made_images,
    tensors_of,
)
from edgecam.compress.quantization import Scheme, quantize
from edgecam.errors import SourceError, UnusableError
from edgecam.inference.litert import LiteRtEngine
from edgecam.model.card import InputCard
from edgecam.model.store import load_model

PHOTOS = Path(__file__).parents[1] / "data"


def named(folder: Path, *names: str) -> None:
    """Copies of the cat under these names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((PHOTOS / "cat.jpg").read_bytes())


def test_of_many_pictures_every_folder_has_its_share(tmp_path: Path) -> None:
    """The first two hundred by name would be of one class."""
    named(
        tmp_path,
        *(f"{label}/{number}.jpg" for label in "abc" for number in range(4)),
        "notes.txt",
        ".cache/d.jpg",
        "a/._0.jpg",
    )
    taken = find_pictures(tmp_path, most=6)
    assert [path.parent.name for path in taken] == ["a", "a", "b", "b", "c", "c"]
    assert len(find_pictures(tmp_path)) == 12


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    """Nothing would be calibrated."""
    with pytest.raises(SourceError, match=r"has no picture; looked for .*\.jpg"):
        find_pictures(tmp_path)
    with pytest.raises(SourceError, match="there is no such folder"):
        find_pictures(tmp_path / "none")


def test_a_network_is_calibrated_with_what_it_sees_live(tiny: ModuleType, tmp_path: Path) -> None:
    """The float input is the real value of the int8 input that the live path makes of the same picture."""
    model = load_model(tiny.write_folder(tmp_path / "net", Tiny(dtype="int8")))
    with LiteRtEngine(model.path, threads=1) as engine:
        (live,) = tensors_of(model.card.input, engine.input, made_images(model.card.input, 1))
        scale, zero_point = engine.input.scale, engine.input.zero_point
        spec = engine.input
    assert scale is not None
    assert zero_point is not None
    (real,) = tensors_of(
        model.card.input,
        type(spec)("image", spec.shape, "float32", None, None),
        made_images(model.card.input, 1),
    )
    assert np.abs(real - scale * (live.astype(np.float32) - zero_point)).max() <= scale / 2 + 1e-6
    (photo,) = calibration_inputs(model.card.input, [PHOTOS / "cat.jpg"])
    assert photo.shape == spec.shape
    assert np.ptp(photo) > 0.5


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        ((127.0,), (128.0,), (-127 / 128, 1.0)),
        ((127.5,), (127.5,), (-1.0, 1.0)),
        ((123.0, 116.0, 103.0), (58.0, 57.0, 57.0), (-123 / 58, 152 / 57)),
        ((0.0,), (-255.0,), (-1.0, 0.0)),
    ],
)
def test_the_input_range_is_what_pixels_can_reach(
    mean: tuple[float, ...], std: tuple[float, ...], expected: tuple[float, float]
) -> None:
    """Over all colours, whatever the pictures of the calibration happened to reach."""
    assert input_range(InputCard(8, 8, mean, std)) == pytest.approx(expected)


def test_the_hash_of_pictures_is_that_of_their_contents(tmp_path: Path) -> None:
    """Names and order do not matter, a changed picture does."""
    named(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "b.jpg").write_bytes((PHOTOS / "espresso.jpg").read_bytes())
    both = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    before = digest_of_pictures(both)
    assert digest_of_pictures([PHOTOS / "espresso.jpg", PHOTOS / "cat.jpg"]) == before
    assert digest_of_pictures([both[0], both[0]]) != before


def test_without_the_quantizer_the_remedy_is_named(tiny: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra of its own, small enough for any machine."""
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    with pytest.raises(
        UnusableError, match=r"not installed .*: `pip install 'edgecam\[quantize\]'`"
    ) as caught:
        quantize(tiny.make(Tiny(dtype="float32")), Scheme.FLOAT16)
    assert caught.value.exit_code == 69
