"""Picture file in, prediction out: the chain of a camera's frame, without the camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgecam.capture.images import read_picture
from edgecam.errors import EngineError
from edgecam.inference.engine import Engine
from edgecam.model.model import Model
from edgecam.records import Prediction
from edgecam.vision.geometry import View
from edgecam.vision.postprocess import Postprocessor
from edgecam.vision.preprocess import Preprocessor


class Classifier:
    """Classifies picture files; for one thread at a time."""

    def __init__(self, model: Model, engine: Engine, *, top: int) -> None:
        """Args: a model and its open engine; how many classes to name."""
        self._engine = engine
        self._preprocess = Preprocessor(model.card.input, engine.input, View())
        self._postprocess = Postprocessor(model.card.output, engine.output, model.labels, top=top)

    def __call__(self, path: Path) -> Prediction:
        """Classify one picture.

        Raises:
            UnreadableFrame: it cannot be read.
            EngineError: the engine fails, or its answer is no number.
        """
        prediction = self._postprocess(self._engine.invoke(self._preprocess(read_picture(path))))
        if not np.isfinite(prediction.probabilities).all():
            raise EngineError(f"{path}: the network's scores are not finite; convert the model again")
        return prediction
