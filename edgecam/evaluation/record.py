"""Scores a recording as a camera's frames are scored: each frame, with its moment in the recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from edgecam.capture.camera import CameraSettings
from edgecam.capture.images import ImageFolder
from edgecam.capture.pacing import Pacer, Playback
from edgecam.capture.recording import VideoFile
from edgecam.config.loader import LoadedConfig
from edgecam.config.source import Source, SourceKind
from edgecam.errors import EndOfRecording, EngineError, SourceError, UnreadableFrame
from edgecam.evaluation.recording import Origin, write_recording
from edgecam.inference.engine import reads_metadata
from edgecam.pipeline.assembly import CameraPlan, Plan
from edgecam.pipeline.build import camera_settings, open_model
from edgecam.records import Image
from edgecam.vision.postprocess import Postprocessor
from edgecam.vision.preprocess import Preprocessor

_READ_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded."""

    frames: int
    unreadable: int
    """Frames that could not be decoded; a camera skips them, too."""
    span_s: float
    """From the first frame's moment to the last one's."""


def record(
    loaded: LoadedConfig,
    plan: Plan,
    camera: CameraPlan,
    path: Path,
    *,
    told: Callable[[int, float], None] | None = None,
) -> Recorded:
    """Write what the best model of a camera's ladder says of every frame of its recording.

    Nothing is skipped: neither `max_fps` nor the motion gate, nor a budget, is asked.

    Args:
        loaded: the configuration.
        plan: what `assemble` made of it.
        camera: the one; its source is a recording.
        path: where to; the file appears whole.
        told: hears how many frames are done, and up to which second of the recording.

    Raises:
        SourceError: the source is no recording, cannot be opened, or holds no frame that can be read.
        EngineError: no engine runs the model, or its answer is no number.
        EdgecamError: the file cannot be written.
    """
    name = camera.rungs[0].model
    model = plan.models[name]
    with _Moments(camera.source, camera_settings(camera.config, folder=loaded.folder)) as moments:
        engine = open_model(loaded, plan, name)
        with engine:
            if reads_metadata(engine):
                raise EngineError(
                    f"{name} runs on a camera's sensor, and a recording has none; name a model for the CPU"
                )
            origin = Origin(
                model=model.name,
                sha256=model.sha256,
                labels=model.labels,
                camera=camera.camera,
                source=camera.source.shown,
                engine=engine.info.name,
            )
            preprocess = Preprocessor(model.card.input, engine.input, camera.view)
            postprocess = Postprocessor(model.card.output, engine.output, model.labels)
            last_ns = 0
            with write_recording(path, origin) as writer:
                for last_ns, image in moments.frames():
                    prediction = postprocess(engine.invoke(preprocess(image)))
                    if not np.isfinite(prediction.probabilities).all():
                        raise EngineError(f"{model.path}: the network's scores are not finite")
                    # Rounding may leave 0..1 by a little.
                    np.clip(prediction.probabilities, 0, 1, out=prediction.probabilities)
                    writer.add(prediction, at_ns=last_ns)
                    if told is not None:
                        told(writer.frames, last_ns / 1e9)
                if not writer.frames:
                    raise SourceError(
                        f"{camera.source.shown}: none of its frames can be read; check the recording"
                    )
                return Recorded(writer.frames, moments.unreadable, last_ns / 1e9)


class _Moments(Pacer):
    """Plays a recording as fast as it is read, and knows each frame's own moment."""

    def __init__(self, source: Source, settings: CameraSettings) -> None:
        super().__init__()
        self.unreadable = 0
        self._at_ns = 0
        self._camera = self._open(source, replace(settings, paced=True, loop=False))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.close()

    def reach(self, offset_ns: int, *, timeout_s: float) -> bool:  # noqa: ARG002 - nobody waits
        """Every moment has come."""
        self._at_ns = offset_ns
        return True

    def frames(self) -> Iterator[tuple[int, Image]]:
        """Each frame that can be decoded, and its moment in ns since the first."""
        while True:
            try:
                shot = self._camera.read(_READ_TIMEOUT_S)
            except UnreadableFrame:
                self.unreadable += 1
                continue
            except EndOfRecording:
                return
            if shot is not None:
                yield self._at_ns, shot.image

    def _open(self, source: Source, settings: CameraSettings) -> Playback:
        match source.kind:
            case SourceKind.FILE:
                return VideoFile(source, settings, pacer=self)
            case SourceKind.IMAGES:
                return ImageFolder(source, settings, pacer=self)
            case _:
                raise SourceError(
                    f"{source.shown}: is no recording that ends; give --source file:clip.mp4 or "
                    "images:folder. What a running camera says is recorded with edgecam watch --json"
                )
