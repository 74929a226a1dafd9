"""Asks the scheduler about the frames in the slots, and does what it says, until there is a frame to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edgecam import clock
from edgecam.pipeline.chain import Chain, Picked
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.estimate import ServiceTimes
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.scheduler import Run, Scheduler, Skip, Wait, Waiting
from edgecam.records import Frame, SkipCause


class Picker:
    """Picks for one engine worker; one thread at a time."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        bell: Doorbell,
        times: ServiceTimes,
        *,
        prefer_freshness: bool,
        chain_of: Callable[[str], Chain],
    ) -> None:
        """Args: the cameras, their bell, what stages take, may the engine wait, a camera's chain."""
        self._lanes = {lane.camera: lane for lane in lanes}
        self._bell = bell
        self._times = times
        self._chain_of = chain_of
        self._scheduler = Scheduler(
            {lane.camera: lane.policy for lane in lanes},
            start_ns=clock.boot_ns(),
            prefer_freshness=prefer_freshness,
        )

    def revise(self, *, prefer_freshness: bool) -> None:
        """The lanes have other policies now."""
        policies = {camera: lane.policy for camera, lane in self._lanes.items()}
        self._scheduler.revise(policies, prefer_freshness=prefer_freshness)

    def pick(self, free_ns: int | None = None) -> Picked | Wait | None:
        """The frame to run; skips those that should not be on the way. None: no frame waits.

        Args:
            free_ns: when the engine will be free, BOOTTIME; None: it is.
        """
        while True:
            now_ns = clock.boot_ns()
            with self._bell.lock:
                choice = self._scheduler.choose(self._waiting(free_ns), now_ns=now_ns, free_ns=free_ns)
                if choice is None or isinstance(choice, Wait):
                    return choice
                lane = self._lanes[choice.camera]
                frame = lane.slot.take()
            if frame is None:
                # Its camera was closed in this very moment, and took it back.
                continue
            if isinstance(choice, Skip):
                lane.ledger.skip(choice.cause, frame.seq)
            elif (picked := self._look_at(lane, frame, choice)) is not None:
                self._scheduler.ran(frame.camera, frame.captured_ns, now_ns=now_ns)
                return picked

    def _look_at(self, lane: Lane, frame: Frame, run: Run) -> Picked | None:
        """What the motion gate lets through; None, and booked, if nothing moved."""
        if lane.gate is None:
            return Picked(frame, run.probe, None)
        if not lane.desk.is_ok:
            # Nobody knows what is seen: that it does not move says nothing.
            lane.gate.reset()
        plan = self._chain_of(lane.camera).plan_of(frame)
        if lane.gate.admits(frame.image, captured_ns=frame.captured_ns, plan=plan):
            return Picked(frame, run.probe, lane.gate.last)
        if lane.desk.still(frame.captured_ns):
            lane.episode_began(frame)
        lane.ledger.skip(SkipCause.STILL, frame.seq)
        return None

    def _waiting(self, free_ns: int | None) -> Iterator[Waiting]:
        for camera, lane in self._lanes.items():
            frame = lane.slot.peek()
            if frame is not None:
                expected = self._times.expected(camera, self._chain_of(camera).key)
                # Looking ahead, the frame is prepared before the engine is free.
                ahead_ns = 0 if free_ns is None else expected.preprocess_ns
                yield Waiting(camera, frame.captured_ns, expected.total_ns - ahead_ns, lane.slot.rhythm)
