"""A camera's schedule and its switch: one answer, and nobody sleeps through a change of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Thread

import numpy as np
import pytest
from house import House
from stand_ins import PICTURE, Opened, until

from edgecam import clock
from edgecam.backoff import Backoff
from edgecam.capture.camera import Camera
from edgecam.config.hours import Schedule, parse_window
from edgecam.errors import CameraLost
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.remote import Remote
from edgecam.pipeline.snapshots import Snapshots
from edgecam.pipeline.witness import Witnesses
from edgecam.publish.commands import Command, Refusal, Reply
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Received
from edgecam.records import AgeBasis, Frame, Image, PixelFormat, Shot, SkipCause, Status
from edgecam.vision.geometry import View

NOON = datetime(2024, 1, 1, 12)  # noqa: DTZ001 - naive local time
MORNINGS = Schedule((parse_window("06:00-12:00"),))
TOPICS = Topics("edgecam", "box")


class EndlessCamera(Opened):
    """Gives a frame each time that it is asked."""

    live = True
    description = "endless"

    def read(self, timeout_s: float) -> Shot | None:  # noqa: ARG002 - it is always ready
        """A frame."""
        return Shot(PICTURE, clock.boot_ns(), AgeBasis.ARRIVAL)


class MemorySwitches:
    """Forgets with the test."""

    def __init__(self) -> None:
        self._switches: dict[str, bool] = {}

    def switch(self, camera: str) -> bool | None:
        """None: never set."""
        return self._switches.get(camera)

    def set_switch(self, camera: str, *, on: bool) -> None:
        """Remember it."""
        self._switches[camera] = on


class Voice:
    """Stands where the publisher stands: what was said from afar."""

    def __init__(self) -> None:
        self.commands_refused = 0
        self.switches: list[tuple[str, bool]] = []
        self.answers: list[tuple[str, bool, str]] = []
        self.pictures: list[tuple[str, bytes]] = []

    def enabled(self, camera: str, *, on: bool) -> None:
        """Remember it."""
        self.switches.append((camera, on))

    def response(self, reply: Reply, *, ok: bool, message: str, data: object) -> None:  # noqa: ARG002
        """Remember it."""
        self.answers.append((reply.topic, ok, message))

    def snapshot(self, camera: str, jpeg: bytes, *, keep_s: float) -> None:  # noqa: ARG002
        """Remember it."""
        self.pictures.append((camera, jpeg))


def frame(seq: int = 1, camera: str = "a", image: Image = PICTURE) -> Frame:
    """A frame of now."""
    return Frame(camera, seq, image, clock.boot_ns(), AgeBasis.ARRIVAL)


def remote(
    voice: Voice,
    openings: dict[str, Opening],
    switches: MemorySwitches | None = None,
    *,
    allowed: tuple[Command, ...] = tuple(Command),
    snapshots: Snapshots | None = None,
    read_s: Callable[[], float] = lambda: 0.0,
) -> Remote:
    """With a voice for a publisher."""
    return Remote(
        TOPICS,
        voice,  # type: ignore[arg-type]
        allowed=allowed,
        openings=openings,
        switches=switches or MemorySwitches(),
        snapshots=snapshots,
        read_s=read_s,
    )


def switch(camera: str, word: bytes) -> Received:
    """Somebody turns a switch."""
    return Received(TOPICS.enabled_set(camera), word, retained=False)


def test_a_camera_works_while_its_switch_is_on_and_its_schedule_open() -> None:
    """Either closes it; the switch is named first, since somebody wanted that."""
    now = [NOON]
    opening = Opening(MORNINGS, local_now=lambda: now[0], clock_set=lambda: True)
    assert opening.why_closed == "outside its schedule"
    assert opening.switch(on=False)
    assert opening.why_closed == "switched off"
    now[0] = NOON.replace(hour=7)
    assert opening.why_closed == "switched off"
    assert not opening.switch(on=False)
    assert opening.switch(on=True)
    assert opening.why_closed is None


def test_a_clock_that_nobody_has_set_closes_no_camera(caplog: pytest.LogCaptureFixture) -> None:
    """After a power cut without network it may be hours wrong; once set it is believed, NTP or not."""
    is_set, now = [False], NOON.replace(hour=3)
    opening = Opening(MORNINGS, local_now=lambda: now, clock_set=lambda: is_set[0])
    assert [opening.why_closed for _ in range(3)] == [None] * 3
    assert len([text for text in caplog.messages if "wall clock is not set" in text]) == 1
    is_set[0] = True
    assert opening.why_closed == "outside its schedule"
    is_set[0] = False
    assert opening.why_closed == "outside its schedule"
    opening.switch(on=False)
    assert Opening(clock_set=lambda: False).why_closed is None


def test_a_change_before_the_wait_is_not_slept_through() -> None:
    """The wait of an hour ends at once; the test would hang otherwise."""
    opening = Opening()
    opening.switch(on=False)
    opening.wait(3600)
    opening.wake()
    opening.wait(3600)


@pytest.fixture
def house() -> House:
    """Nothing runs yet."""
    return House(lossless=False)


def capture(
    house: House, opening: Opening, cameras: list[Camera | Exception]
) -> tuple[CaptureWorker, Thread]:
    """A capture worker with real waits, in its thread."""
    openings = iter(cameras)

    def open_camera() -> Camera:
        camera = next(openings)
        if isinstance(camera, Exception):
            raise camera
        return camera

    worker = CaptureWorker(
        house.lane,
        open_camera,
        stall_s=3,
        stop=house.stop_capture,
        witness=Witnesses(),
        opening=opening,
        backoff=Backoff(first_s=3600, cap_s=3600),
    )
    thread = Thread(target=worker.run, daemon=True)
    thread.start()
    return worker, thread


def captured(house: House) -> int:
    """Frames, whatever becomes of them."""
    return house.lane.ledger.report(now_ns=clock.boot_ns()).captured


def stop(house: House, worker: CaptureWorker, thread: Thread) -> None:
    """As a runner does."""
    house.stop_capture.set()
    worker.opening.wake()
    house.close_slot()
    thread.join(10)
    assert not thread.is_alive()


def test_off_closes_the_camera_and_on_opens_it_again(house: House) -> None:
    """Its frame that waited is `disabled`, none is captured, and the state says so, both ways."""
    first, second = EndlessCamera(), EndlessCamera()
    opening = Opening()
    worker, thread = capture(house, opening, [first, second])
    until(lambda: captured(house) > 3)
    opening.switch(on=False)
    until(lambda: first.closed and house.ear.statuses[-1:] == [Status.DISABLED])
    until(lambda: house.idle)
    before, _, skipped = house.books()
    assert skipped[SkipCause.DISABLED] == 1
    opening.switch(on=True)
    until(lambda: captured(house) > before)
    assert house.ear.statuses == [Status.DISABLED, Status.STARTING]
    stop(house, worker, thread)


def test_off_ends_the_wait_for_a_camera_that_is_lost(house: House) -> None:
    """`disabled` at once, not after half a minute of back-off; and the stop is not waited for either."""
    opening = Opening()
    worker, thread = capture(house, opening, [CameraLost("gone"), EndlessCamera()])
    until(lambda: house.ear.statuses[-1:] == [Status.NO_CAMERA])
    opening.switch(on=False)
    until(lambda: house.ear.statuses[-1:] == [Status.DISABLED])
    stop(house, worker, thread)


def test_a_switch_is_remembered_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """What was set last holds at the next start; setting it again is told again, and written once."""
    voice, switches = Voice(), MemorySwitches()
    openings = {"a": Opening(), "b": Opening()}
    us = remote(voice, openings, switches)
    us.open()
    with caplog.at_level("INFO"):
        us.hear(switch("a", b"OFF"))
        us.hear(switch("a", b"OFF"))
    assert voice.switches == [("a", True), ("b", True), ("a", False), ("a", False)]
    assert [opening.is_on for opening in openings.values()] == [False, True]
    assert len([text for text in caplog.messages if "camera switched" in text]) == 1
    again = {"a": Opening(), "b": Opening()}
    remote(Voice(), again, switches)
    assert [opening.is_on for opening in again.values()] == [False, True]


def test_a_camera_that_nobody_may_switch_on_is_on() -> None:
    """Without `enabled` in mqtt.commands an old OFF must not last for ever; nothing is said of switches."""
    voice, switches = Voice(), MemorySwitches()
    switches.set_switch("a", on=False)
    openings = {"a": Opening()}
    us = remote(voice, openings, switches, allowed=(Command.SNAPSHOT,))
    us.open()
    us.hear(switch("a", b"OFF"))
    assert openings["a"].is_on
    assert voice.switches == []


def test_refusals_are_counted_by_reason_and_each_kind_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A stranger cannot fill the journal."""
    voice = Voice()
    us = remote(voice, {"a": Opening()})
    for _ in range(50):
        us.hear(switch("a", b"maybe"))
        us.hear(switch("x\ny", b"ON"))
    assert {reason: count for reason, count in us.refused.items() if count} == {
        Refusal.MALFORMED: 50, Refusal.UNKNOWN_CAMERA: 50
    }  # fmt: skip
    assert voice.commands_refused == 100
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2
    assert not any("\n" in text for text in warnings)


