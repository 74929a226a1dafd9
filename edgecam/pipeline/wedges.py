"""What this process cannot mend by itself, so that it has to be started again."""

from __future__ import annotations

import time
from collections.abc import Mapping

from edgecam.errors import WedgedError
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.lane import Lane
from edgecam.records import Status


def look_for_wedges(
    engines: Mapping[str, EngineWorker], captures: Mapping[str, CaptureWorker], lanes: Mapping[str, Lane]
) -> None:
    """To be called several times a second, by one thread.

    Raises:
        WedgedError: an engine hangs; or a camera does, and no other one works.
    """
    for engine in engines.values():
        if (what := engine.calls.hangs(now_ns=time.monotonic_ns())) is not None:
            raise WedgedError(f"an engine hangs: {what}; start edgecam again")
    wedged = [
        camera
        for camera, capture in captures.items()
        if capture.is_wedged and not lanes[camera].desk.has(Status.DISABLED)
    ]
    if wedged and not any(_works(lane) for lane in lanes.values()):
        names = ", ".join(wedged)
        raise WedgedError(
            f"camera {names} can be neither read nor closed, and no other one works; start edgecam again, "
            "and if that does not help unplug the camera or restart the machine"
        )


def tell_of_wedges(engines: Mapping[str, EngineWorker]) -> None:
    """Let subscribers know before this process leaves; of a camera they know already."""
    for engine in engines.values():
        if (what := engine.calls.hangs(now_ns=time.monotonic_ns())) is not None:
            engine.give_up(f"the engine hangs: {what}; edgecam is to be started again")


def _works(lane: Lane) -> bool:
    """Its frames come, or may come soon."""
    return not lane.desk.has(Status.NO_CAMERA) and not lane.desk.has(Status.DISABLED)
