"""Pictures from Picamera2's main stream: of the very frame, copied on demand, and no buffer is ever lost."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pytest
from fake_picamera2 import FakePicamera2, FakeRequest, Library, blank, install, open_fake
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgecam.capture.camera import Camera
from edgecam.capture.picamera_requests import HeldRequests
from edgecam.errors import CameraLost
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.slot import LatestSlot
from edgecam.records import AgeBasis, ColorSpace, Frame, FullPicture, Image, PixelFormat, Shot, YuvMatrix

SIZE_PX, MAIN_PX = (8, 4), (16, 8)
MOST_HELD = 4
MAIN_BYTES = 16 * 12


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """A fresh stand-in under the library's names."""
    return install(monkeypatch)


@pytest.fixture
def requests(library: Library) -> list[FakeRequest]:
    """Every frame that was captured; the main picture of each is filled with its number, from 0."""
    found: list[FakeRequest] = []

    def capture_request(self: FakePicamera2, *, wait: bool) -> Future[FakeRequest]:
        job = FakePicamera2.capture_request(self, wait=wait)
        found.append(FakeRequest(blank(), main_buffer=np.full(MAIN_BYTES, len(found), np.uint8)))
        job.set_result(found[-1])
        return job

    library.capture_request = capture_request  # type: ignore[method-assign]
    return found


def read(camera: Camera) -> Shot:
    """The next frame."""
    shot = camera.read(1.0)
    assert shot is not None
    return shot


def frame_of(shot: Shot) -> Frame:
    """As the capture worker makes it."""
    return Frame("a", 1, shot.image, shot.captured_ns, shot.basis, shot.full)


def number_in(image: Image) -> int:
    """Which frame's main picture it is."""
    return int(image.pixels[0, 0])


def test_the_picture_for_people_is_main_s_and_of_that_frame(
    library: Library, requests: list[FakeRequest]
) -> None:
    """What is analysed is small, what is shown is large, and both are of the same moment."""
    library.main_format, library.main_stride = "NV12", 16
    library.main_color = None
    with open_fake(size_px=SIZE_PX, main_size_px=MAIN_PX) as camera:
        frames = [frame_of(read(camera)) for _ in range(3)]
        shown = frames[1].for_people()
    assert (frames[1].image.width_px, frames[1].image.height_px) == SIZE_PX
    assert (shown.width_px, shown.height_px, shown.format) == (*MAIN_PX, PixelFormat.NV12)
    assert shown.color == ColorSpace(YuvMatrix.BT601)
    assert number_in(shown) == 1
    assert [request.released for request in requests] == [1, 1, 1]


def test_without_a_main_size_no_buffer_is_held_and_none_more_asked_for(
    library: Library, requests: list[FakeRequest]
) -> None:
    """Where nobody wants the picture it costs nothing; a main stream of the same size is not worth it."""
    for main_px in (None, SIZE_PX):
        with open_fake(size_px=SIZE_PX, main_size_px=main_px) as camera:
            assert library.last.wanted["buffer_count"] == 4
            shot = read(camera)
            assert shot.full is None
            assert frame_of(shot).for_people() is shot.image
            assert requests[-1].released == 1


def test_a_frame_that_is_no_more_gives_its_buffer_back_at_the_next_read(
    requests: list[FakeRequest],
) -> None:
    """Whatever ended it: here nobody has it any more."""
    with open_fake(size_px=SIZE_PX, main_size_px=MAIN_PX) as camera:
        shot = read(camera)
        assert requests[0].released == 0
        del shot
        second = read(camera)
        assert [request.released for request in requests] == [1, 0]
        assert second.full is not None


def test_a_picture_that_was_copied_stays_and_its_buffer_has_gone_back(
    requests: list[FakeRequest],
) -> None:
    """Snapshot and history want the same one; the camera has waited long enough."""
    camera = open_fake(size_px=SIZE_PX, main_size_px=MAIN_PX)
    frame = frame_of(read(camera))
    first = frame.for_people()
    assert requests[0].released == 1
    camera.close()
    assert frame.for_people() is first


@pytest.mark.parametrize(("given", "most"), [(None, 5), (6, 3), (4, 1), (2, 1)])
def test_the_camera_always_has_buffers_of_its_own(
    library: Library, requests: list[FakeRequest], given: int | None, most: int
) -> None:
    """Whoever keeps frames for ever loses their large pictures, the oldest first, and stalls nothing.

    It counts what the camera has, not what it was asked for.
    """
    library.buffer_count = given
    with open_fake(size_px=SIZE_PX, main_size_px=MAIN_PX) as camera:
        assert library.last.wanted["buffer_count"] == 8
        kept = [frame_of(read(camera)) for _ in range(20)]
        assert sum(not request.released for request in requests) == most
        sizes = [(frame.for_people().width_px, frame.for_people().height_px) for frame in kept]
        assert sizes == [SIZE_PX] * (20 - most) + [MAIN_PX] * most


def test_after_closing_a_frame_shows_what_was_analysed(requests: list[FakeRequest]) -> None:
    """A closed camera's memory is never read, and its frames still make pictures."""
    camera = open_fake(size_px=SIZE_PX, main_size_px=MAIN_PX)
    frame = frame_of(read(camera))
    camera.close()
    assert requests[0].released == 1
    assert frame.for_people() is frame.image
    del frame
    assert requests[0].released == 1


def test_a_main_picture_that_cannot_be_read_is_replaced_by_the_analysed_one(
    requests: list[FakeRequest], caplog: pytest.LogCaptureFixture
) -> None:
    """A snapshot in the small size is better than none, and the buffer goes back."""
    with open_fake(size_px=SIZE_PX, main_size_px=MAIN_PX) as camera:
        frame = frame_of(read(camera))
        requests[0].copy_error = RuntimeError("failed to find buffer")
        assert frame.for_people() is frame.image
        assert requests[0].released == 1
    assert "failed to find buffer" in caplog.text


