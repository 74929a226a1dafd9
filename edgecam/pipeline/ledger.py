"""The books of one camera: every captured frame ends as exactly one thing."""

from __future__ import annotations

from collections import Counter, deque
from threading import Lock

from edgecam import clock
from edgecam.pipeline.witness import Witness
from edgecam.records import Result, SkipCause
from edgecam.reports import CameraCounts, CameraStats, percentiles

# A minute at 60 fps, the longest usual heartbeat: enough for honest percentiles, and bounded.
_MOST_RECENT = 3600


class Ledger:
    """Counts one camera's frames. Thread-safe: capture and engine workers both write."""

    def __init__(self, camera: str, *, start_ns: int, witness: Witness) -> None:
        """Args: the camera; BOOTTIME from which the first rates count; who hears of each fate."""
        self._camera = camera
        self._witness = witness
        self._lock = Lock()
        self._captured = self._results = self._late = 0
        self._skipped: Counter[SkipCause] = Counter()
        self._engines: Counter[str] = Counter()
        self._closed = False
        self._since_ns = start_ns
        self._captured_before = 0
        self._finished_recently = 0
        self._recent: deque[Result] = deque(maxlen=_MOST_RECENT)

    @property
    def in_flight(self) -> int:
        """Captured and not yet at an end: in the slot or in the engine."""
        with self._lock:
            return self._captured - self._results - self._late - self._skipped.total()

    def capture(self) -> int:
        """A frame was captured; its number, counted from 1."""
        with self._lock:
            if not self._closed:
                self._captured += 1
            return self._captured

    def skip(self, cause: SkipCause, seq: int) -> None:
        """A captured frame will give no result."""
        with self._lock:
            if self._closed:
                return
            self._skipped[cause] += 1
        self._witness.skipped(self._camera, seq, cause, at_ns=clock.boot_ns())

    def close(self) -> None:
        """The program stops: what is still in flight is skipped for it, and comes too late to count."""
        with self._lock:
            left = self._captured - self._results - self._late - self._skipped.total()
            self._skipped[SkipCause.SHUTDOWN] += left
            self._closed = True

    def finish(self, result: Result) -> None:
        """A captured frame was classified, on time or late."""
        with self._lock:
            if self._closed:
                return
            if result.late:
                self._late += 1
            else:
                self._results += 1
            self._engines[result.engine] += 1
            self._finished_recently += 1
            self._recent.append(result)
        self._witness.finished(result)

    def counts(self) -> CameraCounts:
        """The books now, as one moment has them."""
        with self._lock:
            return CameraCounts(
                captured=self._captured,
                results=self._results,
                late=self._late,
                skipped={cause: self._skipped[cause] for cause in SkipCause},
            )

    def report(self, *, now_ns: int) -> CameraStats:
        """The books now; rates and percentiles are over the time since the last report."""
        with self._lock:
            span_s = max(now_ns - self._since_ns, 1) / 1e9
            fps_in = (self._captured - self._captured_before) / span_s
            fps_out = self._finished_recently / span_s
            recent = tuple(self._recent)
            self._recent.clear()
            self._since_ns, self._captured_before, self._finished_recently = now_ns, self._captured, 0
            captured, results, late = self._captured, self._results, self._late
            skipped = {cause: self._skipped[cause] for cause in SkipCause}
            engines = dict(self._engines)
        return CameraStats(
            captured=captured,
            results=results,
            late=late,
            skipped=skipped,
            fps_in=fps_in,
            fps_out=fps_out,
            age=percentiles([r.finished_ns - r.captured_ns for r in recent]),
            preprocess=percentiles([r.stages.preprocess_ns for r in recent]),
            infer=percentiles([r.stages.infer_ns for r in recent]),
            postprocess=percentiles([r.stages.postprocess_ns for r in recent]),
            engines=engines,
        )
