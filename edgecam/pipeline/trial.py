"""Does an engine open? Tried in a thread that may hang in a library, and then is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgecam.errors import EngineError
from edgecam.inference.engine import Engine
from edgecam.pipeline.deadline import InvokeDeadline
from edgecam.pipeline.waiting import wait_unless_stopping


def try_engine(
    open_engine: Callable[[], Engine],
    *,
    model: str,
    timeout_ns: int | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Open an engine and close it again.

    Args:
        open_engine: opens and tests it.
        model: its name, for people.
        timeout_ns: how long an inference of it may take; None: as the rule says.
        is_stopping: the run is to end.

    Raises:
        EngineError: it does not open, or not in the time that an engine worker would give it.
        StoppingError: the run is to end.
    """
    faults: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            with open_engine():
                pass
        except BaseException as fault:  # noqa: BLE001 - raised by who waits
            faults.append(fault)
        finally:
            done.set()

    limit_s = InvokeDeadline(timeout_ns=timeout_ns).first_ns / 1e9
    # A daemon: what hangs in a library must not keep the process from leaving.
    threading.Thread(target=work, name=f"trial-{model}", daemon=True).start()
    if not wait_unless_stopping(done, ends_s=time.monotonic() + limit_s, is_stopping=is_stopping):
        raise EngineError(f"opening the engine of {model} does not come back (for {limit_s:.0f} s)")
    if faults:
        raise faults[0]
