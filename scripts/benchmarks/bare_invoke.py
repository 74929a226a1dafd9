"""Contender: the limit. `invoke()` on a tensor that lies ready; looks at no picture and reads no answer."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.contender import parse_job, run_loop


def main() -> None:
    """Run and print."""
    job = parse_job(__doc__)
    interpreter = Interpreter(model_path=str(job.model), num_threads=job.threads)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    noise = np.random.default_rng(1).integers(0, 256, given["shape"])
    interpreter.set_tensor(given["index"], noise.astype(given["dtype"]))

    def answer(_pixels: NDArray[np.uint8]) -> int:
        interpreter.invoke()
        return -1

    run_loop(job, answer, packages=("ai-edge-litert", "numpy"))


if __name__ == "__main__":
    main()
