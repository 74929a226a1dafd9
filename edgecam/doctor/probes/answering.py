"""The child's side of `probing`: calls one probe, and says its answer as the last line of stdout."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

from edgecam.errors import EdgecamError
from edgecam.inference.bond import end_with


def answer(name: str, request: dict[str, Any], *, parent: int) -> None:
    """Print what the probe `name` says, or its fault, and end this process at once.

    Args:
        name: of the probe.
        request: what it is asked.
        parent: the process that asks. Whoever waits too long for what hangs ends that, and this with it.
    """
    end_with(parent)
    try:
        values: dict[str, Any] = importlib.import_module(f"edgecam.doctor.probes.{name}").look(request)
    except EdgecamError as error:
        values = {"fault": str(error), "kind": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - whatever a library raises is the answer
        values = {"fault": f"{type(error).__name__}: {error}"}
    print(f"\n{json.dumps(values)}", flush=True)  # noqa: T201 - the parent reads it
    sys.stderr.flush()
    # Without the libraries' farewells, some of which crash.
    os._exit(0)
