"""The worker of one camera: open, read, hand over; reopen what was lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event

from edgecam import clock
from edgecam.backoff import Backoff
from edgecam.capture.camera import Camera
from edgecam.errors import CameraLost, EndOfRecording, SourceError, UnreadableFrame
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.witness import Stage, Witness
from edgecam.records import Frame, Shot, SkipCause

log = logging.getLogger(__name__)

# How often a worker that waits for a frame looks whether it should stop.
_READ_TIMEOUT_S = 0.25
# How often the wall clock is looked at; it may jump.
_HOURS_CHECK_S = 1.0
_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 30.0


class CaptureWorker:
    """Runs in its own thread until stopped or, for a recording, until its end."""

    def __init__(
        self,
        lane: Lane,
        open_camera: Callable[[], Camera],
        *,
        stall_s: float,
        stop: Event,
        witness: Witness,
        opening: Opening | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Build a worker.

        Args:
            lane: the lane to feed.
            open_camera: opens its camera.
            stall_s: how long that may be silent.
            stop: the signal to stop.
            witness: sees each capture.
            opening: when the camera works; at other times it is closed. None: always.
            backoff: between attempts to open it.
        """
        self._lane = lane
        self._witness = witness
        self.opening = opening or Opening()
        """To be woken after `stop` was set."""
        self._open_camera = open_camera
        self._stall_s = stall_s
        self._stop = stop
        self._backoff = backoff or Backoff(first_s=_FIRST_RETRY_S, cap_s=_LONGEST_RETRY_S)
        self._attempts = 0
        self._lost = self._rested = False
        self._unreadable = 0

    def run(self) -> None:
        """Feed the lane.

        Raises:
            SourceError: the source cannot be used and will not mend itself; only at the first opening.
        """
        while not self._stop.is_set():
            if self.opening.why_closed is not None:
                self._rest()
                continue
            try:
                self._attempts += 1
                with self._open_camera() as camera:
                    log.info("camera opened camera=%s source=%s", self._lane.camera, camera.description)
                    try:
                        self._read_while_it_works(camera)
                    finally:
                        if self._lane.snapshots is not None:
                            self._lane.snapshots.forget(self._lane.camera)
            except EndOfRecording:
                log.info("recording ended camera=%s", self._lane.camera)
                return
            except (CameraLost, SourceError) as lost:
                # Somebody watches a start; nobody the first opening of a schedule, days later.
                if isinstance(lost, SourceError) and self._attempts == 1 and not self._rested:
                    raise
                self._tell_lost(lost)
                self.opening.wait(self._backoff.next_s())

    def _rest(self) -> None:
        """A camera that should not work is closed, which saves more than not to look at its pictures."""
        lane, self._rested = self._lane, True
        left = lane.slot.empty()
        if left is not None:
            lane.ledger.skip(SkipCause.DISABLED, left.seq)
        told = None
        while not self._stop.is_set() and (why := self.opening.why_closed) is not None:
            if why != told:
                told = why
                lane.desk.disabled(why)
                if lane.snapshots is not None and not self.opening.is_on:
                    lane.snapshots.clear(lane.camera)
            self.opening.wait(_HOURS_CHECK_S)
        if not self._stop.is_set():
            lane.desk.enabled()

    def _read_while_it_works(self, camera: Camera) -> None:
        last_ns = checked_ns = clock.boot_ns()
        while not self._stop.is_set():
            now_ns = clock.boot_ns()
            if now_ns - checked_ns > _HOURS_CHECK_S * 1e9 or not self.opening.is_on:
                checked_ns = now_ns
                if self.opening.why_closed is not None:
                    return
            try:
                shot = camera.read(_READ_TIMEOUT_S)
            except UnreadableFrame as fault:
                self._count_unreadable(fault)
                shot = None
            if shot is not None:
                last_ns = clock.boot_ns()
                self._hand_over(shot)
            elif camera.live and clock.boot_ns() - last_ns > self._stall_s * 1e9:
                raise CameraLost(f"no frame for {self._stall_s:.1f} s")

    def _hand_over(self, shot: Shot) -> None:
        lane = self._lane
        if self._lost:
            self._lost = False
            lane.desk.camera_back()
        self._backoff.restart()
        frame = Frame(lane.camera, lane.ledger.capture(), shot.image, shot.captured_ns, shot.basis)
        if lane.snapshots is not None:
            lane.snapshots.see(frame)
        put = lane.slot.put_when_free if lane.policy.lossless else lane.slot.put
        refused = put(frame)
        self._witness.stage(
            Stage.CAPTURE, lane.camera, frame.seq, began_ns=shot.captured_ns, ended_ns=clock.boot_ns()
        )
        if refused is frame:
            lane.ledger.skip(SkipCause.SHUTDOWN, frame.seq)
        elif refused is not None:
            lane.ledger.skip(SkipCause.SUPERSEDED, refused.seq)

    def _count_unreadable(self, fault: UnreadableFrame) -> None:
        self._lane.ledger.skip(SkipCause.DECODE, self._lane.ledger.capture())
        self._unreadable += 1
        # The first of a kind is news; a broken folder must not fill the journal.
        level = logging.WARNING if self._unreadable == 1 else logging.DEBUG
        log.log(level, "frame unreadable camera=%s fault=%s", self._lane.camera, fault)

    def _tell_lost(self, lost: Exception) -> None:
        if not self._lost:
            log.warning("camera lost camera=%s fault=%s", self._lane.camera, lost)
            self._lane.desk.camera_lost(str(lost))
        self._lost = True
