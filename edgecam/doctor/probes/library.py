"""Can a shared library be loaded, and is it a TFLite delegate?"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Try `libraries` (names or paths) in order; the first that is there counts.

    Returns:
        `library`: its name, None if none is there; `is_delegate`; or `fault`: why it cannot be loaded.
    """
    for name in request["libraries"]:
        try:
            library = ctypes.CDLL(name)
        except OSError as error:
            if _is_absent(name, str(error)):
                continue
            return {"library": name, "is_delegate": False, "fault": str(error)}
        return {"library": name, "is_delegate": hasattr(library, "tflite_plugin_create_delegate")}
    return {"library": None, "is_delegate": False}


def _is_absent(name: str, text: str) -> bool:
    """False if it is there and something that it needs is not: then the loader names that."""
    if "/" in name:
        return not Path(name).exists()
    return text.startswith(f"{name}: cannot open shared object file: No such file")
