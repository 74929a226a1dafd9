"""Contender: edgecam itself, the whole pipeline, every prediction published to a real mosquitto on loopback.

Its age runs to the moment at which the message is with the socket: later than the others', which only answer.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.broker import mosquitto
from benchmarks.contender import Job, Outcome, Source, parse_job, resident_bytes, show, versions_of
from edgecam.capture.base import BaseCamera
from edgecam.config.loader import load_config
from edgecam.measure.blocks import run_live
from edgecam.pipeline import build
from edgecam.records import AgeBasis, Image, PixelFormat, Shot

_PACKAGES = ("edgecam", "ai-edge-litert", "numpy", "opencv-python-headless", "paho-mqtt")


class VirtualCamera(BaseCamera):
    """The contenders' source as a camera of ours."""

    def __init__(self, job: Job) -> None:
        super().__init__(live=bool(job.fps), description="the contenders' pictures")
        self._source = Source(np.load(job.pictures), job.fps)
        self.pictures: list[int] = []
        """Which one each frame was, in their order."""

    def read(self, timeout_s: float) -> Shot:  # noqa: ARG002 - it is never silent for long
        """The next one."""
        frame = self._source.next()
        self.pictures.append(frame.picture)
        height_px, width_px = frame.pixels.shape[:2]
        image = Image(pixels=frame.pixels, format=PixelFormat.RGB, width_px=width_px, height_px=height_px)
        return Shot(image=image, captured_ns=frame.captured_ns, basis=AgeBasis.ARRIVAL)

    def close(self) -> None:
        """Nothing is held."""


def run(job: Job, folder: Path, port: int) -> Outcome:
    """Measure once."""
    camera = VirtualCamera(job)
    model = job.model.parent if (job.model.parent / "card.yaml").exists() else job.model
    # The one door that the configuration cannot open: to pictures in memory.
    build.open_camera = lambda *_: camera  # type: ignore[attr-defined]
    config = {
        "device": "bench",
        # A recording played as fast as it can be is the pipeline's own word for a source without end.
        "cameras": {"main": {"source": "images:.", "playback": "camera" if job.fps else "fast"}},
        "models": {"default": {"path": str(model), "threads": job.threads}},
        "mqtt": {
            "url": f"mqtt://127.0.0.1:{port}",
            "predictions": {"enabled": True, "max_hz": 1000},
            # Else one run would send what another has left.
            "outbox": {"path": "memory"},
        },
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    block = run_live(load_config(path, environ={}), seconds=job.seconds)
    answers: list[int | None] = [None] * (max(camera.pictures) + 1)
    for result in block.results:
        answers[camera.pictures[result.seq - 1]] = result.top[0].id
    return Outcome(
        fps_in=job.fps,
        fps_out=len(block.results) / (block.span_ns / 1e9),
        ages_ms=[round(age_ns / 1e6, 3) for age_ns in block.sent_ages_ns],
        cpu_ms=block.cpu_ns / 1e6 / len(block.results),
        resident_bytes=resident_bytes(),
        answers=answers,
        versions=versions_of(_PACKAGES),
    )


def main() -> None:
    """Run and print."""
    job = parse_job(__doc__)
    with tempfile.TemporaryDirectory(prefix="edgecam-bench-") as name, mosquitto(Path(name)) as port:
        show(run(job, Path(name), port))


if __name__ == "__main__":
    main()