def test_a_camera_that_takes_a_held_buffer_back_no_more_is_lost(requests: list[FakeRequest]) -> None:
    """It was unplugged, and its reader says so; the other buffers go back all the same."""
    camera = open_fake(size_px=SIZE_PX, main_size_px=MAIN_PX)
    shots = [read(camera), read(camera)]
    requests[0].release_error = RuntimeError("Failed to queue request")
    shots.clear()
    with pytest.raises(CameraLost, match="Failed to queue request"):
        camera.read(1.0)
    camera.close()
    assert [request.released for request in requests] == [1, 1]


class Locked:
    """A request whose release takes a lock of the library, in the middle of which frames may be let go."""

    def __init__(self, during_release: Callable[[], object]) -> None:
        self.lock = threading.Lock()
        self.during_release = during_release
        self.released = 0

    def release(self) -> None:
        """As Picamera2's: one lock for all requests."""
        assert self.lock.acquire(blocking=False), "released in the middle of a release"
        self.during_release()
        self.released += 1
        self.lock.release()


def test_a_frame_may_be_let_go_in_the_middle_of_a_release() -> None:
    """The collector of garbage ends a frame wherever it likes: that must not wait for a lock held there."""
    cycles: list[object] = []

    def collect() -> None:
        cycles.clear()
        gc.collect()

    requests = HeldRequests(lambda _: Image(blank(), PixelFormat.GRAY, 1, 1), most=9)
    first, second = Locked(collect), Locked(lambda: None)
    second.lock = first.lock
    picture = requests.hold(first)
    cycle: list[object] = [requests.hold(second)]
    cycle.append(cycle)
    cycles.append(cycle)
    del picture, cycle
    requests.give_back()
    assert (first.released, second.released) == (1, 0)
    requests.give_back()
    assert (first.released, second.released) == (1, 1)


def test_closing_waits_for_a_copy_that_is_under_way() -> None:
    """A buffer that is unmapped under its reader would crash the process."""
    copying, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def copy(_: object) -> Image:
        copying.set()
        assert go_on.wait(10)
        done.append("copied")
        return Image(blank(), PixelFormat.GRAY, 1, 1)

    requests = HeldRequests(copy, most=9)
    picture = requests.hold(FakeRequest(blank()))
    reader = threading.Thread(target=picture.copy)
    reader.start()
    assert copying.wait(10)

    def close() -> None:
        requests.close()
        done.append("closed")

    closer = threading.Thread(target=close)
    closer.start()
    go_on.set()
    reader.join(10)
    closer.join(10)
    assert done == ["copied", "closed"]


class Fates(RuleBasedStateMachine):
    """Frames meet their ends in any order: each buffer goes back, once; each picture is of its own frame."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[FakeRequest] = []
        self.requests = HeldRequests(_copy_number, most=MOST_HELD)
        self.slot = LatestSlot(Doorbell())
        self.engine: list[Frame] = []
        self.kept: list[Frame] = []

    @rule()
    def capture(self) -> None:
        """A frame comes; it may supersede another."""
        self.requests.give_back()
        self.made.append(FakeRequest(blank(), main_buffer=np.full(1, len(self.made), np.uint8)))
        self.slot.put(_frame(len(self.made), self.requests.hold(self.made[-1])))

    @rule()
    def take(self) -> None:
        """The engine takes what waits."""
        self.engine += [frame for frame in [self.slot.empty()] if frame is not None]

    @rule()
    def finish(self) -> None:
        """It was classified, or lost with the engine."""
        del self.engine[:1]

    @rule()
    def keep(self) -> None:
        """Somebody never lets go of it."""
        self.kept += self.engine[-1:]

    @rule()
    def show(self) -> None:
        """A picture for people: the large one, unless the camera had its buffer back before."""
        for frame in [*self.engine[:1], *self.kept[:1]]:
            was_released = self.made[frame.seq - 1].released
            shown = frame.for_people()
            if shown is frame.image:
                assert was_released
            else:
                assert number_in(shown) == frame.seq - 1

    @rule()
    def hand_on(self) -> None:
        """The camera has another engine."""
        heir = LatestSlot(Doorbell())
        self.slot.hand_on(heir)
        self.slot = heir

    @rule()
    def switch_off(self) -> None:
        """What waits is skipped."""
        self.slot.empty()

    @rule()
    def reopen(self) -> None:
        """The camera is closed, and another one opened."""
        self.requests.close()
        assert all(request.released == 1 for request in self.made)
        self.requests = HeldRequests(_copy_number, most=MOST_HELD)

    @invariant()
    def nothing_is_released_twice_and_some_are_always_the_camera_s(self) -> None:
        """The two ways to break a camera's queue."""
        assert all(request.released <= 1 for request in self.made)
        assert sum(not request.released for request in self.made) <= MOST_HELD

    def teardown(self) -> None:
        """Let go by everybody, without a close, all have gone back."""
        self.slot.close()
        self.engine.clear()
        self.kept.clear()
        self.requests.give_back()
        assert all(request.released == 1 for request in self.made)


TestFates = Fates.TestCase
TestFates.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def _copy_number(request: FakeRequest) -> Image:
    return Image(request.make_buffer("main").reshape(1, 1), PixelFormat.GRAY, 1, 1)


def _frame(seq: int, full: FullPicture | None) -> Frame:
    return Frame("a", seq, Image(blank(), PixelFormat.GRAY, 8, 6), seq, AgeBasis.SENSOR, full)
