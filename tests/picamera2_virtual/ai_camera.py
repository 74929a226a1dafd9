# SPDX-License-Identifier: Apache-2.0
"""The AI Camera's part of the real Picamera2, without such a camera: it reads answers as the door takes them.

Called by check.py; a rule that does not hold ends it with an AssertionError that says which.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from picamera2.devices.imx500 import IMX500, imx500

from edgecam.capture.camera import SensorNetwork
from edgecam.capture.picamera_network import NetworkOnSensor
from edgecam.errors import SourceError, UnreadableFrame

CAMERA = {"Model": "imx500", "Id": "/base/axi/pcie@120000/rp1/i2c@88000/imx500@1a"}
CLASSES = 1000


def check_ai_camera() -> None:
    """A sensor that is not there is told; what libcamera puts into metadata becomes scores."""
    network = NetworkOnSensor(SensorNetwork(Path("model.rpk"), keeps_shape=True), shown="picamera2:0")
    said = "it took the network"
    try:
        network.upload(CAMERA)
    except SourceError as refusal:
        said = str(refusal)
    assert "dev-node not found" in said, f"a sensor that is not there: {said}"
    assert "imx500-all" in said, f"no remedy: {said}"
    library = object.__new__(IMX500)  # its constructor wants the sensor
    library.device_fd = None
    assert callable(library.set_auto_aspect_ratio)
    network._library = library
    scores = np.random.default_rng(1).random(CLASSES, np.float32)
    found = network.outputs(metadata(scores))
    assert found is not None, "an answer was left out"
    assert found.dtype == np.float32, f"scores of {found.dtype}"
    assert (found == scores).all(), "other scores, or in another order"
    assert network.outputs({"SensorTimestamp": 1}) is None, "an answer out of nothing"
    try:
        network.outputs(metadata(scores[:4], scores[4:8]))
    except UnreadableFrame:
        return
    raise AssertionError("two tensors were taken for scores")


def metadata(*tensors: np.ndarray[Any, np.dtype[np.float32]]) -> dict[str, Any]:
    """As libcamera gives it: the numbers behind each other, and the bytes of a struct with their shapes."""
    info = imx500.CnnOutputTensorInfoExported(network_name=b"made", num_tensors=len(tensors))
    for described, tensor in zip(info.info, tensors, strict=False):
        described.tensor_data_num, described.num_dimensions = tensor.size, tensor.ndim
        described.size[: tensor.ndim] = tensor.shape
    numbers = np.concatenate([tensor.reshape(-1) for tensor in tensors]).tolist()
    return {
        "CnnOutputTensor": numbers,
        "CnnOutputTensorInfo": list(ctypes.string_at(ctypes.addressof(info), ctypes.sizeof(info))),
    }
