"""What OpenCV's video doors take from the process as a whole, set in one place."""

from __future__ import annotations

import os
from typing import Any

# OpenCV has no per-capture argument for these; it reads them at the first capture of their kind.
_ENVIRONMENT = {
    # FFmpeg's own messages may quote URLs; -8 is AV_LOG_QUIET.
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    # Whole seconds that V4L2 waits for a buffer, 10 by default; only the very first frame is so waited for.
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "5",
}


def prepare_opencv() -> None:
    """Quiet OpenCV and set its video options, except those that the user set in the environment.

    Call it before the first capture of the process. OpenCV's words on stderr are for its developers and may
    quote a URL with its password; what a user needs of them is in the doors' own errors.
    """
    import cv2

    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if "OPENCV_LOG_LEVEL" not in os.environ:
        # OpenCV 4 has it at its top, 5 in a module; 0 is LOG_LEVEL_SILENT in both.
        logging = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
        logging.setLogLevel(0)


def frame_size(capture: Any) -> tuple[int, int]:
    """Width and height in pixels of an open `cv2.VideoCapture`'s frames; 0 where it does not know yet."""
    import cv2

    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
