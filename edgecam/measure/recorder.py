"""A witness that keeps what it is told, and opens the books of a span of time afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event

from edgecam.pipeline.witness import Stage
from edgecam.records import Result, SkipCause


@dataclass(slots=True)
class CameraBooks:
    """The frames that one camera captured within a span: each is a result or skipped for one cause."""

    captured: int = 0
    results: list[Result] = field(default_factory=list)
    """In time or late, in the order in which they were finished."""
    skips: list[tuple[SkipCause, int]] = field(default_factory=list)
    """Cause, and BOOTTIME at which it was skipped; of one that met no fate, its capture time."""
    sent_ns: dict[int, int] = field(default_factory=dict)
    """By seq: BOOTTIME at which the first message with this result was with the socket."""
    stages_ns: dict[Stage, list[int]] = field(default_factory=lambda: defaultdict(list))
    """How long each stage took, a value a frame (PUBLISH: a value a message)."""

    @property
    def late(self) -> int:
        """How many of the results were older than the budget."""
        return sum(result.late for result in self.results)

    @property
    def ages_ns(self) -> list[int]:
        """From capture to the end of the chain, of every result."""
        return [result.finished_ns - result.captured_ns for result in self.results]

    @property
    def sent_ages_ns(self) -> list[int]:
        """From capture to the socket, of every result that was published."""
        return [
            self.sent_ns[result.seq] - result.captured_ns
            for result in self.results
            if result.seq in self.sent_ns
        ]

    @property
    def skipped(self) -> Counter[SkipCause]:
        """How many frames were skipped, by cause."""
        return Counter(cause for cause, _ in self.skips)


class Recorder:
    """A `Witness`: keeps everything until asked. For seconds or minutes, not for ever."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.first_result = Event()
        """Set once a frame was classified."""
        # Appending is atomic, and the workers that call shall not wait for each other here. Tuples of texts
        # and numbers alone cost the garbage collector nothing, however many there are.
        self._stages: dict[Stage, list[tuple[str, int, int, int]]] = {stage: [] for stage in Stage}
        self._skips: dict[SkipCause, list[tuple[str, int, int]]] = {cause: [] for cause in SkipCause}
        self._results: list[Result] = []

    def stage(self, stage: Stage, camera: str, seq: int, *, began_ns: int, ended_ns: int) -> None:
        """Keep it."""
        self._stages[stage].append((camera, seq, began_ns, ended_ns))

    def skipped(self, camera: str, seq: int, cause: SkipCause, *, at_ns: int) -> None:
        """Keep it."""
        self._skips[cause].append((camera, seq, at_ns))

    def finished(self, result: Result) -> None:
        """Keep it."""
        self._results.append(result)
        if not self.first_result.is_set():
            self.first_result.set()

    def unsettled(self, *, since_ns: int, until_ns: int) -> int:
        """How many frames captured in the span have met no fate yet."""
        fates = {(camera, seq) for skips in self._skips.values() for camera, seq, _ in list(skips)}
        fates |= {(result.camera, result.seq) for result in list(self._results)}
        return len(self._captured(since_ns, until_ns).keys() - fates)

    def books(self, *, since_ns: int, until_ns: int) -> dict[str, CameraBooks]:
        """Every frame captured in the span, with its fate, also when that came later; by camera.

        To be called once the workers have ended: a frame without a fate then counts as lost to the stop.
        """
        captured = self._captured(since_ns, until_ns)
        books: dict[str, CameraBooks] = defaultdict(CameraBooks)
        for camera, _ in captured:
            books[camera].captured += 1
        for result in self._results:
            if captured.pop((result.camera, result.seq), None) is not None:
                books[result.camera].results.append(result)
        for cause, skips in self._skips.items():
            for camera, seq, at_ns in skips:
                if captured.pop((camera, seq), None) is not None:
                    books[camera].skips.append((cause, at_ns))
        for (camera, _), at_ns in captured.items():
            books[camera].skips.append((SkipCause.SHUTDOWN, at_ns))
        self._add_stages(books, since_ns, until_ns)
        return dict(books)

    def _add_stages(self, books: Mapping[str, CameraBooks], since_ns: int, until_ns: int) -> None:
        captured = self._captured(since_ns, until_ns)
        for stage, spans in self._stages.items():
            for camera, seq, began_ns, ended_ns in spans:
                if (camera, seq) in captured:
                    books[camera].stages_ns[stage].append(ended_ns - began_ns)
                    if stage is Stage.PUBLISH:
                        books[camera].sent_ns.setdefault(seq, ended_ns)

    def _captured(self, since_ns: int, until_ns: int) -> dict[tuple[str, int], int]:
        """Frames of the span, and their capture times."""
        times: dict[tuple[str, int], int] = {}
        for camera, seq, captured_ns in self._told():
            times.setdefault((camera, seq), captured_ns)
        return {frame: at_ns for frame, at_ns in times.items() if since_ns <= at_ns < until_ns}

    def _told(self) -> Iterator[tuple[str, int, int]]:
        """Whatever says when a frame was captured; of one that could not even be read, its skip."""
        for camera, seq, began_ns, _ in list(self._stages[Stage.CAPTURE]):
            yield camera, seq, began_ns
        for result in list(self._results):
            yield result.camera, result.seq, result.captured_ns
        for skips in self._skips.values():
            yield from list(skips)
