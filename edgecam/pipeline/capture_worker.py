"""The worker of one camera: open, read, hand over; reopen what was lost, leave behind what hangs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Event

from edgecam import clock
from edgecam.backoff import Backoff
from edgecam.capture.camera import Camera
from edgecam.errors import CameraLost, EndOfRecording, SourceError, UnreadableFrame
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.reader import DriverLimits, Reader
from edgecam.pipeline.witness import Stage, Witness
from edgecam.records import Frame, Shot, SkipCause, Status

log = logging.getLogger(__name__)

# How often a worker that waits for a frame looks whether it should stop.
_READ_TIMEOUT_S = 0.25
# How often the wall clock is looked at; it may jump.
_HOURS_CHECK_S = 1.0
_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 30.0
# What a read may take longer than the camera may be silent.
_GRACE_S = 1.0
# So many openings may hang at once; each holds a thread and, with luck, nothing else.
_MOST_LEFT_BEHIND = 4


class CaptureWorker:
    """Runs in its own thread until stopped or, for a recording, until its end.

    Each opening of the camera has a thread of its own, which does all the work and is watched from here: one
    that hangs in the driver is left behind, and the next one begins with a camera opened anew.
    """

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
        patient: bool = False,
        limits: DriverLimits | None = None,
        upload_s: float = 0.0,
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
            patient: a source that cannot be used is tried again also before its first frame.
            limits: how long its driver may take; None: what suits `stall_s`.
            upload_s: how long opening may take beyond that, as its sensor is given a network.
        """
        self._lane = lane
        self._witness = witness
        self.opening = opening or Opening()
        """To be woken after `stop` was set."""
        self._open_camera = open_camera
        self._stall_s = stall_s
        self._stop = stop
        self._backoff = backoff or Backoff(first_s=_FIRST_RETRY_S, cap_s=_LONGEST_RETRY_S)
        self._patient = patient
        usual = limits or DriverLimits(read_s=stall_s + _GRACE_S)
        self._limits = replace(usual, open_s=usual.open_s + upload_s)
        self._left_behind: list[Reader] = []
        self._is_wedged = False
        self._lost = False
        self._has_told = False
        """Why it is lost; once, as what comes after is a guess at what was before."""
        self._unreadable = 0
        self.has_begun = False
        """True once its source can end the run no more: a frame came, it rests, or it may mend itself."""

    def run(self) -> None:
        """Feed the lane.

        Raises:
            SourceError: the source cannot be used and will not mend itself; only before its first frame.
        """
        # What a worker before this one has told still stands; why this one cannot open it may be news.
        self._lost = self._lane.desk.has(Status.NO_CAMERA)
        if self._lane.desk.has(Status.DISABLED) and self.opening.why_closed is None:
            self._lane.desk.enabled()
        while not self._stop.is_set():
            if self.opening.why_closed is not None:
                self._rest()
                continue
            try:
                self._open_and_watch()
            except EndOfRecording:
                self.has_begun = True
                log.info("recording ended camera=%s", self._lane.camera)
                return
            except (CameraLost, SourceError) as lost:
                if self._stop.is_set():
                    # It was told to leave, and its successor may do well.
                    return
                # Somebody watches a start; nobody the first opening of a schedule, days later.
                if isinstance(lost, SourceError) and not self.has_begun and not self._patient:
                    raise
                self.has_begun = True
                self._tell_lost(lost)
                self.opening.wait(self._backoff.next_s())

    @property
    def is_wedged(self) -> bool:
        """True while one opening of it hangs for good, and no other has succeeded since."""
        return self._is_wedged and any(not reader.is_gone for reader in self._left_behind)

    @property
    def declared_within_s(self) -> float:
        """How long the camera may deliver nothing before it is told lost, wherever its driver hangs."""
        return max(self._stall_s, self._limits.open_s, self._limits.read_s) + self._limits.close_s

    def succeed(self, before: CaptureWorker) -> None:
        """Before `run`: what hangs of an earlier worker's openings, now or later, counts as this one's."""
        self._left_behind = before._left_behind

    @property
    def is_leaving(self) -> bool:
        """True once it was told to leave."""
        return self._stop.is_set()

    def leave(self) -> None:
        """End `run` soon."""
        self._stop.set()
        self.opening.wake()

    def _open_and_watch(self) -> None:
        """Open the camera and see to it that frames come, until it should be closed; raises what ended it."""
        # In place: whoever was before shares it.
        self._left_behind[:] = [reader for reader in self._left_behind if not reader.is_gone]
        is_held = bool(self._left_behind)
        try:
            self._watch_opening()
        except (CameraLost, SourceError) as lost:
            if is_held:
                self._tell_wedged(lost)
            raise
        finally:
            if (snapshots := self._lane.snapshots) is not None:
                snapshots.forget(self._lane.camera)

    def _watch_opening(self) -> None:
        if len(self._left_behind) >= _MOST_LEFT_BEHIND:
            raise CameraLost(f"{_MOST_LEFT_BEHIND} openings of it hang already; waiting for one to come back")
        reader = Reader(self._lane.camera, self._open_camera, self._serve, limits=self._limits)
        reader.start()
        while not reader.ended.wait(self._limits.look_s):
            what = reader.hangs()
            if what is not None and reader.leave_behind():
                self._leave_behind(reader, what)
        # Out of the reader: its traceback leads there, and with it all that the driver held.
        fault, reader.fault = reader.fault, None
        if fault is not None:
            raise fault

    def _leave_behind(self, reader: Reader, what: str) -> None:
        """Raises CameraLost."""
        lost = CameraLost(f"its driver hangs: {what} does not come back")
        self._tell_lost(lost)
        if not reader.wait_until_gone():
            log.error("camera cannot be closed and is left behind camera=%s in=%s", self._lane.camera, what)
            self._left_behind.append(reader)
        raise lost

    def _serve(self, reader: Reader, camera: Camera) -> None:
        """In the reader's thread."""
        log.info("camera opened camera=%s source=%s", self._lane.camera, camera.description)
        try:
            self._read_while_it_works(reader, camera)
        except CameraLost as lost:
            # Now, as to close it may take its time.
            if not reader.is_left:
                self._tell_lost(lost)
            raise

    def _rest(self) -> None:
        """A camera that should not work is closed, which saves more than not to look at its pictures."""
        lane, self.has_begun = self._lane, True
        left = lane.slot.empty()
        if left is not None:
            lane.ledger.skip(SkipCause.DISABLED, left.seq)
        told = None
        while not self._stop.is_set() and (why := self.opening.why_closed) is not None:
            if why != told:
                told = why
                lane.desk.disabled(why)
                if (snapshots := lane.snapshots) is not None and not self.opening.is_on:
                    snapshots.clear(lane.camera)
            self.opening.wait(_HOURS_CHECK_S)
        if not self._stop.is_set():
            lane.desk.enabled()

    def _read_while_it_works(self, reader: Reader, camera: Camera) -> None:
        last_ns = checked_ns = clock.boot_ns()
        while not self._stop.is_set():
            now_ns = clock.boot_ns()
            if now_ns - checked_ns > _HOURS_CHECK_S * 1e9 or not self.opening.is_on:
                checked_ns = now_ns
                if self.opening.why_closed is not None:
                    return
            try:
                shot = reader.read(camera, _READ_TIMEOUT_S)
            except UnreadableFrame as fault:
                self._count_unreadable(fault)
                shot = None
            if shot is not None:
                last_ns = clock.boot_ns()
                self._hand_over(shot)
            elif camera.live and clock.boot_ns() - last_ns > self._stall_s * 1e9:
                raise CameraLost(f"no frame for {self._stall_s:.1f} s")

    def _hand_over(self, shot: Shot) -> None:
        lane, self.has_begun = self._lane, True
        if self._lost:
            self._lost = self._is_wedged = False
            self._has_told = False
            lane.desk.camera_back()
        self._backoff.restart()
        seq = lane.ledger.capture()
        frame = Frame(lane.camera, seq, shot.image, shot.captured_ns, shot.basis, shot.full, shot.outputs)
        if (snapshots := lane.snapshots) is not None:
            snapshots.see(frame)
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
        # Who was told to leave may have a successor already, whose frames come.
        if not self._has_told and not self._stop.is_set():
            self._has_told = True
            log.warning("camera lost camera=%s fault=%s", self._lane.camera, lost)
            self._lane.desk.camera_lost(str(lost))
        self._lost = True

    def _tell_wedged(self, lost: Exception) -> None:
        """Opening it anew has not helped either."""
        if not self._is_wedged and not self._stop.is_set():
            self._is_wedged = True
            log.error("camera wedged camera=%s fault=%s", self._lane.camera, lost)
            why = f"an earlier opening of it can be neither read nor closed, and holds it perhaps: {lost}"
            self._lane.desk.camera_lost(f"wedged, opening it again all the same: {why}")
