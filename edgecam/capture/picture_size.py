"""How large a picture is by its file's own header, before memory is spent on its pixels.

A few kB of PNG may hold a billion pixels. Known are the kinds that `PICTURE_SUFFIXES` names, by what is in
the file, as the decoder goes by that, too. Any other kind has no size, so that none slips past a limit.
"""

from __future__ import annotations

import re
from typing import Literal

# A phone's 108 megapixels pass. So many are 384 MB at three bytes each, and twice that during decoding: about
# what a small board can give for one picture.
MAX_PIXELS = 128_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# A marker with a segment behind it: no fill byte, no stuffed zero, and none that stands alone (TEM, RST, SOI)
_JPEG_SEGMENT = re.compile(rb"\xff([^\xff\x00\x01\xd0-\xd8])", re.DOTALL)
# Of SOF0..SOF15 those numbers that mean something else: DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Behind these (EOI, SOS) no header comes.
_JPEG_ENDS = frozenset({0xD9, 0xDA})
_BMP_OLD_HEADER_BYTES = 12


def size_fault(width_px: int, height_px: int) -> str:
    """Why a picture of that size is not decoded; empty: it is."""
    if width_px * height_px <= MAX_PIXELS:
        return ""
    return f"has {width_px}x{height_px} pixels, more than the {MAX_PIXELS // 10**6} million that are decoded"


def picture_size(data: bytes) -> tuple[int, int] | None:
    """The size that a JPEG, PNG, BMP or WebP file says it has.

    Args:
        data: the whole file.

    Returns:
        Width and height in pixels, before EXIF turns them; None: it is none of these, or ends before them.
    """
    try:
        if data.startswith(_JPEG):
            return _of_jpeg(data)
        if data.startswith(_PNG):
            # The decoder, too, wants the header to be the first chunk.
            return _number(data, 16, 4, "big"), _number(data, 20, 4, "big")
        if data.startswith(b"BM"):
            return _of_bmp(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _of_webp(data)
    except IndexError:
        pass
    return None


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    at = 0
    while (found := _JPEG_SEGMENT.search(data, at)) is not None:
        marker, at = found[1][0], found.end()
        if marker in _JPEG_FRAMES:
            return _number(data, at + 5, 2, "big"), _number(data, at + 3, 2, "big")
        if marker in _JPEG_ENDS:
            return None
        at += _number(data, at, 2, "big")
    return None


def _of_bmp(data: bytes) -> tuple[int, int]:
    if _number(data, 14, 4, "little") == _BMP_OLD_HEADER_BYTES:
        return _number(data, 18, 2, "little"), _number(data, 20, 2, "little")
    height_px = _number(data, 22, 4, "little")
    # Below zero, the first row is the top one.
    return _number(data, 18, 4, "little"), min(height_px, (1 << 32) - height_px)


def _of_webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + _number(data, 24, 3, "little"), 1 + _number(data, 27, 3, "little")
    if kind == b"VP8L":
        bits = _number(data, 21, 4, "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        # Two more bits of each are about scaling.
        return _number(data, 26, 2, "little") & 0x3FFF, _number(data, 28, 2, "little") & 0x3FFF
    return None


def _number(data: bytes, at: int, length: int, order: Literal["big", "little"]) -> int:
    """Raises IndexError."""
    if at + length > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + length], order)
