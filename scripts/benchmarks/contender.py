"""What every contender of the comparison shares: the source, the clock, and the line that it prints.

A contender is a process of its own, `python -m benchmarks.X MODEL --pictures FILE --fps N --seconds S`,
that classifies the newest frame of a virtual camera and prints one JSON line. This file needs numpy and
nothing else, so that it loads beside any library.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WARM_UP_S = 1.0
_AGE_DIGITS = 3


@dataclass(frozen=True)
class Job:
    """What a contender is asked to do."""

    model: Path
    """A `.tflite` file."""
    pictures: Path
    """A `.npy` file, (count, height, width, 3) uint8, RGB."""
    fps: float
    """0: a fresh frame whenever one is asked for."""
    seconds: float
    """Measured, after the warm-up."""
    threads: int = 1

    @property
    def arguments(self) -> list[str]:
        """The command line that `parse_job` reads."""
        options = {name: value for name, value in vars(self).items() if name != "model"}
        return [str(self.model), *(f"--{name}={value}" for name, value in options.items())]


def parse_job(about: str | None, arguments: Sequence[str] | None = None) -> Job:
    """Read a contender's command line."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("model", type=Path, help="a .tflite file")
    parser.add_argument("--pictures", type=Path, required=True, help=".npy, (count, height, width, 3) RGB")
    parser.add_argument("--fps", type=float, required=True, help="0: a fresh frame whenever one is asked for")
    parser.add_argument("--seconds", type=float, required=True, help="measured, after the warm-up")
    parser.add_argument("--threads", type=int, default=1)
    return Job(**vars(parser.parse_args(arguments)))


@dataclass(frozen=True)
class Outcome:
    """One run of one contender: its JSON line."""

    fps_in: float
    """As asked for; 0 is as fast as it can."""
    fps_out: float
    """Frames answered."""
    ages_ms: list[float]
    """From capture to the answer, one per answered frame."""
    cpu_ms: float
    """Of the whole process, per answered frame."""
    resident_bytes: int
    answers: list[int | None]
    """The best class of each picture; None where it was not answered."""
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of the virtual camera."""

    picture: int
    """Its place in the pictures."""
    pixels: NDArray[np.uint8]
    """(height, width, 3), RGB."""
    captured_ns: int
    """CLOCK_BOOTTIME."""


class Source:
    """A virtual camera: the newest frame is worked out from the clock, so that it costs nothing.

    A frame that was waited for is captured when the wait ends, as a camera's thread would stamp it; one
    that came while the caller was busy, at the moment when it was due.
    """

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        fps: float,
        *,
        now_ns: Callable[[], int] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start the schedule: frame 0 is due now."""
        self._pictures = pictures
        self._period_ns = round(1e9 / fps) if fps else 0
        self._now_ns = now_ns or boot_ns
        self._sleep = sleep
        self._origin_ns = self._now_ns()
        self._number = -1

    def next(self) -> Frame:
        """The newest frame that was not given yet; waits for it."""
        captured_ns = self._now_ns()
        self._number += 1
        if self._period_ns:
            self._number = max(self._number, (captured_ns - self._origin_ns) // self._period_ns)
            due_ns = self._origin_ns + self._number * self._period_ns
            if due_ns > captured_ns:
                self._sleep((due_ns - captured_ns) / 1e9)
                captured_ns = self._now_ns()
            else:
                captured_ns = due_ns
        picture = self._number % len(self._pictures)
        return Frame(picture, self._pictures[picture], captured_ns)


class Meter:
    """Ages, answers, CPU and memory of one run; the warm-up is not counted."""

    def __init__(self, job: Job) -> None:
        """Load the pictures."""
        self._job = job
        self._pictures: NDArray[np.uint8] = np.load(job.pictures)
        self._begun_ns: int | None = None
        self._took_s = self._cpu_s = 0.0
        self._ages_ms: list[float] = []
        self._answers: dict[int, int] = {}

    def frames(self) -> Iterator[Frame]:
        """The frames of the warm-up, then those of the measured time."""
        source = Source(self._pictures, self._job.fps)
        yield from _until(source, boot_ns() + round(WARM_UP_S * 1e9))
        self._begun_ns, cpu_s = boot_ns(), time.process_time()
        yield from _until(source, self._begun_ns + round(self._job.seconds * 1e9))
        self._cpu_s = time.process_time() - cpu_s
        self._took_s = (boot_ns() - self._begun_ns) / 1e9

    def add(self, frame: Frame, answer: int) -> None:
        """Note the number of the best class at the moment when it is known; any one thread may call."""
        now_ns = boot_ns()
        if self._begun_ns is not None and frame.captured_ns >= self._begun_ns:
            self._ages_ms.append(round((now_ns - frame.captured_ns) / 1e6, _AGE_DIGITS))
            self._answers[frame.picture] = answer

    def outcome(self, packages: Sequence[str]) -> Outcome:
        """What was measured, after the last frame; with the versions of these packages."""
        return Outcome(
            fps_in=self._job.fps,
            fps_out=len(self._ages_ms) / self._took_s,
            ages_ms=self._ages_ms,
            cpu_ms=self._cpu_s * 1e3 / max(1, len(self._ages_ms)),
            resident_bytes=resident_bytes(),
            answers=[self._answers.get(picture) for picture in range(len(self._pictures))],
            versions=versions_of(packages),
        )


def run_loop(job: Job, answer: Callable[[NDArray[np.uint8]], int], *, packages: Sequence[str]) -> None:
    """A contender that is one loop: ask for a frame, answer it; prints its line."""
    meter = Meter(job)
    for frame in meter.frames():
        meter.add(frame, answer(frame.pixels))
    show(meter.outcome(packages))


def show(outcome: Outcome) -> None:
    """Print the JSON line."""
    print(json.dumps(asdict(outcome)))


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """Of the interpreter and of these packages."""
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **versions}


def boot_ns() -> int:
    """CLOCK_BOOTTIME, as edgecam's own ages."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def resident_bytes() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _until(source: Source, end_ns: int) -> Iterator[Frame]:
    while boot_ns() < end_ns:
        yield source.next()
