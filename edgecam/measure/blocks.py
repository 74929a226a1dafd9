"""One block of measuring: a bare `invoke()` loop, the whole pipeline, or a camera alone.

Blocks of different kinds are run in turn, several rounds of each, in one process: the machine's moods
(clock speed, heat, neighbours) then fall on all kinds alike, and the spread of the rounds shows them.
CPU time is that of this whole process, `time.process_time_ns`, over the measured span alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam import clock
from edgecam.appliance.board import board_stats
from edgecam.capture.camera import Camera
from edgecam.config.loader import LoadedConfig
from edgecam.errors import EdgecamError
from edgecam.inference.engine import Engine
from edgecam.measure.recorder import CameraBooks, Recorder
from edgecam.pipeline.assembly import Plan, assemble
from edgecam.pipeline.runner import Runner
from edgecam.pipeline.witness import Witness
from edgecam.records import Result, SkipCause

WARM_UP_INVOKES = 5
"""Before each bare block, not measured: caches, and threads that had gone to sleep."""
# A small board opens its engine within this, and a camera its stream.
_FIRST_RESULT_S = 60.0
# How long the frames of the span may take to meet their fates after it.
_SETTLE_S = 5.0
_LOOK_S = 0.05
_READ_TIMEOUT_S = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class BareBlock:
    """`invoke()` in a loop."""

    walls_ns: NDArray[np.int64]
    """(count,): how long each took."""
    began_ns: NDArray[np.int64]
    """(count,): BOOTTIME at which each began."""
    span_ns: int
    cpu_ns: int

    @property
    def count(self) -> int:
        """How many."""
        return len(self.walls_ns)


@dataclass(frozen=True, slots=True)
class SourceBlock:
    """A camera that is read and nothing else."""

    count: int
    """Of frames."""
    cpu_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class LiveBlock:
    """The whole pipeline, watched for a while."""

    began_ns: int
    """BOOTTIME, after warming up."""
    span_ns: int
    cpu_ns: int
    memory_bytes: int | None
    """Resident, of this process, at the end of the span."""
    cameras: Mapping[str, CameraBooks]
    """The frames captured within the span, by camera."""

    @property
    def captured(self) -> int:
        """Of all cameras; each is one of `results` or `skipped`."""
        return sum(books.captured for books in self.cameras.values())

    @property
    def results(self) -> list[Result]:
        """Of all cameras, in time or late."""
        return [result for books in self.cameras.values() for result in books.results]

    @property
    def skipped(self) -> Counter[SkipCause]:
        """Of all cameras, by cause."""
        return sum((books.skipped for books in self.cameras.values()), Counter())

    @property
    def sent_ages_ns(self) -> list[int]:
        """Of all cameras: from capture to the socket."""
        return [age_ns for books in self.cameras.values() for age_ns in books.sent_ages_ns]


def run_bare(
    engine: Engine, tensor: NDArray[Any], *, seconds: float, warm_up: int = WARM_UP_INVOKES
) -> BareBlock:
    """Invoke the network again and again on one input.

    Args:
        engine: open, and used by nobody else.
        tensor: as `engine.invoke` wants it.
        seconds: how long; at least one `invoke` is measured.
        warm_up: so many before, which are not measured.
    """
    for _ in range(warm_up):
        engine.invoke(tensor)
    times_ns = [clock.boot_ns()]
    ends_ns = times_ns[0] + round(seconds * 1e9)
    cpu_ns = time.process_time_ns()
    while len(times_ns) == 1 or times_ns[-1] < ends_ns:
        engine.invoke(tensor)
        times_ns.append(clock.boot_ns())
    cpu_ns = time.process_time_ns() - cpu_ns
    times = np.asarray(times_ns, np.int64)
    return BareBlock(np.diff(times), times[:-1], span_ns=int(times[-1] - times[0]), cpu_ns=cpu_ns)


def run_source(camera: Camera, *, seconds: float, warm_up: int = WARM_UP_INVOKES) -> SourceBlock:
    """Read an open camera and drop its frames: what it costs by itself."""
    for _ in range(warm_up):
        camera.read(_READ_TIMEOUT_S)
    ends_ns = clock.boot_ns() + round(seconds * 1e9)
    count, cpu_ns = 0, time.process_time_ns()
    while clock.boot_ns() < ends_ns:
        count += camera.read(_READ_TIMEOUT_S) is not None
    return SourceBlock(count, time.process_time_ns() - cpu_ns)


def run_live(
    loaded: LoadedConfig,
    *,
    seconds: float,
    warm_up_s: float = 1.0,
    device: str = "bench",
    password: str | None = None,
    plan: Plan | None = None,
    witnesses: Sequence[Witness] = (),
) -> LiveBlock:
    """Start the pipeline, let it warm up, watch it for a while, and stop it.

    Args:
        loaded: what to run.
        seconds: how long it is watched.
        warm_up_s: from the first result to the measured span.
        device: this box in topics.
        password: for the broker.
        plan: what `assemble` made of `loaded`; None: it is made here.
        witnesses: who else watches.

    Raises:
        EdgecamError: whatever ended the pipeline; it gave no result, or ended by itself too early.
    """
    recorder = Recorder()
    everyone = (recorder, *witnesses)
    runner = Runner(loaded, plan or assemble(loaded), device=device, password=password, witnesses=everyone)
    watch = _Stopwatch(recorder, seconds=seconds, warm_up_s=warm_up_s)
    timing = Thread(target=watch.run, args=(runner.request_stop,), name="stopwatch", daemon=True)
    try:
        runner.start()
        timing.start()
        runner.wait()
    finally:
        watch.cancelled.set()
        runner.stop()
    timing.join()
    return watch.block()


class _Stopwatch:
    """Takes the time and the CPU of the measured span, in its own thread, while the runner is waited for."""

    def __init__(self, recorder: Recorder, *, seconds: float, warm_up_s: float) -> None:
        self.cancelled = Event()
        self._recorder = recorder
        self._seconds = seconds
        self._warm_up_s = warm_up_s
        self._span: tuple[int, int, int, int | None] | None = None

    def run(self, request_stop: Callable[[], None]) -> None:
        """Wait for the first result, warm up, measure, let the last frames end, stop the runner."""
        try:
            if self._wait_for_result() and not self.cancelled.wait(self._warm_up_s):
                self._measure()
        finally:
            request_stop()

    def block(self) -> LiveBlock:
        """What was measured; raises EdgecamError if that came to nothing."""
        if self._span is None:
            if not self._recorder.first_result.is_set():
                raise EdgecamError(
                    f"no frame was classified within {_FIRST_RESULT_S:.0f} s; "
                    "does the camera give pictures? edgecam run tells more"
                )
            raise EdgecamError(
                f"the recording ended before {self._seconds:g} s were measured; "
                "set its loop: true, or measure for fewer --seconds"
            )
        began_ns, ended_ns, cpu_ns, memory_bytes = self._span
        cameras = self._recorder.books(since_ns=began_ns, until_ns=ended_ns)
        return LiveBlock(began_ns, ended_ns - began_ns, cpu_ns, memory_bytes, cameras)

    def _wait_for_result(self) -> bool:
        ends_ns = clock.boot_ns() + round(_FIRST_RESULT_S * 1e9)
        while not self._recorder.first_result.wait(_LOOK_S):
            if self.cancelled.is_set() or clock.boot_ns() > ends_ns:
                return False
        return True

    def _measure(self) -> None:
        began_ns, cpu_ns = clock.boot_ns(), time.process_time_ns()
        if self.cancelled.wait(self._seconds):
            return
        ended_ns, cpu_ns = clock.boot_ns(), time.process_time_ns() - cpu_ns
        self._span = (began_ns, ended_ns, cpu_ns, board_stats().memory_bytes)
        gives_up_ns = ended_ns + round(_SETTLE_S * 1e9)
        while (
            self._recorder.unsettled(since_ns=began_ns, until_ns=ended_ns) and clock.boot_ns() < gives_up_ns
        ):
            if self.cancelled.wait(_LOOK_S):
                return
