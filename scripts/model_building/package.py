"""A model directory: the .tflite file, its card, and what it shares with the default model."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgecam.model.graph import parse_graph
from model_building.recipes import EFFICIENTNET_LITE0, Recipe

_SHARED_FILES = ("labels.txt", "groups.yaml")
_LICENCE_FILE = "LICENSE"


def write_package(recipe: Recipe, tflite: bytes, *, folder: Path, shipped: Path) -> None:
    """Write model.tflite and card.yaml, and a README unless it is a shipped model's, written by hand.

    Labels and groups are copied where they are missing; the licence likewise, if the weights are the same.

    Args:
        recipe: What was built.
        tflite: The int8 model.
        folder: The model directory; made if needed.
        shipped: The directory of the default model, source of labels, groups and licence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(tflite)
    (folder / "card.yaml").write_text(_card(recipe, tflite), encoding="utf-8")
    if not recipe.shipped:
        (folder / "README.md").write_text(_readme(recipe), encoding="utf-8")
    same_weights = recipe.published == EFFICIENTNET_LITE0.published
    for name in (*_SHARED_FILES, _LICENCE_FILE) if same_weights else _SHARED_FILES:
        if not (folder / name).exists():
            shutil.copyfile(shipped / name, folder / name)


def synthetic_picture(*, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """The self-test's picture, uint8 [height, width, 3]; the same as edgecam/inference/self_test.py makes."""
    y, x, c = np.ogrid[:height_px, :width_px, :3]
    return np.asarray(((x * (c + 1) * 7 + y * (3 - c) * 5) ^ (x * y // 16)) & 255, np.uint8)


def quantized(
    picture: NDArray[np.uint8], recipe: Recipe, *, scale: float, zero_point: int
) -> NDArray[np.int8]:
    """The int8 input tensor [1, height, width, 3] of a picture."""
    real = (picture - np.array(recipe.published.mean)) / np.array(recipe.published.std)
    return np.asarray(np.clip(np.round(real / scale) + zero_point, -128, 127), np.int8)[None]


def _top5(recipe: Recipe, tflite: bytes) -> list[int]:
    interpreter = Interpreter(model_content=tflite, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = given["quantization"]
    picture = synthetic_picture(width_px=recipe.side_px, height_px=recipe.side_px)
    interpreter.set_tensor(given["index"], quantized(picture, recipe, scale=scale, zero_point=zero_point))
    interpreter.invoke()
    scores = interpreter.get_tensor(made["index"])[0].astype(np.int32)
    return [int(index) for index in np.argsort(-scores, kind="stable")[:5]]


def _card(recipe: Recipe, tflite: bytes) -> str:
    graph = parse_graph(tflite, path=Path("model.tflite"))
    # JSON strings and lists are YAML too.
    return f"""\
schema: 1
name: {recipe.name}
description: {json.dumps(recipe.description)}
file: model.tflite
sha256: {hashlib.sha256(tflite).hexdigest()}
input:
  width_px: {recipe.side_px}
  height_px: {recipe.side_px}
  mean: {json.dumps(recipe.published.mean)}  # on 0..255 pixels: input = (pixel - mean) / std
  std: {json.dumps(recipe.published.std)}
  fit: crop
  crop_fraction: {recipe.crop_fraction}
  color: rgb
output:
  kind: logits
  background_offset: 0
licence: {recipe.published.licence}
source: {json.dumps(recipe.source)}
parameters: {graph.parameters}
macs: {graph.macs}
self_test:
  top5: {_top5(recipe, tflite)}  # of the synthetic picture
"""


def _readme(recipe: Recipe) -> str:
    mean, std = list(recipe.published.mean), list(recipe.published.std)
    return f"""\
# {recipe.name}

{recipe.description}. Built by `scripts/build_models.py --only {recipe.name}`.

Weights: {recipe.source}.

Preprocessing: centre crop of {recipe.crop_fraction} of the short side, {recipe.side_px}x{recipe.side_px} RGB,
mean {mean}, std {std} on 0..255 pixels; the output is int8 logits.
"""
