"""How a run does at a moment, from its workers: in one line for people, in counts for the watchdog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.uplink import Uplink
from edgecam.pipeline.vitality import CameraSigns, Signs
from edgecam.pipeline.workforce import Workforce
from edgecam.records import SkipCause, Status

_MOST_NAMED = 3
# Skipped by whoever chooses frames for an engine; the rest never came to be chosen.
_CHOSEN = (SkipCause.STALE, SkipCause.RATE, SkipCause.STILL, SkipCause.ENGINE)


@dataclass(frozen=True, slots=True)
class Condition:
    """What `systemctl status` tells of a run."""

    cameras: int
    without_picture: Sequence[str]
    """Cameras that are lost;"""
    disabled: Sequence[str]
    """closed by their schedule or switch;"""
    without_engine: Sequence[str]
    """whose engine has failed."""
    finished: int
    """Frames classified since the start."""
    broker: str
    """Its URL."""
    is_connected: bool
    """To that."""


def condition_of(workers: Workforce, uplink: Uplink) -> Condition:
    """How it does; from any thread."""
    lanes = workers.lanes.values()
    told = {lane.camera: lane.desk.status for lane in lanes}
    counts = [lane.ledger.counts() for lane in lanes]

    def those(status: Status) -> list[str]:
        return [camera for camera, its in told.items() if its is status]

    return Condition(
        cameras=len(told),
        without_picture=those(Status.NO_CAMERA),
        disabled=those(Status.DISABLED),
        without_engine=those(Status.ERROR),
        finished=sum(count.results + count.late for count in counts),
        broker=str(uplink.broker_url),
        is_connected=uplink.status.connected_s is not None,
    )


def signs_of(workers: Workforce, uplink: Uplink) -> Signs:
    """Whether frames are finishing; from any thread."""
    captures, lanes = workers.captures, workers.lanes
    engine_of = {lane: engine for engine in workers.engines.values() for lane in engine.rungs}
    cameras = {
        name: _camera_signs(
            lane, engine_of[name], declared_within_ns=int(captures[name].declared_within_s * 1e9)
        )
        for name, lane in lanes.items()
        # While the configuration changes, a new camera has a lane and as yet nobody who works on it.
        if name in engine_of and name in captures
    }
    return Signs(cameras, publish_turns=uplink.turns)


def _camera_signs(lane: Lane, engine: EngineWorker, *, declared_within_ns: int) -> CameraSigns:
    counts = lane.ledger.counts()
    finished = counts.results + counts.late
    return CameraSigns(
        captured=counts.captured,
        decided=finished + sum(counts.skipped[cause] for cause in _CHOSEN),
        in_flight=counts.captured - finished - sum(counts.skipped.values()),
        declared_within_ns=declared_within_ns,
        engine_may_take_ns=engine.calls.allowed_ns,
        is_out=lane.desk.has(Status.NO_CAMERA) or lane.desk.has(Status.DISABLED),
        engine_is_out=engine.is_waiting_to_reopen,
    )


def status_line(condition: Condition, *, rate: str, still: Sequence[str]) -> str:
    """`2 cameras, 1 without picture (door); 29.8 fps; broker connected`."""
    cameras = f"{condition.cameras} camera{'' if condition.cameras == 1 else 's'}"
    by_trouble = {
        "without picture": condition.without_picture,
        "disabled": condition.disabled,
        "without engine": condition.without_engine,
    }
    troubles = [f"{len(names)} {what} ({_few(names)})" for what, names in by_trouble.items() if names]
    broker = "broker connected" if condition.is_connected else f"no broker at {condition.broker}"
    standing = f"stands still: {', '.join(still)}" if still else ""
    return "; ".join(filter(None, [", ".join([cameras, *troubles]), rate, broker, standing]))


def _few(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
