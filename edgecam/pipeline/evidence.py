"""Keeps events and their pictures in files, by a thread of its own: nobody else waits for the disk."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition

from edgecam import clock
from edgecam.backoff import Backoff
from edgecam.config.schema import HistoryConfig
from edgecam.history.archive import Archive
from edgecam.pipeline.snapshots import encode
from edgecam.records import EventType, Frame
from edgecam.reports import HistoryStats, Notice, NoticeKind, NoticeLevel
from edgecam.vision.geometry import View

log = logging.getLogger(__name__)

# A disk that refuses is tried again; until then so much waits, and beyond that the oldest is lost.
_RETRY_FIRST_S, _RETRY_CAP_S = 5.0, 300.0
_MOST_EVENTS = 1000
_MOST_PICTURES = 8
# A device that sees nothing for weeks forgets in time, too.
_TIDY_S = 3600.0

EventPayload = Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What waits to be kept."""

    event: EventPayload
    picture: tuple[Frame, View] | None = None
    """Of the episode that this event starts; None: the event itself is to be kept."""


class Evidence:
    """`run` belongs to one thread; all else is for any thread, and never waits."""

    def __init__(
        self,
        folder: Path,
        config: HistoryConfig,
        tell: Callable[[Notice], None],
        *,
        retry_first_s: float = _RETRY_FIRST_S,
    ) -> None:
        """Args: where all of it lies; how much of it; who is told of a fault; when to try again."""
        self._archive = Archive(folder, max_bytes=config.max_mb * 1_000_000, keep_days=config.keep_days)
        self._with_pictures = config.pictures
        self._tell = tell
        self._changed = Condition()
        self._events: deque[_Job] = deque()
        self._pictures: deque[_Job] = deque()
        self._begun: dict[str, EventPayload] = {}
        """By camera: the start whose picture is about to come."""
        self._kept_events = self._kept_pictures = self._lost = 0
        self._backoff = Backoff(first_s=retry_first_s, cap_s=_RETRY_CAP_S)
        self._is_open = False
        self._is_degraded = False
        self._closed = False

    def decided(self, event: EventPayload) -> None:
        """An event, as it is told; it is never changed."""
        with self._changed:
            if self._with_pictures and event["event_type"] == EventType.START.value:
                self._begun[str(event["camera"])] = event
            self._put(self._events, _Job(event), most=_MOST_EVENTS)

    def show(self, frame: Frame, view: View) -> None:
        """The frame with which the camera's episode began, and how that camera is mounted."""
        with self._changed:
            event = self._begun.pop(frame.camera, None)
            if event is not None:
                self._put(self._pictures, _Job(event, (frame, view)), most=_MOST_PICTURES)

    def stats(self) -> HistoryStats:
        """The counts since the start of the program, and what all of it takes."""
        return HistoryStats(
            events=self._kept_events,
            pictures=self._kept_pictures,
            lost=self._lost,
            bytes=self._archive.total_bytes,
        )

    def run(self) -> None:
        """Until `close`, and until all that came before it is kept, or cannot be."""
        is_over = False
        while not is_over:
            self._keep_all()
            with self._changed:
                has_work = bool(self._events or self._pictures)
                is_over = self._closed and (self._is_degraded or not has_work)
                if is_over:
                    self._lost += len(self._events) + len(self._pictures)
                elif self._is_degraded:
                    self._changed.wait_for(lambda: self._closed, self._backoff.next_s())
                elif not has_work:
                    self._changed.wait(_TIDY_S)

    def close(self) -> None:
        """End `run` soon."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _put(self, waiting: deque[_Job], job: _Job, *, most: int) -> None:
        """Under the lock."""
        waiting.append(job)
        if len(waiting) > most:
            waiting.popleft()
            self._lost += 1
        self._changed.notify()

    def _keep_all(self) -> None:
        """All that waits, until the disk refuses."""
        today = datetime.now(UTC).date().isoformat() if clock.wall_clock_set() else None
        try:
            if not self._is_open:
                self._archive.open()
                self._is_open = True
            self._archive.tidy(today=today)
            for waiting in (self._events, self._pictures):
                while waiting:
                    self._keep(waiting, waiting[0], today)
        except OSError as fault:
            self._is_open = False
            self._degrade(fault.strerror or str(fault))
        else:
            self._restore()

    def _keep(self, waiting: deque[_Job], job: _Job, today: str | None) -> None:
        """Without the lock while the disk works; raises OSError."""
        try:
            if job.picture is None:
                is_kept = self._archive.add_event(job.event, today=today)
            else:
                frame, view = job.picture
                is_kept = self._archive.add_picture(job.event, encode(frame.for_people(), view), today=today)
        except ValueError as fault:
            log.error("an event makes no name for a file fault=%s", fault)  # noqa: TRY400 - foreseen
            is_kept = False
        with self._changed:
            # Else it was given up meanwhile, and counted.
            if waiting and waiting[0] is job:
                waiting.popleft()
                self._kept_events += is_kept and job.picture is None
                self._kept_pictures += is_kept and job.picture is not None
                self._lost += not is_kept

    def _degrade(self, reason: str) -> None:
        """Told once, until the disk works again."""
        if self._is_degraded:
            return
        self._is_degraded = True
        log.error("history cannot be kept, retrying reason=%s", reason)
        text = f"events and pictures are not kept at present: {reason}; they go to the broker all the same"
        self._tell(Notice(NoticeKind.HISTORY_DEGRADED, NoticeLevel.ERROR, text, {"reason": reason}))

    def _restore(self) -> None:
        if not self._is_degraded:
            return
        self._is_degraded = False
        self._backoff.restart()
        log.info("history is kept again lost=%d", self._lost)
        text = f"events and pictures are kept again; lost so far: {self._lost}"
        self._tell(Notice(NoticeKind.HISTORY_RESTORED, NoticeLevel.INFO, text, {"lost": self._lost}))
