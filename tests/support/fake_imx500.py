"""A stand-in for Picamera2's `devices.imx500`, on the shapes that it gives; beside `fake_picamera2`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from fake_picamera2 import Library
from numpy.typing import NDArray

CAMERA_ID = "/base/axi/pcie@120000/rp1/i2c@88000/imx500@1a"


class FakeIMX500:
    """IMX500, as far as the door uses it. What the hardware does is set on the class by the tests."""

    error: ClassVar[BaseException | None] = None
    uploads: ClassVar[list[tuple[str, str]]] = []
    keeps_aspect: ClassVar[bool] = False

    def __init__(self, network_file: str, camera_id: str = "") -> None:
        if self.error:
            raise self.error
        self.uploads.append((network_file, camera_id))

    def set_auto_aspect_ratio(self) -> None:
        """It sees the middle of the picture only."""
        type(self).keeps_aspect = True

    def get_outputs(
        self, metadata: Mapping[str, Any], *, add_batch: bool = False
    ) -> list[NDArray[np.float32]] | None:
        """The tensors behind each other in one list of numbers, the first axis the quickest."""
        numbers = metadata.get("CnnOutputTensor")
        if not numbers:
            return None
        flat, outputs, begin = np.fromiter(numbers, np.float32), [], 0
        for shape in metadata["CnnOutputTensorInfo"]:
            size = int(np.prod(shape))
            tensor = flat[begin : begin + size].reshape(shape, order="F")
            outputs.append(tensor[np.newaxis] if add_batch else tensor)
            begin += size
        return outputs


def answer(*tensors: Sequence[float], sensor_ns: int = 5_000) -> dict[str, Any]:
    """The metadata of a frame that the network has looked at."""
    return {
        "SensorTimestamp": sensor_ns,
        "CnnOutputTensor": tuple(number for tensor in tensors for number in tensor),
        "CnnOutputTensorInfo": [[len(tensor)] for tensor in tensors],
    }


def install(monkeypatch: pytest.MonkeyPatch, library: Library) -> type[FakeIMX500]:
    """A fresh stand-in under the library's name; the camera of `library` is an AI Camera then."""

    class IMX500(FakeIMX500):
        """What the test sets stays with the test."""

        uploads: ClassVar[list[tuple[str, str]]] = []

    def global_camera_info() -> list[dict[str, Any]]:
        return [{"Model": "imx500", "Id": CAMERA_ID, "Num": 0}]

    monkeypatch.setattr(library, "global_camera_info", staticmethod(global_camera_info))
    monkeypatch.setattr(library, "camera_properties", {"Model": "imx500"})
    for name in ("picamera2.devices", "picamera2.devices.imx500"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["picamera2.devices.imx500"].IMX500 = IMX500  # type: ignore[attr-defined]
    return IMX500
