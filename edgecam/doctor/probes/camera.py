"""Does a camera open, and does a frame come?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.config.source import SourceKind, parse_source
from edgecam.errors import CameraLost


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Open `source` and read one frame; without `open`, only load what it needs.

    Returns:
        `description`, `width_px`, `height_px`, `basis`, `took_ms`; without `open` nothing.
    """
    source = parse_source(request["source"])
    if not request["open"]:
        if source.kind is SourceKind.PICAMERA2:
            from edgecam.capture.picamera_setup import import_picamera2

            import_picamera2(source.shown)
        return {}
    width_px, height_px = request["size_px"]
    main_size_px = request["main_size_px"]
    settings = CameraSettings(
        size_px=(width_px, height_px),
        main_size_px=None if main_size_px is None else (main_size_px[0], main_size_px[1]),
        fps=request["fps"],
        controls=request["controls"],
        folder=Path(request["folder"]),
    )
    began_s = time.monotonic()
    with open_camera(source, settings) as camera:
        while (left_s := request["patience_s"] - (time.monotonic() - began_s)) > 0:
            shot = camera.read(left_s)
            if shot is not None:
                return {
                    "description": camera.description,
                    "width_px": shot.image.width_px,
                    "height_px": shot.image.height_px,
                    "basis": str(shot.basis),
                    "took_ms": round((time.monotonic() - began_s) * 1000),
                }
    raise CameraLost(
        f"{source.shown}: opened, but no frame came within {request['patience_s']:g} s; "
        "is the camera's cable and power good?"
    )
