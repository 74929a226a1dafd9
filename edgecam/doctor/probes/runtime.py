"""Which runtime and libraries this Python really gets."""

from __future__ import annotations

import importlib
from typing import Any


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Import `module`; None: the best TFLite runtime.

    Returns:
        `name` and `version`.
    """
    module = request["module"]
    if module is not None:
        return {"name": module, "version": str(getattr(importlib.import_module(module), "__version__", "?"))}
    from edgecam.inference.litert import find_runtime

    runtime = find_runtime()
    return {"name": runtime.name, "version": runtime.version}
