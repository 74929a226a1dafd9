"""What a child process costs a frame: the same engine in this process and in a child, in turn.

On the CPU, since the detour is the same whatever runs in the child: the picture into shared memory, a message
each way, the answer out of it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgecam.inference.child_process import ChildProcess, Order
from edgecam.inference.engine import open_engine
from edgecam.inference.self_test import synthetic_tensor
from edgecam.model.store import find_model, load_model

_OPEN_S = 60.0
_ANSWER_S = 5.0
_PERIOD_S = 1 / 30


def measure(model_name: str, *, repeats: int, count: int = 100) -> Iterator[float]:
    """What a frame takes longer in the child, in ms: the difference of medians, one a repeat."""
    model = load_model(find_model(model_name, folder=Path()))
    with open_engine(model, threads=1) as here:
        order = Order(model.path, model.sha256, here.info.runtime, None, 1, here.input, here.output)
        child = ChildProcess(order)
        try:
            child.open(_OPEN_S)
            tensor = synthetic_tensor(model.card.input, here.input)
            for _ in range(repeats):
                yield _difference_ms(
                    tensor, here.invoke, lambda picture: child.invoke(picture, _ANSWER_S), count
                )
        finally:
            child.end()


def _difference_ms(
    tensor: NDArray[Any],
    here: Callable[[NDArray[Any]], NDArray[Any]],
    there: Callable[[NDArray[Any]], NDArray[Any]],
    count: int,
) -> float:
    """The difference of the medians; the two take turns, and each pauses as between two frames."""
    took_s: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for invoke, found in zip((here, there), took_s, strict=True):
            began_s = time.perf_counter()
            invoke(tensor)
            found.append(time.perf_counter() - began_s)
            time.sleep(max(0.0, _PERIOD_S - found[-1]))
    return 1000 * (statistics.median(took_s[1]) - statistics.median(took_s[0]))
