"""The network on the sensor of a Raspberry Pi AI Camera (IMX500): uploaded once, it answers with each frame.

Its answers come in a frame's metadata, where libcamera puts what the sensor sent beside the picture.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.capture.camera import SensorNetwork
from edgecam.capture.picamera_setup import LIBRARY_ERRORS
from edgecam.errors import SourceError, UnreadableFrame

log = logging.getLogger(__name__)

_MODEL = "imx500"
_INSTALL = (
    "on Raspberry Pi OS: sudo apt install imx500-all python3-picamera2, then reboot; and let the virtual "
    "environment see it (python3 -m venv --system-site-packages)"
)


class NetworkOnSensor:
    """A network for a camera's sensor; what it says of a frame is in that frame's metadata.

    Args:
        network: which.
        shown: the camera's source, for messages.
    """

    def __init__(self, network: SensorNetwork, *, shown: str) -> None:
        self._network = network
        self._shown = shown
        self._library: Any = None
        """Picamera2's `IMX500`, once it has taken the network."""

    def upload(self, info: Mapping[str, Any]) -> None:
        """Give the camera its network, before it is opened; the sensor itself gets it when the camera starts.

        Args:
            info: of the camera, as Picamera2 lists it.

        Raises:
            SourceError: it is no AI Camera, or library, file or driver is missing or does not fit.
        """
        shown, path = self._shown, self._network.path
        if info.get("Model") != _MODEL:
            raise SourceError(
                f"{shown}: its sensor is {info.get('Model')}, which runs no network, and {path.name} needs a "
                "Raspberry Pi AI Camera (imx500): take another model, or another camera"
            )
        try:
            from picamera2.devices.imx500 import IMX500
        except (ImportError, *LIBRARY_ERRORS) as error:
            raise SourceError(
                f"{shown}: Picamera2's support of the AI Camera cannot be loaded: {error}; {_INSTALL}"
            ) from error
        log.info("network goes to the sensor source=%s network=%s", shown, path)
        try:
            self._library = IMX500(str(path), camera_id=info["Id"])
            if self._network.keeps_shape:
                self._library.set_auto_aspect_ratio()
        except (StopIteration, *LIBRARY_ERRORS) as error:
            raise SourceError(
                f"{shown}: the sensor does not take {path}: {error}; see that it was packaged for the IMX500 "
                f"(imx500-package); {_INSTALL}"
            ) from error

    def outputs(self, metadata: Mapping[str, Any]) -> NDArray[np.float32] | None:
        """What it said of the frame: (classes,); None: nothing, as a network may be slower than its camera.

        Raises:
            UnreadableFrame: it is no classifier's answer.
        """
        found = self._library.get_outputs(metadata, add_batch=True)
        if not found:
            return None
        if len(found) != 1 or max(found[0].shape) != found[0].size:
            shapes = ", ".join(str(list(output.shape)) for output in found)
            raise UnreadableFrame(
                f"{self._shown}: the network on the sensor gives {shapes}, and a classifier gives one list "
                "of scores; use a network that classifies"
            )
        return np.asarray(found[0], np.float32).reshape(-1)
