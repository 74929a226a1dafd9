"""Does a model fit its card, and does the engine compute with it what the card says?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from edgecam.inference.engine import open_engine
from edgecam.model.bare import bare_model
from edgecam.model.store import load_model


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Load the model at `path`; with `run`, open its `engine` as `edgecam run` does.

    Returns:
        `name`, `labels` (how many), and with `run`: `engine`, `took_ms` for one inference after the first.
    """
    path = Path(request["path"])
    model = bare_model(path) if path.is_file() else load_model(path)
    values = {"name": model.name, "labels": len(model.labels)}
    if not request["run"]:
        return values
    from edgecam.inference.self_test import run_self_test

    with open_engine(model, **request["open"]) as engine:
        began_s = time.perf_counter()
        run_self_test(engine, model)
        took_ms = (time.perf_counter() - began_s) * 1000
        return {**values, "engine": engine.info.name, "took_ms": round(took_ms, 1)}
