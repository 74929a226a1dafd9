"""The trace of a run, written at its end and whenever it is asked for."""

from __future__ import annotations

import logging
import signal
from types import FrameType

from edgecam.errors import EdgecamError
from edgecam.pipeline.trace import Trace

log = logging.getLogger(__name__)


class WantedTrace:
    """Writes the trace at the end, and after SIGUSR1, outside the signal handler."""

    def __init__(self, trace: Trace | None) -> None:
        """Without a trace the signal keeps its usual meaning."""
        self._trace = trace
        self._asked = False
        if trace is not None:
            signal.signal(signal.SIGUSR1, self._ask)

    def write_if_asked(self) -> None:
        """Called now and then."""
        if self._asked:
            self._asked = False
            self.write()

    def write(self) -> None:
        """A trace that cannot be written ends nothing, and hides no other failure."""
        if self._trace is None:
            return
        try:
            self._trace.write()
        except EdgecamError as error:
            log.error("no trace reason=%s", error)  # noqa: TRY400 - foreseen
        else:
            log.info("trace written")

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
