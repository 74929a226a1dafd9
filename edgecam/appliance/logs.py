"""Logs go to stderr and nowhere else: text for people, priorities for the journal, JSON for collectors."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from edgecam.appliance.repeats import RepeatCounter

# syslog(3) severities, which the journal reads from a `<N>` prefix (sd-daemon(3)).
_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _Text(logging.Formatter):
    """`12:00:01 WARNING camera lost camera=main fault=…`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")


class _Journal(logging.Formatter):
    """A severity prefix and no time, which the journal knows."""

    def format(self, record: logging.LogRecord) -> str:
        severity = _SYSLOG.get(record.levelno, 6)
        return "\n".join(f"<{severity}>{line}" for line in super().format(record).splitlines())


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "data": _data(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _data(record: logging.LogRecord) -> dict[str, str | int | float | bool | None]:
    """What a message says as `key=value`, by key; values that JSON does not know as text."""
    args = record.args if isinstance(record.args, tuple) else ()
    keys = re.findall(r"(\w+)=%", str(record.msg))
    # `size=%dx%d` is two values under one key: that message is for people alone.
    if len(keys) != len(args):
        return {}
    plain = (str, int, float, bool, type(None))
    return {
        key: value if isinstance(value, plain) else str(value) for key, value in zip(keys, args, strict=True)
    }


def set_up_logging(
    level: str, *, style: Literal["auto", "text", "json"], environ: Mapping[str, str] = os.environ
) -> None:
    """Send the log of the whole process to stderr.

    Args:
        level: `debug`, `info`, `warning`, `error`.
        style: `auto` writes for the journal when stderr is the journal's stream, else text.
        environ: where `JOURNAL_STREAM` is looked up.
    """
    formatter: logging.Formatter
    if style == "json":
        formatter = _Json()
    elif style == "auto" and _stderr_is_journal(environ):
        formatter = _Journal("%(message)s")
    else:
        formatter = _Text()
    handler = RepeatCounter(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _stderr_is_journal(environ: Mapping[str, str]) -> bool:
    """True if systemd's `JOURNAL_STREAM=device:inode` is the stderr that we write to (systemd.exec(5))."""
    try:
        about = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    if not stat.S_ISSOCK(about.st_mode):
        return False
    return environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"
