"""What stands in the place of cameras, engines, clocks and the publisher in tests of the workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from threading import Event, Lock
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecam import clock
from edgecam.errors import CameraLost, EndOfRecording, UnreadableFrame
from edgecam.inference.engine import EngineInfo
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.witness import Stage
from edgecam.records import AgeBasis, Image, PixelFormat, Result, Shot, SkipCause, State, Status, TensorSpec
from edgecam.records import Event as EpisodeEvent
from edgecam.reports import Notice, NoticeKind

MS = 1_000_000
S = 1_000_000_000
PICTURE = Image(np.zeros((4, 4, 3), np.uint8), PixelFormat.BGR, 4, 4)
# Nothing that preprocessing could take: it raises.
BROKEN = Image(np.zeros((0, 0, 3), np.uint8), PixelFormat.BGR, 0, 0)
CAT = np.array([0.9, 0.1], np.float32)


def until(done: Callable[[], bool]) -> None:
    """Wait for another thread."""
    ends_s = time.monotonic() + 10
    while not done():
        assert time.monotonic() < ends_s
        time.sleep(0.001)


class MadeClock:
    """A BOOTTIME that stands still until somebody lets it go on, and a wall clock that goes with it."""

    def __init__(self, *, local: datetime = datetime(2024, 1, 1)) -> None:  # noqa: DTZ001 - immutable
        self._now_ns = S
        self._local = local - timedelta(seconds=1)
        self._lock = Lock()

    def boot_ns(self) -> int:
        """In the place of `clock.boot_ns`."""
        return self._now_ns

    def local_now(self) -> datetime:
        """In the place of `clock.local_now`."""
        return self._local + timedelta(microseconds=self._now_ns // 1000)

    def advance(self, by_ms: float) -> None:
        """So much later."""
        with self._lock:
            self._now_ns += int(by_ms * MS)


class MadeStop(Event):
    """A signal to stop; whoever waits for it waits on a made clock."""

    def __init__(self, made: MadeClock, *, waits: int = 1_000_000) -> None:
        """Args: the clock; it is set by itself at the last of so many waits."""
        super().__init__()
        self._made = made
        self._waits = waits

    def wait(self, timeout: float | None = None) -> bool:
        """So much later, at once."""
        self._made.advance((timeout or 0) * 1000)
        self._waits -= 1
        if self._waits <= 0:
            self.set()
        return self.is_set()


class Ear:
    """Stands where the publisher stands, and remembers."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.events: list[EpisodeEvent] = []
        self.notices: list[Notice] = []
        self.state, self.event, self.notice = self.states.append, self.events.append, self.notices.append

    def prediction(self, _result: Result) -> None:
        """Not asked for here."""

    def send(self) -> None:
        """There is no network."""

    @property
    def statuses(self) -> list[Status]:
        """In order, repeats left out."""
        seen: list[Status] = []
        for state in self.states:
            if not seen or seen[-1] is not state.decision.status:
                seen.append(state.decision.status)
        return seen

    @property
    def kinds(self) -> list[NoticeKind]:
        """Of the notices."""
        return [notice.kind for notice in self.notices]


class Fates:
    """A witness: what became of each frame, by its number; a frame of two fates has two entries."""

    def __init__(self) -> None:
        self.skips: list[tuple[int, SkipCause]] = []
        self.results: list[Result] = []

    def stage(self, stage: Stage, camera: str, seq: int, *, began_ns: int, ended_ns: int) -> None:
        """Not of interest."""

    def skipped(self, _camera: str, seq: int, cause: SkipCause, *, at_ns: int) -> None:  # noqa: ARG002
        """Remember it."""
        self.skips.append((seq, cause))

    def finished(self, result: Result) -> None:
        """Remember it."""
        self.results.append(result)

    @property
    def seqs(self) -> list[int]:
        """Of all frames that met a fate, sorted."""
        return sorted([seq for seq, _ in self.skips] + [result.seq for result in self.results])


class Opened:
    """A context manager, as cameras and engines are."""

    closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held."""
        self.closed = True


class ScriptedCamera(Opened):
    """Gives what a script says.

    `f` a frame, `b` one that preprocessing does not take, `u` an unreadable one, `l` lost once all were
    decided on.
    """

    live = True
    description = "scripted"

    def __init__(self, script: Iterable[str], ledger: Ledger) -> None:
        self._script = iter(script)
        self._ledger = ledger

    def read(self, timeout_s: float) -> Shot | None:  # noqa: ARG002 - the script has no time
        """The next step."""
        match next(self._script, "e"):
            case "f":
                return Shot(PICTURE, clock.boot_ns(), AgeBasis.ARRIVAL)
            case "b":
                return Shot(BROKEN, clock.boot_ns(), AgeBasis.ARRIVAL)
            case "u":
                raise UnreadableFrame("torn")
            case "l":
                until(lambda: self._ledger.in_flight == 0)
                raise CameraLost("unplugged")
            case _:
                raise EndOfRecording("the end")


class PacedCamera(Opened):
    """On a made clock: a picture each period; None is a camera that is lost."""

    live = True
    description = "paced"

    def __init__(
        self,
        pictures: Iterable[Image | None],
        ledger: Ledger | None,
        made: MadeClock,
        *,
        period_ms: float = 100,
    ) -> None:
        """Args: a ledger: it waits until each frame has met its fate, so that all happens in one order."""
        self._pictures = iter(pictures)
        self._ledger = ledger
        self._made = made
        self._period_ms = period_ms

    def read(self, timeout_s: float) -> Shot | None:  # noqa: ARG002 - the clock is made
        """The next picture."""
        ledger = self._ledger
        if ledger is not None:
            until(lambda: ledger.in_flight == 0)
        self._made.advance(self._period_ms)
        try:
            picture = next(self._pictures)
        except StopIteration:
            raise EndOfRecording("the end") from None
        if picture is None:
            raise CameraLost("unplugged")
        return Shot(picture, clock.boot_ns(), AgeBasis.ARRIVAL)


class ScriptedEngine(Opened):
    """Answers with a cat; fails where the script holds an exception, or answers what it holds."""

    info = EngineInfo("made", "1", "cpu", 1)
    input = TensorSpec("in", (1, 4, 4, 3), "uint8", 1.0, 0)
    output = TensorSpec("out", (1, 2), "float32")

    def __init__(self, script: Iterator[Any]) -> None:
        self._script = script

    def invoke(self, _tensor: NDArray[Any], /) -> NDArray[Any]:
        """The next answer."""
        answer = next(self._script, CAT)
        if isinstance(answer, BaseException):
            raise answer
        return np.asarray(answer, np.float32)


class TimedEngine(ScriptedEngine):
    """On a made clock: each inference takes what it is told."""

    def __init__(self, made: MadeClock, takes_ms: Callable[[], float], script: Iterable[Any] = ()) -> None:
        super().__init__(iter(script))
        self._made = made
        self._takes_ms = takes_ms

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """The next answer, so much later."""
        self._made.advance(self._takes_ms())
        return super().invoke(tensor)
