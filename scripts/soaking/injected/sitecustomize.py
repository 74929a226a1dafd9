"""Put on the path of a process that soaks: its engine does what the file `$SOAK_ORDER` says, once."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from edgecam.errors import EngineError
from edgecam.inference.litert import LiteRtEngine

_ORDER = Path(os.environ["SOAK_ORDER"])
_FOR_EVER_S = 10**6
_invoke = LiteRtEngine.invoke


def _invoke_or_fail(self: LiteRtEngine, tensor: Any, /) -> Any:
    try:
        order = _ORDER.read_text(encoding="ascii")
        _ORDER.unlink()
    except FileNotFoundError:
        return _invoke(self, tensor)
    if order == "hang":
        time.sleep(_FOR_EVER_S)
    if order == "abort":
        os.abort()
    raise EngineError("the soak wants this inference to fail")


LiteRtEngine.invoke = _invoke_or_fail  # type: ignore[method-assign]
