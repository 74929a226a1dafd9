"""A video plays whole, by its own times, over and over without a gap, and a wrong file is told at once."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecam.capture import picture_size
from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.capture.pacing import Pacer
from edgecam.capture.pattern import draw_pattern, read_counter
from edgecam.capture.recording import Timeline, VideoFile
from edgecam.config.source import parse_source
from edgecam.errors import EndOfRecording, SourceError

FRAMES = 12
FPS = 20.0
FRAME_NS = 50_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same twelve numbered frames in two formats."""
    folder = tmp_path_factory.mktemp("clips")
    for name, codec in (("clip.mp4", "mp4v"), ("clip.avi", "MJPG"), ("time 12:30.avi", "MJPG")):
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*codec), FPS, (320, 240))
        for number in range(FRAMES):
            writer.write(draw_pattern(number, width_px=320, height_px=240).pixels)
        writer.release()
    return folder


def play(camera: Any, *, frames: int = 1000) -> list[int]:
    """The numbers of the frames up to the end, or so many of them."""
    numbers: list[int] = []
    while len(numbers) < frames:
        try:
            numbers.append(read_counter(camera.read(timeout_s=10).image))
        except EndOfRecording:
            break
    return numbers


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "time 12:30.avi"])
def test_every_frame_is_given_once_as_fast_as_it_is_read(folder: Path, name: str) -> None:
    """From the first to the last, then EndOfRecording, again and again."""
    with open_camera(parse_source(f"file:{name}"), CameraSettings(paced=False, folder=folder)) as camera:
        assert not camera.live
        assert camera.description == f"file:{name} 320x240"
        assert play(camera) == list(range(FRAMES))
        with pytest.raises(EndOfRecording):
            camera.read(timeout_s=0)


def test_frames_own_their_pixels(folder: Path) -> None:
    """A later frame does not change an earlier one."""
    with open_camera(parse_source("file:clip.avi"), CameraSettings(paced=False, folder=folder)) as camera:
        first = camera.read(timeout_s=1)
        assert first is not None
        kept = first.image.pixels.copy()
        camera.read(timeout_s=1)
        assert np.array_equal(first.image.pixels, kept)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_a_loop_keeps_the_recordings_own_times_without_a_gap(folder: Path, name: str, clock: Any) -> None:
    """Each frame 1/20 s after the one before, also the first after the last."""
    start_ns, given_ns = clock.now, []
    settings = CameraSettings(fps=5, loop=True, folder=folder)
    with VideoFile(parse_source(f"file:{name}"), settings, pacer=clock.pacer()) as camera:
        numbers = []
        for _ in range(2 * FRAMES + 1):
            numbers += play(camera, frames=1)
            given_ns.append(clock.now - start_ns)
    assert numbers == [*range(FRAMES), *range(FRAMES), 0]
    assert np.allclose(given_ns, np.arange(2 * FRAMES + 1) * FRAME_NS, atol=2e6)


def test_a_video_that_breaks_off_is_played_so_far_and_the_log_says_so(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file cut in the middle gives its first frames (the last may be torn), and a warning."""
    whole = (folder / "clip.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    with (
        caplog.at_level(logging.WARNING),
        open_camera(parse_source("file:cut.avi"), CameraSettings(paced=False, folder=tmp_path)) as camera,
    ):
        numbers = play(camera)
    assert 1 < len(numbers) < FRAMES
    assert numbers[:-1] == list(range(len(numbers) - 1))
    played_s = len(numbers) / FPS
    assert (
        f"recording ended early file={tmp_path / 'cut.avi'} seconds={played_s:.1f} announced=0.6"
        in caplog.text
    )


def test_uneven_times_are_kept_and_broken_ones_replaced() -> None:
    """A variable rate plays as recorded; a time that does not advance or is no number costs one interval."""
    timeline = Timeline(interval_ns=40)
    positions_ms = (0.0, 100e-6, 250e-6, 250e-6, 10e-6, math.nan, 500e-6)
    assert [timeline.place(position_ms) for position_ms in positions_ms] == [0, 100, 250, 290, 330, 370, 500]
    assert timeline.played_ns == 540
    timeline.repeat()
    assert timeline.played_ns == 0
    assert [timeline.place(position_ms) for position_ms in (0.0, 100e-6)] == [540, 640]


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("file:nowhere.mp4", "there is no file"),
        ("file:.", 'is a folder; write "images:…"'),
        ("file:empty.mp4", "is empty"),
        ("file:notes.mp4", "can be decoded; is it a video?"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused_at_once(tmp_path: Path, source: str, remedy: str) -> None:
    """Missing, a folder, empty, no video: one line with the place and what to do."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.mp4").write_text("no video at all\n" * 100)
    with pytest.raises(SourceError) as refusal:
        open_camera(parse_source(source), CameraSettings(folder=tmp_path))
    assert remedy in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def test_closing_lets_the_file_go(folder: Path) -> None:
    """No descriptor stays open, though frames were left to play."""
    camera = VideoFile(parse_source("file:clip.mp4"), CameraSettings(folder=folder), pacer=Pacer())
    assert open_files(folder)
    camera.close()
    assert not open_files(folder)


def open_files(folder: Path) -> list[Path]:
    """What this process holds open in the folder."""
    links = (entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return [target for link in links if (target := Path(link.readlink())).is_relative_to(folder)]


def test_a_video_beyond_the_limit_of_pictures_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No frame of it is decoded: one may take all memory of a board."""
    monkeypatch.setattr(picture_size, "MAX_PIXELS", 320 * 240 - 1)
    with pytest.raises(SourceError, match=r"clip\.mp4: has 320x240 pixels, more than .* make it smaller"):
        open_camera(parse_source("file:clip.mp4"), CameraSettings(folder=folder))
