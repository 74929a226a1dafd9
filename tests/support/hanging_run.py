"""`edgecam` with a part that hangs for good: `python hanging_run.py engine|camera run --config …`.

It hangs as a driver does, with Python's lock released: in the engine's inferences (`engine`), or in the reads
and the closes of every camera (`camera`); each after some good calls.
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
    if sys.argv.pop(1) == "engine":
        LiteRtEngine.invoke = hanging_after(LiteRtEngine.invoke)  # type: ignore[method-assign]
    else:
        Pattern.read = hanging_after(Pattern.read)  # type: ignore[method-assign]
        Pattern.close = hang  # type: ignore[method-assign,assignment]
    main()
