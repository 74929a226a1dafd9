"""A fault for a test: while a file exists, the interpreter's `invoke` does not come back."""

import sys
import time
from pathlib import Path

FLAG = Path("/run/hanging-engine")

if "run" in sys.orig_argv:
    from ai_edge_litert.interpreter import Interpreter

    _invoke = Interpreter.invoke

    def _hang(self: object) -> None:
        while FLAG.exists():
            time.sleep(0.05)
        _invoke(self)

    Interpreter.invoke = _hang