def test_a_flood_of_commands_is_not_followed_but_a_house_that_switches_all_is() -> None:
    """Ten, and two for each camera, at once, then five a second; rubbish uses up nobody's turn."""
    now_s, voice = [0.0], Voice()
    us = remote(voice, {"a": Opening(), "b": Opening()}, read_s=lambda: now_s[0])
    for _ in range(100):
        us.hear(switch("a", b"maybe"))
    for _ in range(20):
        us.hear(switch("a", b"OFF"))
    assert (len(voice.switches), us.refused[Refusal.RATE]) == (14, 6)
    now_s[0] = 1.0
    for _ in range(20):
        us.hear(switch("a", b"ON"))
    assert (len(voice.switches), us.refused[Refusal.RATE]) == (19, 21)


def test_a_snapshot_is_refused_with_the_reason_where_none_can_be_taken() -> None:
    """Off, of a camera that is switched off, before the first frame; and `reload` where there is no file."""
    call = Received(TOPICS.command("snapshot"), b"", retained=False)
    voice, opening = Voice(), Opening()
    remote(voice, {"a": opening}).hear(call)
    snapshots = Snapshots(voice, {"a": View()}, keep_s=60)
    us = remote(voice, {"a": opening}, snapshots=snapshots)
    us.hear(call)
    snapshots.see(frame())
    us.hear(call)
    us.hear(switch("a", b"OFF"))
    us.hear(call)
    us.hear(Received(TOPICS.command("reload"), b"", retained=False))
    assert [ok for _, ok, _ in voice.answers] == [False, False, True, False, False]
    words = ["mqtt.snapshots.enabled", "no frame", "box/a/snapshot", "switched off", "no configuration"]
    assert all(word in text for word, (_, _, text) in zip(words, voice.answers, strict=True))


