"""Contender: the loop of the tutorials. Pillow resizes, numpy normalises, `invoke()`, argmax."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from PIL import Image

from benchmarks.contender import parse_job, run_loop


def main() -> None:
    """Run and print."""
    job = parse_job(__doc__)
    interpreter = Interpreter(model_path=str(job.model), num_threads=job.threads)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    _, height_px, width_px, _ = given["shape"]
    scale, zero_point = given["quantization"]

    def answer(pixels: NDArray[np.uint8]) -> int:
        small = Image.fromarray(pixels).resize((width_px, height_px))
        tensor = np.asarray(small, np.float32) / 127.5 - 1.0
        if scale:
            limits = np.iinfo(given["dtype"])
            tensor = np.clip(np.round(tensor / scale + zero_point), limits.min, limits.max)
        interpreter.set_tensor(given["index"], tensor.astype(given["dtype"])[np.newaxis])
        interpreter.invoke()
        return int(np.argmax(interpreter.get_tensor(made["index"])))

    run_loop(job, answer, packages=("ai-edge-litert", "numpy", "pillow"))


if __name__ == "__main__":
    main()
