"""Large pictures through the real workers: of the frame that began the event, and no buffer stays behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from threading import Thread
from typing import Any

import cv2
import numpy as np
from house import House
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_ins import ScriptedCamera, until

from edgecam.capture.picamera_requests import HeldRequests
from edgecam.errors import EngineError
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.snapshots import Snapshots
from edgecam.records import Image, PixelFormat, Shot
from edgecam.vision.geometry import View

LARGE_PX = (64, 32)
MOST_HELD = 3
CAT, NONE = np.array([0.9, 0.1]), np.array([0.1, 0.1])


@dataclass
class Request:
    """A buffer with the picture of one frame."""

    seq: int
    released: int = 0

    def release(self) -> None:
        """Give it back."""
        self.released += 1


def main_picture(request: Request) -> Image:
    """Grey, as bright as its frame's number times 16."""
    assert not request.released, "its memory is the camera's again"
    pixels = np.full((LARGE_PX[1], LARGE_PX[0]), request.seq * 16 % 256, np.uint8)
    return Image(pixels, PixelFormat.GRAY, *LARGE_PX)


class HoldingCamera(ScriptedCamera):
    """Holds a buffer for each frame, as the Picamera2 door does."""

    def __init__(self, script: Iterable[str], ledger: Ledger, made: list[Request]) -> None:
        super().__init__(script, ledger)
        self._made = made
        self._requests = HeldRequests(main_picture, most=MOST_HELD)

    def read(self, timeout_s: float) -> Shot | None:
        """The next step; what is needed no more goes back first."""
        self._requests.give_back()
        # One less, so that there is room for the next; but one may be under a copy.
        assert sum(not request.released for request in self._made) <= MOST_HELD
        shot = super().read(timeout_s)
        if shot is None:
            return None
        self._made.append(Request(len(self._made) + 1))
        return replace(shot, full=self._requests.hold(self._made[-1]))

    def close(self) -> None:
        """Nothing stays held."""
        self._requests.close()


class Screen:
    """Where the pictures go."""

    def __init__(self) -> None:
        self.jpegs: list[bytes] = []

    def snapshot(self, camera: str, jpeg: bytes, *, keep_s: float) -> None:  # noqa: ARG002
        """Remember it."""
        self.jpegs.append(jpeg)


def test_a_snapshot_is_the_large_picture_of_the_frame_that_began_the_event() -> None:
    """While the analysed one is 4 pixels wide; of the third of five frames, here."""
    screen, house, made = Screen(), House(), list[Request]()
    snapshots = Snapshots(screen, {"a": View()}, keep_s=3600)
    house.lane.snapshots = snapshots
    worker = Thread(target=snapshots.run, daemon=True)
    worker.start()

    class Patient(HoldingCamera):
        """Goes on when the picture was made: how long that takes is the machine's affair."""

        def read(self, timeout_s: float) -> Shot | None:
            """The next step."""
            if len(made) == 3:
                until(lambda: len(screen.jpegs) == 2)
            return super().read(timeout_s)

    house.run([Patient("fffffl", house.lane.ledger, made), "e"], [NONE, NONE, CAT, CAT, CAT])
    snapshots.close()
    worker.join(10)
    shown = cv2.imdecode(np.frombuffer(screen.jpegs[1], np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (LARGE_PX[1], LARGE_PX[0], 3)
    assert abs(shown.mean() - 3 * 16) < 2
    assert [request.released for request in made] == [1] * 5


answers = st.sampled_from([NONE, CAT, EngineError("lost")])


@settings(max_examples=40, deadline=None)
@given(
    scripts=st.lists(st.text("fbu", max_size=12).map(lambda script: script + "l"), min_size=1, max_size=3),
    script=st.lists(answers, max_size=30),
    lossless=st.booleans(),
)
def test_whatever_the_frames_fates_each_buffer_goes_back_once(
    *, scripts: list[str], script: list[Any], lossless: bool
) -> None:
    """Superseded, broken, classified, lost with engine or camera, made to a picture, in real threads."""
    house, made = House(lossless=lossless), list[Request]()
    snapshots = Snapshots(Screen(), {"a": View()}, keep_s=3600)
    house.lane.snapshots = snapshots
    worker = Thread(target=snapshots.run, daemon=True)
    worker.start()
    house.run([*(HoldingCamera(one, house.lane.ledger, made) for one in scripts), "e"], script)
    snapshots.close()
    worker.join(10)
    captured, _, _ = house.books()
    assert len(made) <= captured
    assert [request.released for request in made] == [1] * len(made)


class Fading(Lane):
    """A lane whose snapshots are switched off, by a reload, each time that somebody has looked at them."""

    kept: Snapshots
    is_shown = True

    @property
    def snapshots(self) -> Snapshots | None:
        """Not twice."""
        self.is_shown = not self.is_shown
        return None if self.is_shown else self.kept

    @snapshots.setter
    def snapshots(self, _snapshots: Snapshots | None) -> None:
        """It stays so."""


def test_snapshots_that_are_switched_off_in_the_very_moment_end_nobody() -> None:
    """Camera and engine look once, and finish with what they have seen."""
    house = House()
    house.lane = Fading(**{each.name: getattr(house.lane, each.name) for each in fields(house.lane)})
    house.lane.kept = Snapshots(Screen(), {"a": View()}, keep_s=3600)
    house.run([HoldingCamera("ffffl", house.lane.ledger, []), "e"], [NONE, CAT, CAT, CAT])
    assert house.fault is None
    assert house.books() == (4, 4, {})
