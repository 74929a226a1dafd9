"""Asks a child process what might crash or hang this one: drivers, native libraries, models."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import IO, Any

from edgecam.inference.bond import end_before_us, how_it_ended

# A child in the kernel's hands cannot be killed: it is left behind.
_KILL_S = 1.0
_MOST_REASON_CHARS = 300
# stdin, since the request may hold a camera's password, which the arguments would show to everyone.
_STUB = (
    "import importlib, json, sys\n"
    "asked = json.load(sys.stdin)\n"
    "sys.path[:] = asked['path']\n"
    "answer = importlib.import_module('edgecam.doctor.probes.answering').answer\n"
    "answer(asked['probe'], asked['request'], parent=asked['parent'])\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe said, or how it ended instead."""

    values: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    """In words, with the remedy after `; ` where it is known; empty: there was none."""
    crashed: bool = False
    """The child was ended by a signal: a library aborted it."""
    hangs: bool = False
    """It did not answer in time."""


def probe(name: str, request: dict[str, Any], *, deadline_s: float) -> Answer:
    """Let a child process do what `edgecam.doctor.probes.<name>` does.

    Args:
        name: of the probe.
        request: for the probe; plain data.
        deadline_s: after so long the child is killed.
    """
    asked = json.dumps({"path": sys.path, "parent": os.getpid(), "probe": name, "request": request})
    with _unwritten() as out, _unwritten() as err:
        child = subprocess.Popen(  # noqa: S603 - this interpreter, the words above
            [sys.executable, "-P", "-c", _STUB],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        end_before_us(child.pid)
        try:
            child.communicate(asked.encode(), timeout=deadline_s)
        except subprocess.TimeoutExpired:
            _end(child)
            return Answer(fault=f"no answer within {deadline_s:g} s", hangs=True)
        return _understand(child.returncode, _read(out), _read(err))


def _unwritten() -> IO[bytes]:
    """An empty file without a name; in memory, as the doctor is asked when every disk is full, too."""
    try:
        return os.fdopen(os.memfd_create("edgecam-doctor"), "w+b")
    except OSError:
        return tempfile.TemporaryFile()


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_KILL_S)


def _read(file: IO[bytes]) -> list[str]:
    file.seek(0)
    return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]


def _understand(code: int, out: list[str], err: list[str]) -> Answer:
    last_words = f": {err[-1][:_MOST_REASON_CHARS]}" if err else ""
    if code < 0:
        return Answer(fault=f"it ended its process by {how_it_ended(code)}{last_words}", crashed=True)
    try:
        # The libraries may have printed before it; nothing comes after it.
        values = json.loads(out[-1])
    except (IndexError, ValueError):
        return Answer(fault=f"it ended its process with code {code}{last_words}", crashed=True)
    return Answer(values=values, fault=str(values.pop("fault", "")))
