"""What happens once, when a Picamera2 camera is opened: library, camera, controls, streams."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecam.capture.camera import CameraSettings
from edgecam.capture.picamera_controls import controls_for
from edgecam.config.source import Source
from edgecam.errors import CameraLost, SourceError
from edgecam.records import ColorSpace, PixelFormat, YuvMatrix

log = logging.getLogger(__name__)

# Picamera2 and libcamera's binding have no exceptions of their own: these are what they raise when a camera
# refuses or vanishes.
LIBRARY_ERRORS = (AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
_APT_REMEDY = (
    "on Raspberry Pi OS: sudo apt install python3-picamera2, and let the virtual environment see it "
    "(python3 -m venv --system-site-packages)"
)
# The installer makes a release's environment, which sees the system's packages if this one is among them.
_APT_REMEDY_INSTALLED = "sudo apt install python3-picamera2, then run deploy/install.sh again"
_INSTALLED = Path("/opt/edgecam")
_USB_REMEDY = "a USB camera is read by v4l2:/dev/video0"
# One in the sensor's hands, one in the ISP's, one spare, which a picture may be copied from; more only
# cost contiguous memory.
_CAMERA_BUFFERS = 3
# One in ours, which is copied at once; or, where pictures of the main stream are wanted, one that comes, one
# in the slot, one that is prepared, one at the engine, one that was decided on.
_OUR_BUFFERS, _OUR_BUFFERS_WITH_MAIN = 1, 5
_FORMATS = {"YUV420": PixelFormat.I420, "NV12": PixelFormat.NV12}
_MATRICES = {"Rec601": YuvMatrix.BT601, "Rec709": YuvMatrix.BT709, "Rec2020": YuvMatrix.BT2020}

# The cameras that this process has open. In Picamera2 up to 0.3.36 a second opening takes the place of the
# first before it fails, and the first gets no frames any more.
_held: set[str] = set()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a stream lies in memory, as read back from the camera."""

    format: PixelFormat
    width_px: int
    height_px: int
    stride_bytes: int
    """Of a row of Y; a row of I420 chroma has half of it."""
    color: ColorSpace


@dataclass(frozen=True, slots=True)
class Streams:
    """What the camera gives."""

    analysed: Layout
    """Picamera2's lores stream."""
    main: Layout | None
    """None: it is of the same size, and never copied."""
    most_held: int
    """So many requests may be held without stalling the camera."""


def import_picamera2(shown: str) -> Any:
    """The class `Picamera2`; `shown` is the source that needs it.

    Raises:
        SourceError: it, libcamera or another library of theirs is missing or does not fit, with the remedy.
    """
    try:
        from picamera2 import Picamera2
    except (ImportError, *LIBRARY_ERRORS) as error:
        if isinstance(error, ModuleNotFoundError):
            raise SourceError(
                f"{shown}: this Python ({sys.prefix}) has no module {error.name}; {_apt_remedy()}"
            ) from error
        if "numpy" in str(error).lower():
            raise SourceError(
                f"{shown}: picamera2 was built for another numpy than this Python's ({sys.prefix}): {error}; "
                'on bookworm: pip install "numpy<2"; else: pip uninstall numpy, so that apt\'s is used'
            ) from error
        raise SourceError(f"{shown}: picamera2 cannot be loaded: {error}; {_apt_remedy()}") from error
    return Picamera2


def _apt_remedy() -> str:
    return _APT_REMEDY_INSTALLED if Path(sys.prefix).is_relative_to(_INSTALLED) else _APT_REMEDY


def acquire(
    library: Any, source: Source, *, prepare: Callable[[Mapping[str, Any]], None] | None = None
) -> tuple[Any, str]:
    """The opened Picamera2 that `source` names, and its id; to be ended with `release`.

    Args:
        library: the class `Picamera2`.
        source: which camera.
        prepare: called with what is listed of it, before it is opened and once it is ours.

    Raises:
        SourceError: libcamera does not come up, or the name fits several cameras; or what `prepare` raises.
        CameraLost: the camera is absent, or held by another program or by this one.
    """
    try:
        found = library.global_camera_info()
    except LIBRARY_ERRORS as error:
        raise SourceError(f"{source.shown}: libcamera does not start: {error}; {_apt_remedy()}") from error
    number = _find_number(source, found)
    camera_id: str = found[number]["Id"]
    with _lock:
        if camera_id in _held:
            raise CameraLost(f"{source.shown}: already open here; give each camera a source of its own")
        _held.add(camera_id)
    try:
        if prepare is not None:
            prepare(found[number])
        return _open(library, number, shown=source.shown), camera_id
    except BaseException:
        _held.discard(camera_id)
        raise


def _open(library: Any, number: int, *, shown: str) -> Any:
    try:
        return library(number)
    except LIBRARY_ERRORS as error:
        reasons = _reasons(error)
        if "busy" in reasons.lower():
            raise CameraLost(
                f"{shown}: another program holds it; stop that (sudo fuser -v /dev/media* names it)"
            ) from error
        raise CameraLost(
            f"{shown}: the camera cannot be opened: {reasons}; check with rpicam-hello --list-cameras"
        ) from error


