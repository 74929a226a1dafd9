"""`images:`, a folder of pictures or a single one, each picture a frame of its own size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgecam.capture.base import unreadable
from edgecam.capture.camera import CameraSettings
from edgecam.capture.opencv import prepare_opencv
from edgecam.capture.pacing import Pacer, Playback, Scheduled
from edgecam.capture.picture_size import picture_size, size_fault
from edgecam.config.source import PICTURE_SUFFIXES, Source
from edgecam.errors import SourceError, UnreadableFrame
from edgecam.records import Image, PixelFormat

_MAX_BYTES = 200_000_000


class ImageFolder(Playback):
    """Pictures by name order, paced at `settings.fps`, or as fast as they are read."""

    def __init__(self, source: Source, settings: CameraSettings, *, pacer: Pacer | None = None) -> None:
        """List the pictures; they are read one by one.

        Raises:
            SourceError: no such folder, or no picture in it.
        """
        paths = list_pictures(settings.folder / source.target, shown=source.shown)
        super().__init__(
            _frames(paths, fps=settings.fps, loop=settings.loop),
            pacer=(pacer or Pacer()) if settings.paced else None,
            live=False,
            description=f"{source.shown} ({len(paths)} pictures)",
        )


def read_picture(path: Path) -> Image:
    """The picture as 8-bit BGR, turned upright by its EXIF orientation; transparency is dropped.

    Raises:
        UnreadableFrame: it cannot be opened, is no picture, is cut off, or is larger than `MAX_PIXELS`.
    """
    import cv2

    prepare_opencv()
    try:
        if path.exists() and not path.is_file():
            raise UnreadableFrame(f"{path}: is no picture file")
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableFrame(f"{path}: is larger than {_MAX_BYTES} bytes; make it smaller")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFrame(f"{path}: cannot be read ({error.strerror}); check the file") from error
    size_px = picture_size(data)
    if size_px is not None and (fault := size_fault(*size_px)):
        raise UnreadableFrame(f"{path}: {fault}; make it smaller")
    try:
        # Unlike imread, which fills what is missing with grey, imdecode refuses a file that is cut off.
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if size_px else None
    except cv2.error as error:
        raise UnreadableFrame(f"{path}: cannot be decoded ({error.err}); check the file") from error
    if pixels is None:
        raise UnreadableFrame(
            f"{path}: is not a picture, or is damaged or cut off ({len(data)} bytes); check the file, which "
            "has to be JPEG, PNG, BMP or WebP"
        )
    height_px, width_px = pixels.shape[:2]
    return Image(
        pixels=np.asarray(pixels, np.uint8), format=PixelFormat.BGR, width_px=width_px, height_px=height_px
    )


def _frames(paths: Sequence[Path], *, fps: float, loop: bool) -> Iterator[Scheduled]:
    number = 0
    while True:
        readable = 0
        for path in paths:
            content: Image | UnreadableFrame
            try:
                content = read_picture(path)
                readable += 1
            except UnreadableFrame as error:
                content = error
            yield Scheduled(round(number * 1e9 / fps), content)
            number += 1
        if not loop:
            return
        if not readable:
            # As fast as possible, this would go round for ever and tell nothing.
            raise SourceError(
                f"none of the {len(paths)} pictures in {paths[0].parent} can be read; replace them"
            )


def list_pictures(path: Path, *, shown: str) -> list[Path]:
    """The pictures in a folder by name, or the one picture that `path` is.

    Args:
        path: a folder or a picture.
        shown: what the user wrote, for messages.

    Raises:
        SourceError: there is nothing, no picture in the folder, or it cannot be read.
    """
    kinds = " ".join(PICTURE_SUFFIXES)
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise SourceError(f"{shown}: there is no folder or picture {path.absolute()}; check the path")
        paths = sorted(
            entry for entry in path.iterdir() if entry.suffix.lower() in PICTURE_SUFFIXES and entry.is_file()
        )
    except OSError as error:
        raise unreadable(path.absolute(), error, shown=shown) from error
    if not paths:
        raise SourceError(
            f"{shown}: no picture in {path.absolute()}; looked for {kinds} (folders inside are not searched)"
        )
    return paths
