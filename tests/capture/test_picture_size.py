"""A picture's size is known before it is decoded, and what is too large never is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecam.capture import picture_size as sizes
from edgecam.capture.images import read_picture
from edgecam.capture.picture_size import picture_size
from edgecam.errors import UnreadableFrame

WIDTH_PX, HEIGHT_PX = 53, 37
PIXELS = np.random.default_rng(0).integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
WITH_ALPHA = np.dstack([PIXELS, PIXELS[:, :, 0]])


def encoded(kind: str, pixels: np.ndarray = PIXELS, *settings: int) -> bytes:
    """A picture file as OpenCV writes it."""
    return cv2.imencode(kind, pixels, settings)[1].tobytes()


def with_segments(jpeg: bytes) -> bytes:
    """A JPEG with fill bytes, and with a thumbnail of another size in its Exif segment."""
    thumbnail = encoded(".jpg", PIXELS[:8, :8])
    return jpeg[:2] + b"\xff\xff\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + jpeg[2:]


def bmp(width_px: int, height_px: int, pixels: bytes = b"") -> bytes:
    """With the modern header; a negative height puts the first row on top."""
    header = struct.pack("<IiiHHIIiiII", 40, width_px, height_px, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels


def old_bmp(width_px: int, height_px: int, pixels: bytes = b"") -> bytes:
    """With OS/2's header."""
    header = struct.pack("<IHHHH", 12, width_px, height_px, 1, 24)
    return b"BM" + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26) + header + pixels


def png(width_px: int, height_px: int) -> bytes:
    """The header alone."""
    size = struct.pack(">II", width_px, height_px)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + size + bytes([8, 2, 0, 0, 0])


def jpeg(width_px: int, height_px: int) -> bytes:
    """The header alone."""
    return b"\xff\xd8\xff\xc2" + struct.pack(">HBHHB", 17, 8, height_px, width_px, 3)


def webp(kind: bytes, content: bytes) -> bytes:
    """One chunk, which need not be whole."""
    return b"RIFF" + struct.pack("<I", 1000) + b"WEBP" + kind + struct.pack("<I", len(content)) + content


def lossy_webp(width_px: int, height_px: int) -> bytes:
    """The header alone."""
    return webp(b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width_px, height_px))


def lossless_webp(width_px: int, height_px: int) -> bytes:
    """The header alone."""
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width_px - 1) | (height_px - 1) << 14))


def extended_webp(width_px: int, height_px: int) -> bytes:
    """The header alone."""
    sides = (width_px - 1).to_bytes(3, "little") + (height_px - 1).to_bytes(3, "little")
    return webp(b"VP8X", bytes(4) + sides)


HEADERS = [png, jpeg, bmp, lossy_webp, lossless_webp, extended_webp]
ROWS = bytes(HEIGHT_PX * 160)
PICTURES = {
    "jpeg": encoded(".jpg"),
    "progressive-jpeg": encoded(".jpg", PIXELS, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarting-jpeg": encoded(".jpg", PIXELS, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "jpeg-with-segments": with_segments(encoded(".jpg")),
    "grey-jpeg": encoded(".jpg", PIXELS[:, :, 0]),
    "png": encoded(".png"),
    "lossy-webp": encoded(".webp", PIXELS, cv2.IMWRITE_WEBP_QUALITY, 50),
    "lossless-webp": encoded(".webp", PIXELS, cv2.IMWRITE_WEBP_QUALITY, 101),
    "extended-webp": encoded(".webp", WITH_ALPHA, cv2.IMWRITE_WEBP_QUALITY, 50),
    "bmp": encoded(".bmp"),
    "bmp-from-the-top": bmp(WIDTH_PX, -HEIGHT_PX, ROWS),
    "old-bmp": old_bmp(WIDTH_PX, HEIGHT_PX, ROWS),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_the_size_is_that_of_the_decoder(kind: str, tmp_path: Path) -> None:
    """A reader that saw another size than what is decoded would let the large pass, or refuse the small."""
    path = tmp_path / "a.jpg"
    path.write_bytes(PICTURES[kind])
    image = read_picture(path)
    assert picture_size(PICTURES[kind]) == (WIDTH_PX, HEIGHT_PX) == (image.width_px, image.height_px)


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_that_is_cut_off_anywhere_has_its_size_or_none(kind: str) -> None:
    """A short file is no crash of the reader."""
    found = {picture_size(PICTURES[kind][:length]) for length in range(len(PICTURES[kind]))}
    assert found == {None, (WIDTH_PX, HEIGHT_PX)}


@pytest.mark.parametrize("header", HEADERS)
def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded(
    header: Callable[[int, int], bytes], tmp_path: Path
) -> None:
    """The fault tells both sizes of what the decoder, which sees no pixels at all, would call damaged."""
    path = tmp_path / "large.png"
    path.write_bytes(header(16000, 8001))
    with pytest.raises(UnreadableFrame, match=r"large\.png: has 16000x8001 pixels.* 128 million") as refusal:
        read_picture(path)
    assert "make it smaller" in str(refusal.value)


def test_a_picture_at_the_limit_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As large as allowed is allowed, and not one pixel more."""
    path = tmp_path / "a.png"
    path.write_bytes(PICTURES["png"])
    monkeypatch.setattr(sizes, "MAX_PIXELS", WIDTH_PX * HEIGHT_PX)
    assert read_picture(path).width_px == WIDTH_PX
    monkeypatch.setattr(sizes, "MAX_PIXELS", WIDTH_PX * HEIGHT_PX - 1)
    with pytest.raises(UnreadableFrame, match="has 53x37 pixels"):
        read_picture(path)


@pytest.mark.parametrize("kind", [".tiff", ".ppm"])
def test_a_kind_whose_size_is_not_known_is_not_decoded(kind: str, tmp_path: Path) -> None:
    """The decoder takes more than we do, whatever the ending says: those would slip past the limit."""
    content = encoded(kind)
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is not None
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableFrame, match="has to be JPEG, PNG, BMP or WebP"):
        read_picture(path)