def release(picam2: Any, camera_id: str) -> None:
    """Close as far as it can be closed; a camera that is gone complains, and that is no news."""
    try:
        picam2.close()
    except LIBRARY_ERRORS as error:
        log.warning("camera did not close cleanly id=%s error=%s", camera_id, error)
    finally:
        _held.discard(camera_id)


def _find_number(source: Source, found: Sequence[dict[str, Any]]) -> int:
    """The place in Picamera2's list of the camera whose number, id or model is the target."""
    target = source.target
    if target.isascii() and target.isdigit():
        matches = [int(target)] if int(target) < len(found) else []
    else:
        matches = [place for place, info in enumerate(found) if target in (info["Id"], info.get("Model"))]
    listed = "; ".join(f"{place}: {info.get('Model')} at {info['Id']}" for place, info in enumerate(found))
    if len(matches) > 1:
        raise SourceError(f"{source.shown}: several cameras of this model; write the number or id: {listed}")
    if not matches:
        raise CameraLost(
            f"{source.shown}: no such camera; found: {listed or 'none'}; check the cable and "
            "rpicam-hello --list-cameras (a user outside the group video sees none)"
        )
    return matches[0]


def _reasons(error: BaseException) -> str:
    """The error and its causes in one line: Picamera2 hides libcamera's words behind its own."""
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(str(cause).rstrip("."))
        cause = cause.__cause__ or cause.__context__  # older releases raise without `from`
    return ": ".join(chain)


def configure(picam2: Any, settings: CameraSettings, *, shown: str) -> Streams:
    """Set up an opened camera for `settings` and say what it made of them; it can be started then.

    Raises:
        SourceError: a control that the camera does not have, or a size or format that it cannot do.
    """
    controls = controls_for(picam2, settings.controls, fps=settings.fps, shown=shown)
    size_px = _even(settings.size_px)
    main_px = _even(settings.main_size_px or size_px)
    has_main = main_px != size_px
    try:
        wanted = picam2.create_video_configuration(
            main={"size": main_px, "format": "YUV420"},
            lores={"size": size_px, "format": "YUV420"},
            sensor=_sensor_mode(picam2.sensor_resolution, main_px),
            controls=controls,
            buffer_count=_CAMERA_BUFFERS + (_OUR_BUFFERS_WITH_MAIN if has_main else _OUR_BUFFERS),
            queue=False,  # a frame that was complete before it was asked for is an old one
            display=None,
            encode=None,
        )
        picam2.configure(wanted)
    except LIBRARY_ERRORS as error:
        raise SourceError(
            f"{shown}: the camera refuses a stream of {size_px[0]}x{size_px[1]} beside a main stream of "
            f"{main_px[0]}x{main_px[1]}: {error}; ask for another size ({_USB_REMEDY})"
        ) from error
    # What was asked for stands in `camera_configuration()`; a camera may have fewer, or more.
    buffers = min(picam2.libcamera_config.at(i).buffer_count for i in (picam2.main_index, picam2.lores_index))
    return Streams(
        analysed=_layout(picam2, "lores", picam2.lores_index, shown=shown),
        main=_layout(picam2, "main", picam2.main_index, shown=shown) if has_main else None,
        most_held=max(1, buffers - _CAMERA_BUFFERS),
    )


def _layout(picam2: Any, stream: str, index: int, *, shown: str) -> Layout:
    """What a stream of a configured camera has become."""
    found = picam2.camera_configuration()[stream]
    if found["format"] not in _FORMATS:
        raise SourceError(
            f"{shown}: expected frames in {' or '.join(_FORMATS)}, the camera gives {found['format']}; "
            f"use a camera with an ISP ({_USB_REMEDY})"
        )
    # The stream's own colour space: `camera_configuration()` has that of main, and only the nearest of those
    # that have a name.
    space = picam2.libcamera_config.at(index).color_space
    width_px, height_px = found["size"]
    return Layout(_FORMATS[found["format"]], width_px, height_px, found["stride"], _color(space))


def _even(size_px: tuple[int, int]) -> tuple[int, int]:
    """The size rounded down to what 4:2:0 chroma can halve."""
    return size_px[0] // 2 * 2, size_px[1] // 2 * 2


def _sensor_mode(sensor_px: tuple[int, int], main_px: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """The sensor output to ask for: half its resolution, or all of it for a larger main stream.

    Left alone, Picamera2 takes the mode nearest in size to the main stream, and the small modes of most
    sensors are cut out of the middle. Half is the binned mode, which shows the whole field of view.
    """
    half_px = (sensor_px[0] // 2, sensor_px[1] // 2)
    fits = main_px[0] <= half_px[0] and main_px[1] <= half_px[1]
    return {"output_size": half_px if fits else sensor_px}


def _color(space: Any) -> ColorSpace:
    """The record for libcamera's ColorSpace; None (it does not know) is taken for the usual one of video."""
    if space is None:
        return ColorSpace()
    matrix = _MATRICES.get(space.ycbcrEncoding.name, YuvMatrix.BT601)
    return ColorSpace(matrix, full_range=space.range.name == "Full")
