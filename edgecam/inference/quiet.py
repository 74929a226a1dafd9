"""Keeps a native library's chatter off stderr while it loads.

LiteRT's C++ announces its CPU delegate with an `INFO:` line on file descriptor 2, and no environment
variable or Python call turns that off (`TF_CPP_MIN_LOG_LEVEL` is not heard). So the descriptor is caught
for the few milliseconds of loading; whatever else was written meanwhile, by anyone, is passed on after.
Should the library abort the process meanwhile, its last words are lost, but Python says where it was.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

log = logging.getLogger(__name__)

_STDERR = 2
# Two threads that load at once would take each other's catch for the real stderr.
_ONE_AT_A_TIME = threading.Lock()
# TFLite's own log lines, and those of abseil ("I0000 00:00:...").
_CHATTER = re.compile(r"INFO: |I\d{4} ")


@dataclass(slots=True)
class Caught:
    """What was written to stderr meanwhile; complete once the block has ended."""

    text: str = ""


@contextmanager
def chatter_caught() -> Iterator[None]:
    """Within it, informational lines written to descriptor 2 go to the debug log, all others to stderr."""
    caught = Caught()
    try:
        with stderr_caught() as caught:
            yield
    finally:
        _pass_on(caught.text)


@contextmanager
def stderr_caught() -> Iterator[Caught]:
    """Within it, nothing that is written to descriptor 2 gets there; empty if there is none."""
    caught = Caught()
    with _ONE_AT_A_TIME, ExitStack() as files:
        try:
            # In memory: a model must open also where every disk is full or read-only.
            catch = files.enter_context(os.fdopen(os.memfd_create("edgecam-stderr"), "w+b"))
            stderr = os.dup(_STDERR)
        except OSError:  # a service may run with stderr closed: then there is nothing to keep clean
            yield caught
            return
        _flush()
        os.dup2(catch.fileno(), _STDERR)
        ours = not faulthandler.is_enabled()
        if ours:
            faulthandler.enable(file=stderr, all_threads=False)
        try:
            yield caught
        finally:
            if ours:
                faulthandler.disable()
            _flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            catch.seek(0)
            caught.text = catch.read().decode("utf-8", errors="replace")


def _flush() -> None:
    if sys.stderr is not None:
        with suppress(OSError):  # as below
            sys.stderr.flush()


def _pass_on(caught: str) -> None:
    for line in caught.splitlines(keepends=True):
        if _CHATTER.match(line):
            log.debug("native library said text=%r", line.strip())
        else:
            # A full disk or a pipe that nobody reads is no reason to refuse a model.
            with suppress(OSError):
                os.write(_STDERR, line.encode())
