"""A folder of pictures plays by name, each picture as it is, and a bad one stops nothing."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.capture.images import ImageFolder, read_picture
from edgecam.config.source import parse_source
from edgecam.errors import EndOfRecording, SourceError, UnreadableFrame
from edgecam.records import PixelFormat


def write(path: Path, pixels: np.ndarray) -> None:
    """Write a picture; the suffix says how."""
    path.write_bytes(cv2.imencode(path.suffix.lower(), pixels)[1].tobytes())


def plain(width_px: int, height_px: int, *, blue: int) -> np.ndarray:
    """A picture of one colour."""
    return np.full((height_px, width_px, 3), (blue, 100, 200), np.uint8)


def play(folder: Path, *, source: str = "images:.", loop: bool = False, frames: int = 100) -> list[str]:
    """What the folder gives, as fast as it is read: `width x height` or the error."""
    told: list[str] = []
    with open_camera(parse_source(source), CameraSettings(paced=False, loop=loop, folder=folder)) as camera:
        assert not camera.live
        while len(told) < frames:
            try:
                shot = camera.read(timeout_s=0)
            except UnreadableFrame as error:
                told.append(str(error))
            except EndOfRecording:
                break
            else:
                assert shot is not None
                told.append(f"{shot.image.width_px}x{shot.image.height_px}")
    return told


def test_pictures_come_by_name_each_in_its_own_size(tmp_path: Path) -> None:
    """Sorted, every suffix in any case, other files and inner folders left alone, then the end."""
    for number, name in enumerate(["c.PNG", "a.jpg", "b.jpeg", "d.bmp", "e.webp"]):
        write(tmp_path / name, plain(20 + number, 10, blue=0))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "inner.jpg").mkdir()
    assert play(tmp_path) == ["21x10", "22x10", "20x10", "23x10", "24x10"]


def test_a_damaged_picture_is_told_by_name_and_the_next_one_follows(tmp_path: Path) -> None:
    """Garbage, an empty file and a cut-off JPEG are unreadable; what follows is played."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    write(tmp_path / "c.jpg", noise)
    (tmp_path / "a.jpg").write_bytes(b"this is not a picture")
    (tmp_path / "b.png").write_bytes(b"")
    (tmp_path / "d.jpg").write_bytes((tmp_path / "c.jpg").read_bytes()[:-100])
    (tmp_path / "e.jpg").symlink_to(tmp_path / "c.jpg")
    told = play(tmp_path)
    assert [told[2], told[4]] == ["64x64", "64x64"]
    for number, name in ((0, "a.jpg"), (1, "b.png"), (3, "d.jpg")):
        assert f"{tmp_path / name}: is not a picture, or is damaged or cut off" in told[number]


def test_a_picture_that_vanished_is_unreadable(tmp_path: Path) -> None:
    """The list is taken at the start; a file that is gone by its turn does not end the recording."""
    for name in ("a.png", "b.png", "c.png"):
        write(tmp_path / name, plain(8, 8, blue=0))
    with ImageFolder(parse_source("images:."), CameraSettings(paced=False, folder=tmp_path)) as camera:
        (tmp_path / "b.png").unlink()
        assert camera.read(timeout_s=0)
        with pytest.raises(UnreadableFrame, match=r"b\.png: cannot be read \(No such file"):
            camera.read(timeout_s=0)
        assert camera.read(timeout_s=0)


def test_pictures_are_paced_at_the_asked_rate(tmp_path: Path, clock: Any) -> None:
    """At 2 fps, three pictures take a second from the first to the last."""
    for name in ("a.png", "b.png", "c.png"):
        write(tmp_path / name, plain(8, 8, blue=0))
    start_ns = clock.now
    settings = CameraSettings(fps=2, folder=tmp_path)
    with ImageFolder(parse_source("images:."), settings, pacer=clock.pacer()) as camera:
        for _ in range(3):
            assert camera.read(timeout_s=1)
    assert clock.now - start_ns == 1_000_000_000


def test_a_loop_starts_over(tmp_path: Path) -> None:
    """After the last picture the first comes again."""
    write(tmp_path / "a.png", plain(8, 8, blue=0))
    write(tmp_path / "b.png", plain(9, 8, blue=0))
    assert play(tmp_path, loop=True, frames=5) == ["8x8", "9x8", "8x8", "9x8", "8x8"]


def test_a_loop_without_one_readable_picture_ends(tmp_path: Path) -> None:
    """Going round for ever with nothing to show would keep a core busy and tell nothing."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(SourceError, match="none of the 1 pictures"):
        play(tmp_path, loop=True)


def test_a_single_picture_is_a_recording_of_one_frame(tmp_path: Path) -> None:
    """images: takes a file too."""
    write(tmp_path / "a.png", plain(8, 6, blue=0))
    assert play(tmp_path, source="images:a.png") == ["8x6"]


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("images:nowhere", "there is no folder or picture"),
        ("images:.", "looked for .jpg .jpeg .png .bmp .webp"),
    ],
)
def test_a_folder_with_nothing_to_play_is_refused(tmp_path: Path, source: str, remedy: str) -> None:
    """Missing, or without a picture: the message says what was looked for and where."""
    with pytest.raises(SourceError) as refusal:
        play(tmp_path, source=source)
    assert remedy in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def test_every_picture_becomes_8_bit_bgr(tmp_path: Path) -> None:
    """16 bits, transparency and grey all end as (height, width, 3) uint8."""
    write(tmp_path / "deep.png", np.full((4, 6, 3), 0x80FF, np.uint16))
    write(tmp_path / "alpha.png", np.full((4, 6, 4), (10, 20, 30, 128), np.uint8))
    write(tmp_path / "gray.png", np.full((4, 6), 77, np.uint8))
    for name, pixel in (("deep.png", [128] * 3), ("alpha.png", [10, 20, 30]), ("gray.png", [77] * 3)):
        image = read_picture(tmp_path / name)
        assert image.format is PixelFormat.BGR
        assert image.pixels.dtype == np.uint8
        assert image.pixels.shape == (4, 6, 3)
        assert image.pixels[0, 0].tolist() == pixel


def test_a_photo_is_turned_upright_by_its_exif(tmp_path: Path) -> None:
    """Orientation 6 (turn it right) swaps the sides and moves the top left to the top right."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:8, :8] = 255
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    orientation = struct.pack(">HHHIHH", 1, 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0" + b"MM\0*" + struct.pack(">I", 8) + orientation + bytes(4)
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    image = read_picture(path)
    assert (image.width_px, image.height_px) == (16, 32)
    assert image.pixels[4, 12].min() > 200
    assert image.pixels[4, 2].max() < 50
