"""What saves power: the motion gate and the schedule, at their workers, on a made clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import repeat

import numpy as np
import pytest
from house import House
from stand_ins import CAT, MadeClock, MadeStop, PacedCamera, S, TimedEngine

from edgecam import clock
from edgecam.config.hours import Schedule, parse_window
from edgecam.errors import EngineError
from edgecam.records import Image, PixelFormat, Reason, SkipCause, Status
from edgecam.vision.motion import GateRules


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MadeClock:
    """The clock of all workers; its wall clock begins ten seconds before six in the evening."""
    made = MadeClock(local=datetime(2024, 1, 1, 17, 59, 50))  # noqa: DTZ001 - local time is naive
    monkeypatch.setattr(clock, "boot_ns", made.boot_ns)
    return made


def picture(square_at_px: int | None = None) -> Image:
    """Grey, 64x48, with a white square or without."""
    pixels = np.full((48, 64, 3), 60, np.uint8)
    if square_at_px is not None:
        pixels[16:32, square_at_px : square_at_px + 16] = 255
    return Image(pixels, PixelFormat.BGR, 64, 48)


EMPTY, LEFT, RIGHT = picture(), picture(8), picture(40)


def gated(*, max_s: float = 3600) -> House:
    """A camera with a motion gate that closes at once."""
    return House(lossless=False, aide=False, gate=GateRules(0.01, int(max_s * S), 0))


def classified(house: House) -> list[int]:
    """The numbers of the classified frames."""
    return [result.seq for result in house.fates.results]


def play(
    house: House, made: MadeClock, *openings: Sequence[Image | None], answers: Sequence[object] = ()
) -> None:
    """Ten pictures a second, and an engine that takes no time."""
    cameras = [PacedCamera(pictures, house.lane.ledger, made) for pictures in openings]
    script = iter(answers)
    house.run(cameras, open_engine=lambda _model: TimedEngine(made, lambda: 0, script))


def test_still_frames_are_skipped_and_motion_is_classified(made: MadeClock) -> None:
    """Cause `still`; what comes, moves and goes is looked at, what stays is not."""
    house = gated()
    play(house, made, [EMPTY] * 5 + [LEFT] * 5 + [RIGHT] * 5 + [EMPTY] * 5)
    assert classified(house) == [1, 6, 11, 16]
    assert house.books() == (20, 4, {SkipCause.STILL: 16})


def test_a_still_scene_is_classified_once_in_gate_max_s(made: MadeClock) -> None:
    """Counted from the last classified frame, by capture time, whatever made it one."""
    house = gated(max_s=1)
    play(house, made, [EMPTY] * 15 + [LEFT] * 20)
    assert classified(house) == [1, 11, 16, 26]
    assert house.books() == (35, 4, {SkipCause.STILL: 31})


def test_after_a_lost_camera_the_first_frame_is_classified_though_nothing_moved(made: MadeClock) -> None:
    """The state forgot what it knew: it must not say `starting` until something moves."""
    house = gated()
    play(house, made, [EMPTY, EMPTY, None], [EMPTY, EMPTY])
    assert classified(house) == [1, 3]
    assert house.ear.statuses == [Status.OK, Status.NO_CAMERA, Status.STARTING, Status.OK]


def test_after_a_failed_engine_the_next_frame_is_classified_though_nothing_moved(made: MadeClock) -> None:
    """As after a lost camera: the scene is that of the last good result, but the state has forgotten it."""
    house = gated()
    play(house, made, [EMPTY, LEFT, EMPTY, EMPTY], answers=[CAT, EngineError("gone")])
    assert classified(house) == [1, 3]
    assert house.ear.statuses == [Status.OK, Status.ERROR, Status.STARTING, Status.OK]


def schedule(*windows: str) -> Schedule:
    """The hours."""
    return Schedule(tuple(parse_window(text) for text in windows))


class Shutter(PacedCamera):
    """Remembers what had been said of it when it was closed."""

    def __init__(self, pictures: Iterable[Image], house: House, made: MadeClock, *, waits: bool) -> None:
        super().__init__(pictures, house.lane.ledger if waits else None, made, period_ms=400)
        self._ear = house.ear
        self.said: list[Status] | None = None

    def close(self) -> None:
        """No more pictures."""
        self.said = self._ear.statuses


def test_outside_its_hours_a_camera_is_closed_and_what_waits_is_disabled(made: MadeClock) -> None:
    """The frame in the slot is none of the next morning: each frame has one fate."""
    house = House(lossless=False)
    house.works(schedule("00:00-18:00", "18:01-24:00"), made.local_now)
    house.stop_capture = MadeStop(made)
    evening, later = (
        Shutter(pictures, house, made, waits=False) for pictures in (repeat(EMPTY), [EMPTY] * 3)
    )
    house.capture_worker([evening, later]).run()
    [(disabled, _)] = [skip for skip in house.fates.skips if skip[1] is SkipCause.DISABLED]
    assert 20 <= disabled <= 30
    superseded = [seq for seq, cause in house.fates.skips if cause is SkipCause.SUPERSEDED]
    assert superseded == [*range(1, disabled), disabled + 1, disabled + 2]
    assert house.lane.ledger.in_flight == 1
    assert evening.said == []
    assert house.ear.statuses == [Status.DISABLED, Status.STARTING]


def test_a_camera_goes_to_rest_and_comes_back_by_the_wall_clock(made: MadeClock) -> None:
    """`disabled`, then `starting`, then what is seen; the episode has ended, and another one begins."""
    house = House(lossless=False, aide=False)
    house.works(schedule("00:00-18:00", "18:01-24:00"), made.local_now)
    house.stop_capture = MadeStop(made)
    house.run([Shutter(pictures, house, made, waits=True) for pictures in (repeat(EMPTY), [EMPTY] * 3)])
    assert house.ear.statuses == [Status.OK, Status.DISABLED, Status.STARTING, Status.OK]
    reasons = [state.decision.reason for state in house.ear.states]
    assert reasons == [Reason.ENTERED, Reason.DISABLED, Reason.ENABLED, Reason.ENTERED]
    edges = [(event.edge.type, event.edge.reason) for event in house.ear.events]
    assert edges == [("start", Reason.ENTERED), ("end", Reason.DISABLED), ("start", Reason.ENTERED)]
    assert house.ear.notices == []


def test_a_camera_that_starts_outside_its_hours_is_not_opened_and_can_be_stopped(made: MadeClock) -> None:
    """No camera is there to be opened in this test."""
    house = House()
    house.works(schedule("mon-fri 08:00-17:00"), made.local_now)
    house.stop_capture = MadeStop(made, waits=5)
    house.capture_worker([]).run()
    assert house.ear.statuses == [Status.DISABLED]
