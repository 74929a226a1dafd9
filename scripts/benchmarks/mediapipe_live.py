"""Contender: MediaPipe Tasks `ImageClassifier` in LIVE_STREAM mode; needs the package mediapipe.

At a paced rate it is handed every frame, and drops by itself what it cannot take. When it is to show how
many it can do, it gets a new frame as soon as one of two is answered: one in work and one that waits is
what its flow limiter admits, so it never idles and never pays for a frame that it drops.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contender import Frame, Job, Meter, parse_job, show

_IN_FLIGHT = 2
_ANSWER_S = 5.0
# As many as edgecam names.
_TOP = 5

Classify = Callable[[NDArray[np.uint8], int], None]
"""Takes (height, width, 3) RGB and a time stamp in ms; returns at once."""


class Live:
    """Which frame an answer belongs to, and when the next may be handed over."""

    def __init__(self, job: Job, note: Callable[[Frame, int], None]) -> None:
        """`note` is called in MediaPipe's thread with a frame and its best class."""
        self._note = note
        self._pending: deque[tuple[int, Frame]] = deque()
        self._free = None if job.fps else threading.Semaphore(_IN_FLIGHT)
        self._stamp_ms = 0

    def hand_over(self, frame: Frame, classify: Classify) -> None:
        """Give one frame; MediaPipe wants every time stamp above the last.

        Raises:
            TimeoutError: no answer came to the frames before.
        """
        if self._free is not None and not self._free.acquire(timeout=_ANSWER_S):
            raise TimeoutError(f"MediaPipe gave no answer for {_ANSWER_S:g} s")
        self._stamp_ms = max(self._stamp_ms + 1, frame.captured_ns // 1_000_000)
        self._pending.append((self._stamp_ms, frame))
        classify(frame.pixels, self._stamp_ms)

    def heard(self, result: Any, _image: Any, stamp_ms: int) -> None:
        """The callback; what was handed over before this frame and not answered was dropped."""
        best = result.classifications[0].categories[0].index
        while self._pending and self._pending[0][0] <= stamp_ms:
            pending_ms, frame = self._pending.popleft()
            if pending_ms == stamp_ms:
                self._note(frame, best)
        if self._free is not None:
            self._free.release()


def main() -> None:
    """Run and print."""
    import mediapipe as mp  # type: ignore[import-not-found]
    from mediapipe.tasks.python import BaseOptions, vision  # type: ignore[import-not-found]

    job = parse_job(__doc__)
    meter = Meter(job)
    live = Live(job, meter.add)
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=str(job.model)),
        running_mode=vision.RunningMode.LIVE_STREAM,
        max_results=_TOP,
        result_callback=live.heard,
    )
    with vision.ImageClassifier.create_from_options(options) as classifier:

        def classify(pixels: NDArray[np.uint8], stamp_ms: int) -> None:
            classifier.classify_async(mp.Image(image_format=mp.ImageFormat.SRGB, data=pixels), stamp_ms)

        for frame in meter.frames():
            live.hand_over(frame, classify)
    show(meter.outcome(("mediapipe", "numpy")))


if __name__ == "__main__":
    main()
