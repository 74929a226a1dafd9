"""The network on the sensor of a Raspberry Pi AI Camera (IMX500): it never sees pixels of ours.

The camera uploads the network to its sensor (`capture/picamera_network.py`) and hands over, with each
frame, what the network said of it. So there is nothing to open here, and what the tensors are stands in the
card alone, until the first answer comes.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import LastingError, ModelError
from edgecam.inference.engine import METADATA, EngineInfo
from edgecam.inference.engines import EngineRequest
from edgecam.inference.habits import ClosedAfterUse
from edgecam.model.card import Card, Channels, read_card
from edgecam.model.labels import read_labels
from edgecam.records import TensorSpec

ENGINE = "imx500"
"""The engine's name."""
SUFFIX = ".rpk"
"""Of the files that the sensor takes."""


def open_imx500(request: EngineRequest) -> Imx500Engine:
    """The engine of a `.rpk` in a model directory; raises EngineError."""
    folder = request.path.parent
    try:
        card, labels = read_card(folder / "card.yaml"), read_labels(folder / "labels.txt")
    except ModelError as error:
        raise LastingError(
            f"{error}; a network for the sensor is used from a model directory (docs/models.md)"
        ) from error
    classes = len(labels) + card.output.background_offset
    return Imx500Engine(request.path, card, classes=classes, threads=request.threads)


class Imx500Engine(ClosedAfterUse):
    """What the sensor's network said, taken for what it should be; an `Engine`.

    Args:
        path: the `.rpk` file, for messages.
        card: its card.
        classes: how many answers it gives.
        threads: of the CPU, which has nothing to do here.
    """

    reads = METADATA

    def __init__(self, path: Path, card: Card, *, classes: int, threads: int) -> None:
        self._path = path
        channels = 1 if card.input.color is Channels.GRAY else 3
        shape = (1, card.input.height_px, card.input.width_px, channels)
        self.input = TensorSpec("picture", shape, "float32", None, None)
        self.output = TensorSpec("scores", (1, classes), "float32", None, None)
        self.info = EngineInfo(ENGINE, _version(), delegate="sensor", threads=threads)

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Check what the sensor gave with a frame.

        Args:
            tensor: `Frame.outputs`, (classes,) float32.

        Raises:
            EngineError: it is no list of so many scores, but a picture or another network's answer.
        """
        expected = self.output.shape[1]
        if tensor.shape != (expected,):
            raise LastingError(
                f"{self._path}: the network runs on the camera's sensor and gives {expected} scores with "
                f"each frame, got a tensor of {list(tensor.shape)}; use it with a picamera2 camera whose "
                "sensor is an IMX500, and with the labels that belong to it"
            )
        return np.array(tensor, np.float32)

    def close(self) -> None:
        """There is nothing to close."""


def _version() -> str:
    try:
        return version("picamera2")
    except PackageNotFoundError:
        return "unknown"