def test_a_command_is_followed_by_one_configuration_from_start_to_end() -> None:
    """A reload takes the camera out in the very moment: what follows commands must not die of it."""
    voice, reloads = Voice(), list[Thread]()

    def reload() -> float:
        """Between reading the command and doing it."""
        revise = partial(us.revise, TOPICS, allowed=tuple(Command), openings={}, snapshots=None)
        reloads.append(Thread(target=revise))
        reloads[-1].start()
        reloads[-1].join(0.2)
        return 0.0

    us = remote(voice, {"a": Opening()}, read_s=reload)
    us.hear(switch("a", b"OFF"))
    reloads[0].join(10)
    assert voice.switches == [("a", False)]
    us.hear(switch("a", b"ON"))
    assert us.refused[Refusal.UNKNOWN_CAMERA] == 1


def running(snapshots: Snapshots) -> Thread:
    """Their worker."""
    thread = Thread(target=snapshots.run, daemon=True)
    thread.start()
    return thread


def test_a_picture_is_shown_and_taken_back_in_time() -> None:
    """What an earlier run left goes at the start; a JPEG comes, and after `keep_s` nothing."""
    voice = Voice()
    snapshots = Snapshots(voice, {"a": View()}, keep_s=0.2)
    thread = running(snapshots)
    until(lambda: voice.pictures == [("a", b"")])
    snapshots.take(frame())
    until(lambda: len(voice.pictures) == 3)
    assert voice.pictures[1][1].startswith(b"\xff\xd8\xff")
    assert voice.pictures[2] == ("a", b"")
    snapshots.close()
    thread.join(10)
    assert len(voice.pictures) == 3


def test_a_frame_of_a_camera_that_is_no_more_becomes_no_picture() -> None:
    """Its engine may end with an episode while a reload takes it out; the others' pictures go on."""
    voice = Voice()
    snapshots = Snapshots(voice, {"a": View(), "b": View()}, keep_s=3600)
    thread = running(snapshots)
    until(lambda: len(voice.pictures) == 2)
    snapshots.revise({"b": View()}, keep_s=3600)
    snapshots.take(frame())
    snapshots.take(replace(frame(), camera="b"))
    until(lambda: len(voice.pictures) == 3)
    assert voice.pictures[2][0] == "b"
    assert thread.is_alive()
    snapshots.close()
    thread.join(10)


