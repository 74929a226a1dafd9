"""Compares WebGPU with the CPU on photos; scripts/check-webgpu runs it where Vulkan is software.

usage: check.py FOLDER-OF-PHOTOS
"""

from __future__ import annotations

import queue
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from edgecam.config.shipped import shipped_folder
from edgecam.errors import EngineError
from edgecam.inference.choice import Wish
from edgecam.inference.compiled import CompiledEngine
from edgecam.inference.delegates import use_of
from edgecam.inference.isolated import Change
from edgecam.inference.litert import LiteRtEngine
from edgecam.inference.self_test import run_self_test, synthetic_tensor
from edgecam.model.store import load_model
from edgecam.pipeline.delegation import with_delegate
from edgecam.records import Image, PixelFormat
from edgecam.vision.geometry import View
from edgecam.vision.preprocess import Preprocessor

MODELS = ("efficientnet_lite0_int8", "efficientnet_lite0_160_int8")
LEAST_AGREEMENT = 0.95
WAIT_S = 90


def main() -> None:
    """Fails with an exit code if anything is not as it should be."""
    photos = sorted(path for path in Path(sys.argv[1]).iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})
    refuse_software()
    for name in MODELS:
        compare(name, photos)
    serve()


def refuse_software() -> None:
    """A GPU that is the CPU must be asked for."""
    path = load_model(shipped_folder() / "models" / MODELS[0]).path
    try:
        CompiledEngine(path, threads=1, delegate=use_of("webgpu", {}))
    except EngineError as error:
        if "software" not in str(error):
            raise
        print(f"refused, as it should be: {error}")  # noqa: T201 - its result
    else:
        sys.exit("software was taken for a GPU")


def compare(name: str, photos: list[Path]) -> None:
    """The same first label, but for a tie or two."""
    model = load_model(shipped_folder() / "models" / name)
    with CompiledEngine(model.path, threads=1, delegate=use_of("webgpu", {"software": "on"})) as engine:
        first_ms = run_self_test(engine, model)
        cpu = LiteRtEngine(model.path, threads=1)
        see = Preprocessor(model.card.input, cpu.input, View())
        same, off, took_ms = 0, 0, []
        for photo in photos:
            pixels = np.asarray(cv2.imread(str(photo)), np.uint8)
            tensor = see(Image(pixels, PixelFormat.BGR, pixels.shape[1], pixels.shape[0]))
            began_s = time.perf_counter()
            found = engine.invoke(tensor).astype(int)
            took_ms.append(1e3 * (time.perf_counter() - began_s))
            expected = cpu.invoke(tensor).astype(int)
            same += int(found.argmax() == expected.argmax())
            off = max(off, int(np.abs(found - expected).max()))
        print(  # noqa: T201 - its result
            f"{name}: {engine.info.name}, {engine.delegated} of {engine.operators} operators; {same} of "
            f"{len(photos)} photos have the CPU's first label, scores are up to {off} steps apart; the first "
            f"inference took {first_ms:.0f} ms, the median of the others {np.median(took_ms):.0f} ms"
        )
    if same < LEAST_AGREEMENT * len(photos):
        sys.exit("too many labels differ")


def serve() -> None:
    """As edgecam runs it: in a child, the CPU beside it until the shaders are compiled."""
    model = load_model(shipped_folder() / "models" / MODELS[0])
    changes: queue.Queue[Change] = queue.Queue()
    with with_delegate(
        LiteRtEngine(model.path, threads=1),
        model,
        Wish("webgpu", {"software": "on"}),
        timeout_ms=None,
        told=changes.put,
    ) as engine:
        change = changes.get(timeout=WAIT_S)
        if change.why:
            sys.exit(f"the child does not serve: {change.why}")
        engine.invoke(synthetic_tensor(model.card.input, engine.input))
        print(f"served from a child: {engine.info.name}")  # noqa: T201 - its result
        if engine.info.delegate != "webgpu":
            sys.exit("but not this one")


if __name__ == "__main__":
    main()
