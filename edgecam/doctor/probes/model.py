"""Does a model fit its card, and does the engine compute with it what the card says?"""

from __future__ import annotations

import os
import queue
import time
from pathlib import Path
from typing import Any

from edgecam.appliance.accelerators import find_accelerators
from edgecam.appliance.board import board_model
from edgecam.inference.choice import AUTO, Wish, unsuited
from edgecam.inference.engine import Engine, open_engine
from edgecam.inference.engines import TFLITE
from edgecam.inference.isolated import Change
from edgecam.inference.thread_store import ThreadStore
from edgecam.inference.threads import ThreadChoice
from edgecam.model.bare import bare_model
from edgecam.model.model import Model
from edgecam.model.store import load_model
from edgecam.pipeline.delegation import with_delegate


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Load the model at `path`; with `run`, open its `engine` as `edgecam run` does, and then its `delegate`.

    Returns:
        `name`, `labels` (how many), and with `run`: `engine`, `threads`, `took_ms` for one inference after
        the first, `accelerator`: what became of the delegate, None if there is none, and `unused`: which are
        there, and why `auto` takes none of them.
    """
    path = Path(request["path"])
    model = bare_model(path) if path.is_file() else load_model(path)
    values = {"name": model.name, "labels": len(model.labels)}
    if not request["run"]:
        return values
    from edgecam.inference.self_test import run_self_test

    with _open(model, request) as engine:
        began_s = time.perf_counter()
        run_self_test(engine, model)
        took_ms = (time.perf_counter() - began_s) * 1000
        accelerator = None if request["delegate"] is None else _accelerator(engine, model, request)
        unused = []
        if request["delegate"] == AUTO and accelerator is None and engine.info.runtime in TFLITE:
            unused = unsuited(model, dtype=engine.input.dtype, plugged_in=find_accelerators())
        return {
            **values,
            "engine": engine.info.name,
            "threads": engine.info.threads,
            "took_ms": round(took_ms, 1),
            "accelerator": accelerator,
            "unused": unused,
        }


def _open(model: Model, request: dict[str, Any]) -> Engine:
    """With the threads that a run remembers in `measured_threads`, if they are `auto` and that is given."""

    def open_with(threads: int | None) -> Engine:
        return open_engine(model, **{**request["open"], "threads": threads})

    measured = request.get("measured_threads")
    if measured is None or request["open"]["threads"] is not None:
        return open_with(request["open"]["threads"])
    choice = ThreadChoice(
        ThreadStore(Path(measured)), board=board_model(), cores=len(os.sched_getaffinity(0))
    )
    return choice.open(model, open_with, may_measure=False)


def _accelerator(engine: Engine, model: Model, request: dict[str, Any]) -> dict[str, Any] | None:
    changes: queue.Queue[Change] = queue.Queue()
    wish = Wish(request["delegate"], request["delegate_options"])
    served = with_delegate(engine, model, wish, timeout_ms=request.get("timeout_ms"), told=changes.put)
    if served is engine:
        return None
    with served:
        try:
            change = changes.get(timeout=request["patience_s"])
        except queue.Empty:
            why = (
                f"the delegate {wish.delegate} is not ready after {request['patience_s']:g} s: its library "
                "hangs, or compiles the model; see that its device works, or update the library"
            )
            change = Change(engine.info, why)
        return {
            "delegate": change.info.delegate,
            "why": change.why,
            "delegated": change.delegated,
            "operators": change.operators,
        }