@pytest.mark.parametrize("end", ["close", "switch off"])
def test_nothing_stays_shown_when_nobody_would_take_it_back(end: str) -> None:
    """At a stop, and when the camera is switched off, what is shown is cleared at once."""
    voice = Voice()
    snapshots = Snapshots(voice, {"a": View()}, keep_s=3600)
    thread = running(snapshots)
    snapshots.see(frame(7))
    assert snapshots.take_newest("a") == 7
    until(lambda: len(voice.pictures) == 2)
    if end == "close":
        snapshots.close()
        thread.join(10)
    else:
        snapshots.clear("a")
        snapshots.take(frame(6))
        until(lambda: len(voice.pictures) == 3)
        # Switched on again.
        snapshots.see(frame(8))
        snapshots.take(frame(8))
        until(lambda: len(voice.pictures) == 4)
        snapshots.close()
        thread.join(10)
    shown = [bool(jpeg) for _, jpeg in voice.pictures]
    assert shown == [False, True, False] + ([True, False] if end == "switch off" else [])


def test_a_closed_schedule_leaves_the_last_picture_but_takes_no_old_frame_for_a_new_one() -> None:
    """The evening's event may be looked at; a snapshot asked for at night is not one of the evening."""
    voice = Voice()
    snapshots = Snapshots(voice, {"a": View()}, keep_s=3600)
    thread = running(snapshots)
    snapshots.see(frame())
    snapshots.take_newest("a")
    until(lambda: len(voice.pictures) == 2)
    snapshots.forget("a")
    assert snapshots.take_newest("a") is None
    assert len(voice.pictures) == 2
    snapshots.close()
    thread.join(10)


@pytest.mark.parametrize(
    "pixel_format", [PixelFormat.BGR, PixelFormat.RGB, PixelFormat.GRAY, PixelFormat.I420]
)
def test_a_picture_is_whole_and_upright(pixel_format: PixelFormat) -> None:
    """Turned and flipped as the camera is mounted, its roi left aside, from each pixel format."""
    import cv2

    from edgecam.pipeline.snapshots import encode

    width, height = 96, 64
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = 255
    if pixel_format is PixelFormat.GRAY:
        pixels = np.ascontiguousarray(pixels[..., 0])
    elif pixel_format is PixelFormat.I420:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2YUV_I420), np.uint8)
    image = Image(pixels, pixel_format, width, height)
    view = View(rotate=90, flip_vertical=True, roi=(0.5, 0.5, 0.25, 0.25))
    shown = cv2.imdecode(np.frombuffer(encode(image, view), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    # What was left is on top after a turn to the right, and below after the flip.
    assert shown.shape == (width, height, 3)
    assert shown[: width // 2 - 8].mean() < 10
    assert shown[width // 2 + 8 :].mean() > 245


def test_a_lost_camera_has_no_newest_frame() -> None:
    """A snapshot that is asked for then would be an old picture passed off as a new one."""
    house = House()
    snapshots = Snapshots(Voice(), {"a": View()}, keep_s=3600)
    object.__setattr__(house.lane, "snapshots", snapshots)
    newest: list[int | None] = []

    def see(seen: Frame) -> None:
        Snapshots.see(snapshots, seen)
        newest.append(snapshots.take_newest("a"))

    def cameras() -> Iterator[str]:
        yield "fl"
        newest.append(snapshots.take_newest("a"))
        yield "f"

    snapshots.see = see  # type: ignore[assignment,method-assign]
    house.run(cameras())
    newest.append(snapshots.take_newest("a"))
    assert newest == [1, None, 2, None]


def test_an_episode_s_first_frame_becomes_a_picture() -> None:
    """Of the frame that began it, not of a later one; no picture where nothing began."""
    voice = Voice()
    house = House()
    snapshots = Snapshots(voice, {"a": View()}, keep_s=3600)
    object.__setattr__(house.lane, "snapshots", snapshots)
    taken: list[int] = []
    snapshots.take = lambda frame: taken.append(frame.seq)  # type: ignore[method-assign]
    none, cat = np.array([0.1, 0.1]), np.array([0.9, 0.1])
    house.run(["ffffff"], [none, none, cat, cat, none, cat])
    assert taken == [3, 6]
    assert house.books()[:2] == (6, 6)
