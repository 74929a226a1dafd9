"""Who watches the frames pass: told of each stage and each fate, by the thread in which it happens."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from edgecam.records import Result, SkipCause


class Stage(StrEnum):
    """What is done with a frame, in the order of its life."""

    CAPTURE = "capture"
    """From the capture time to the moment at which it lies in its slot."""
    PREPROCESS = "preprocess"
    INFER = "infer"
    POSTPROCESS = "postprocess"
    DECIDE = "decide"
    """Smoothing, groups, hysteresis, and handing what follows to the outbox."""
    PUBLISH = "publish"
    """From the outbox to the socket; once for each message that carries the frame's result."""


class Witness(Protocol):
    """Sees what happens to frames. Called from all workers' threads: quick, and never raising."""

    def stage(self, stage: Stage, camera: str, seq: int, *, began_ns: int, ended_ns: int) -> None:
        """A stage has ended, in the thread that calls. Times are BOOTTIME."""

    def skipped(self, camera: str, seq: int, cause: SkipCause, *, at_ns: int) -> None:
        """A captured frame will give no result."""

    def finished(self, result: Result) -> None:
        """A frame was classified, on time or late, and decided on."""


class Witnesses:
    """Several as one; with none it costs nothing but the call."""

    def __init__(self, witnesses: Sequence[Witness] = ()) -> None:
        """Args: who watches."""
        self._all = tuple(witnesses)

    def stage(self, stage: Stage, camera: str, seq: int, *, began_ns: int, ended_ns: int) -> None:
        """Tell each."""
        for witness in self._all:
            witness.stage(stage, camera, seq, began_ns=began_ns, ended_ns=ended_ns)

    def skipped(self, camera: str, seq: int, cause: SkipCause, *, at_ns: int) -> None:
        """Tell each."""
        for witness in self._all:
            witness.skipped(camera, seq, cause, at_ns=at_ns)

    def finished(self, result: Result) -> None:
        """Tell each."""
        for witness in self._all:
            witness.finished(result)
