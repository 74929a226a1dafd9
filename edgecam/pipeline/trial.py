"""Does an engine open? Tried in a thread that may hang in a library, and then is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edgecam.errors import EngineError
from edgecam.inference.engine import Engine
from edgecam.pipeline.deadline import InvokeDeadline


def try_engine(open_engine: Callable[[], Engine], *, model: str, timeout_ns: int | None = None) -> None:
    """Open an engine and close it again.

    Args:
        open_engine: opens and tests it.
        model: its name, for people.
        timeout_ns: how long an inference of it may take; None: as the rule says.

    Raises:
        EngineError: it does not open, or not in the time that an engine worker would give it.
    """
    faults: list[BaseException] = []

    def work() -> None:
        try:
            with open_engine():
                pass
        except BaseException as fault:  # noqa: BLE001 - raised by who waits
            faults.append(fault)

    limit_s = InvokeDeadline(timeout_ns=timeout_ns).first_ns / 1e9
    # A daemon: what hangs in a library must not keep the process from leaving.
    thread = threading.Thread(target=work, name=f"trial-{model}", daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        raise EngineError(f"opening the engine of {model} does not come back (for {limit_s:.0f} s)")
    if faults:
        raise faults[0]
