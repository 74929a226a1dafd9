"""Contender: edgecam's own chain (preprocess, engine, postprocess) in a plain loop, without the pipeline."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.contender import parse_job, run_loop
from edgecam.inference.engine import open_engine
from edgecam.model.store import bare_model, load_model
from edgecam.records import Image, PixelFormat
from edgecam.vision.geometry import View
from edgecam.vision.postprocess import Postprocessor
from edgecam.vision.preprocess import Preprocessor


def main() -> None:
    """Run and print."""
    job = parse_job(__doc__)
    cv2.setNumThreads(1)  # as the runner does
    folder = job.model.parent
    model = load_model(folder) if (folder / "card.yaml").exists() else bare_model(job.model)
    with open_engine(model, threads=job.threads) as engine:
        preprocess = Preprocessor(model.card.input, engine.input, View())
        postprocess = Postprocessor(model.card.output, engine.output, model.labels)

        def answer(pixels: NDArray[np.uint8]) -> int:
            height_px, width_px = pixels.shape[:2]
            image = Image(pixels=pixels, format=PixelFormat.RGB, width_px=width_px, height_px=height_px)
            return postprocess(engine.invoke(preprocess(image))).top[0].id

        packages = ("edgecam", "ai-edge-litert", "numpy", "opencv-python-headless")
        run_loop(job, answer, packages=packages)


if __name__ == "__main__":
    main()
