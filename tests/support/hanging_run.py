"""`edgecam` with a part that hangs for good: `python hanging_run.py engine|opening|camera run --config …`.

It hangs as a driver does, with Python's lock released: in the engine's inferences (`engine`), or in the reads
and the closes of every camera (`camera`), each after some good calls; or as the engine is opened (`opening`).
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable
from typing import Any

from edgecam.__main__ import main
from edgecam.capture.pattern import Pattern
from edgecam.inference.litert import LiteRtEngine
from edgecam.pipeline import deadline

_GOOD_CALLS = 20


def hang(*_: Any) -> Any:
    """Never comes back."""
    threading.Event().wait()


def hanging_after(good: Callable[..., Any]) -> Callable[..., Any]:
    """Comes back so many times."""
    calls = itertools.count()

    def call(*given: Any) -> Any:
        return good(*given) if next(calls) < _GOOD_CALLS else hang()

    return call


if __name__ == "__main__":
    match sys.argv.pop(1):
        case "engine":
            LiteRtEngine.invoke = hanging_after(LiteRtEngine.invoke)  # type: ignore[method-assign]
        case "opening":
            LiteRtEngine.invoke = hang  # type: ignore[method-assign]
            # A minute otherwise: that is for delegates that compile.
            deadline.FIRST_NS = 3_000_000_000
        case "camera":
            Pattern.read = hanging_after(Pattern.read)  # type: ignore[method-assign]
            Pattern.close = hang  # type: ignore[method-assign,assignment]
    main()
