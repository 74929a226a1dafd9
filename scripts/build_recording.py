"""Makes the demo's recording out of four freely licensed photographs, as a hand-held camera would film them.

The photographs come with scikit-image (see demo_data/README.md for who took them and under which terms).
Run in an environment of its own; the recording itself is in the tree, so nobody needs this to use edgecam::

    pip install av==18.1.0 opencv-python-headless==4.11.0.86 scikit-image==0.26.0
    python scripts/build_recording.py scripts/demo_data/recording.webm

Everything drawn is seeded and the encoder uses one thread: the same libraries give the same file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

SIZE_PX = (640, 480)
FPS = 30
SCENE_S = 6.0
FADE_S = 0.3
"""Each scene rises from black and sinks back into it, so the loop has no seam."""
NOISE_LEVELS = 1.5
"""Standard deviation of the sensor noise; the codec keeps little of it, and more would only cost bytes."""
DRIFT = 0.05
"""How far the exposure wanders, as a fraction."""
TREMOR_PX = 2.5
"""Amplitude of the hand, in pixels of the recording."""
TREMOR_HZ = (0.4, 0.9, 1.7)
VP9 = {"crf": "34", "b": "0", "deadline": "good", "cpu-used": "2", "threads": "1", "g": str(3 * FPS)}
"""libvpx-vp9: constant quality (a fraction of MPEG-4's bytes, cheaper to decode), a key frame every 3 s."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """What the camera looks at, in fractions of the photograph."""

    x: float
    """Centre, of the photograph's width."""
    y: float
    """Centre, of its height."""
    zoom: float
    """1: the largest window of the recording's shape; 2: half of that."""


@dataclass(frozen=True)
class Scene:
    """One photograph and the way over it."""

    photo: str
    """Name of the function in skimage.data."""
    start: View
    end: View


SCENES = (
    Scene("chelsea", View(0.46, 0.50, 1.06), View(0.54, 0.50, 1.18)),
    Scene("coffee", View(0.50, 0.48, 1.05), View(0.56, 0.50, 1.20)),
    Scene("rocket", View(0.54, 0.45, 2.10), View(0.50, 0.45, 2.30)),
    Scene("astronaut", View(0.56, 0.42, 1.30), View(0.50, 0.45, 1.05)),
)


def tremor_px(times_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The hand's path, (frames, 2): slow sines of random phase, the faster the smaller."""
    path = np.zeros((times_s.size, 2))
    for hz in TREMOR_HZ:
        phase = rng.uniform(0, 2 * np.pi, size=2)
        path += np.sin(2 * np.pi * hz * times_s[:, None] + phase) * (TREMOR_PX * TREMOR_HZ[0] / hz)
    return path


def look(photo: Picture, view: View, shake_px: NDArray[np.float64]) -> Picture:
    """The part of `photo` that `view` shows, at the recording's size; it never leaves the photograph."""
    height, width = photo.shape[:2]
    scale = max(SIZE_PX[0] / width, SIZE_PX[1] / height) * view.zoom
    half = np.array(SIZE_PX) / scale / 2
    centre = np.array([view.x * width, view.y * height]) + shake_px / scale
    left, top = np.clip(centre, half, [width, height] - half) - half
    move = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    shown = cv2.warpAffine(photo, move, SIZE_PX, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown, np.uint8)


def between(start: View, end: View, way: float) -> View:
    """The view at `way` (0..1) from `start` to `end`."""
    x, y, zoom = (a + (b - a) * way for a, b in ((start.x, end.x), (start.y, end.y), (start.zoom, end.zoom)))
    return View(x, y, zoom)


def film(scene: Scene, rng: np.random.Generator) -> Iterator[Picture]:
    """All pictures of one scene, BGR."""
    photo = np.ascontiguousarray(getattr(skimage.data, scene.photo)()[:, :, ::-1])
    times_s = np.arange(round(SCENE_S * FPS)) / FPS
    shake_px = tremor_px(times_s, rng)
    drift = 1 + DRIFT * np.sin(2 * np.pi * times_s / SCENE_S + rng.uniform(0, 2 * np.pi))
    fade = np.minimum(1, np.minimum(times_s, times_s[::-1]) / FADE_S)
    way = times_s / times_s[-1]
    way = way * way * (3 - 2 * way)
    for i, t in enumerate(way):
        view = between(scene.start, scene.end, t)
        picture = look(photo, view, shake_px[i]) * (drift[i] * fade[i])
        noise = rng.standard_normal(picture.shape, dtype=np.float32) * (NOISE_LEVELS * fade[i])
        yield np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def frames() -> Iterator[Picture]:
    """All pictures of the recording, BGR."""
    rng = np.random.default_rng(2024)
    for scene in SCENES:
        yield from film(scene, rng)


def write(path: Path, pictures: Iterator[Picture]) -> None:
    """Encode to VP9 in WebM; bitexact leaves out the muxer's random ids and dates."""
    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=FPS, options=VP9)
        stream.width, stream.height = SIZE_PX
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


def main() -> None:
    """Command line: where to write."""
    parser = argparse.ArgumentParser(description="Make the demo's recording.")
    parser.add_argument("path", type=Path, help="where to write, *.webm")
    path = parser.parse_args().path
    write(path, frames())
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
