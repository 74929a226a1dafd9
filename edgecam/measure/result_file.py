"""Reads back what `edgecam bench --json` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgecam.errors import UsageError
from edgecam.measure.figures import Figure

_MAX_BYTES = 10_000_000
_KINDS = ("model", "engines", "pipeline")


def read_report(path: Path) -> dict[str, Any]:
    """A result of kind `model`, `engines` or `pipeline`, with figures that can be compared.

    Raises:
        UsageError: the file cannot be read, or is no such result.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--compare: {path} cannot be read: {reason}") from error
    try:
        report = _parse(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"--compare: {path} is no result of edgecam bench; write one with edgecam bench --json > FILE"
        ) from error
    return report


def _parse(content: bytes) -> dict[str, Any]:
    """Raises whatever goes wrong when it is looked at as a result."""
    if len(content) > _MAX_BYTES:
        raise ValueError("too long")
    report: dict[str, Any] = json.loads(content)
    if report["schema"] != 1 or report["kind"] not in _KINDS:
        raise ValueError("another schema")
    for what in ("machine", "models", "settings"):
        report[what].items()
    for part in report["parts"]:
        str.strip(part["name"])
        for figure in part["figures"].values():
            Figure.from_json(figure)
    return report
