"""A stand-in for HailoRT's `hailo_platform`, on the shapes that its Python API gives (4.18 to 4.23)."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from numpy.typing import NDArray


class HailoRTException(Exception):
    """The base of what it raises."""


class HailoRTHEFNotCompatibleWithDevice(HailoRTException):
    """As there."""


class HailoRTInvalidHEFException(HailoRTException):
    """As there."""


class HailoRTDriverOperationFailedException(HailoRTException):
    """As there."""


class HailoRTTimeout(HailoRTException):
    """As there."""


FormatType = Enum("FormatType", ["AUTO", "UINT8", "UINT16", "FLOAT32"])
HailoSchedulingAlgorithm = Enum("HailoSchedulingAlgorithm", ["NONE", "ROUND_ROBIN"])


@dataclass
class QuantInfo:
    """Of a stream: real = (quantized - qp_zp) * qp_scale."""

    qp_zp: float = 0.0
    qp_scale: float = 1.0


@dataclass
class Stream:
    """InferModel.InferStream."""

    name: str
    shape: list[int]
    quant_infos: list[QuantInfo] = field(default_factory=lambda: [QuantInfo()])
    is_nms: bool = False
    format_type: FormatType = FormatType.AUTO

    def set_format_type(self, format_type: FormatType) -> None:
        """What the user's buffers hold."""
        self.format_type = format_type


@dataclass
class VDeviceParams:
    """What `VDevice.create_params` gives."""

    scheduling_algorithm: HailoSchedulingAlgorithm = HailoSchedulingAlgorithm.NONE
    group_id: str = "UNIQUE"


class Chip:
    """What the tests set: the network in the file, and what fails."""

    inputs: ClassVar[list[Stream]] = []
    outputs: ClassVar[list[Stream]] = []
    answer: ClassVar[NDArray[np.float32]] = np.zeros(0, np.float32)
    open_error: ClassVar[Exception | None] = None
    configure_error: ClassVar[Exception | None] = None
    run_error: ClassVar[Exception | None] = None
    seen: ClassVar[list[NDArray[np.uint8]]] = []
    groups: ClassVar[list[str]] = []
    log: ClassVar[list[str]] = []

    @classmethod
    def reset(cls) -> None:
        """A classifier of four classes, whose chip takes the pixels."""
        cls.inputs = [Stream("net/input_layer1", [8, 6, 3])]
        cls.outputs = [Stream("net/softmax1", [4], [QuantInfo(0.0, 1 / 255)])]
        cls.answer = np.array([0.1, 0.2, 0.6, 0.1], np.float32)
        cls.open_error = cls.configure_error = cls.run_error = None
        cls.seen, cls.groups, cls.log = [], [], []


class Buffer:
    """Bindings.InferStream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.array: NDArray[Any] | None = None

    def set_buffer(self, array: NDArray[Any]) -> None:
        """HailoRT checks size and order of what it is given."""
        item_bytes = {FormatType.UINT8: 1, FormatType.FLOAT32: 4}[self.stream.format_type]
        if not array.flags.c_contiguous:
            raise HailoRTException("Buffer must be C_CONTIGUOUS")
        if array.nbytes != item_bytes * int(np.prod(self.stream.shape)):
            raise HailoRTException("libhailort failed with error: 2 (HAILO_INVALID_ARGUMENT)")
        self.array = array


class Bindings:
    """Of one frame."""

    def __init__(self) -> None:
        self._input, self._output = Buffer(Chip.inputs[0]), Buffer(Chip.outputs[0])

    def input(self) -> Buffer:
        """The only one."""
        return self._input

    def output(self) -> Buffer:
        """The only one."""
        return self._output


class ConfiguredInferModel:
    """Ready to run."""

    def create_bindings(self) -> Bindings:
        """Without buffers."""
        return Bindings()

    def run(self, bindings: list[Bindings], timeout: int) -> None:
        """One frame for each."""
        assert timeout > 0
        for frame in bindings:
            picture, result = frame.input().array, frame.output().array
            assert picture is not None
            assert result is not None
            if Chip.run_error:
                raise Chip.run_error
            Chip.seen.append(picture.copy())
            result[...] = Chip.answer.reshape(result.shape)

    def shutdown(self) -> None:
        """No more."""
        Chip.log.append("shutdown")


class InferModel:
    """The network in a file."""

    batch_size = 0

    @property
    def input_names(self) -> list[str]:
        """In order."""
        return [stream.name for stream in Chip.inputs]

    @property
    def output_names(self) -> list[str]:
        """In order."""
        return [stream.name for stream in Chip.outputs]

    def input(self) -> Stream:
        """The only one."""
        return self._only(Chip.inputs)

    def output(self) -> Stream:
        """The only one."""
        return self._only(Chip.outputs)

    def set_batch_size(self, size: int) -> None:
        """Frames at once."""
        self.batch_size = size

    def configure(self) -> ConfiguredInferModel:
        """Onto the chip."""
        if Chip.configure_error:
            raise Chip.configure_error
        return ConfiguredInferModel()

    @staticmethod
    def _only(streams: list[Stream]) -> Stream:
        if len(streams) != 1:
            raise HailoRTException("libhailort failed with error: 61 (HAILO_NOT_FOUND)")
        return streams[0]


class VDevice:
    """The chip, or a share of it."""

    def __init__(self, params: VDeviceParams) -> None:
        if Chip.open_error:
            raise Chip.open_error
        assert params.scheduling_algorithm is HailoSchedulingAlgorithm.ROUND_ROBIN
        Chip.groups.append(params.group_id)

    @staticmethod
    def create_params() -> VDeviceParams:
        """The defaults."""
        return VDeviceParams()

    def create_infer_model(self, hef_source: str) -> InferModel:
        """The file is read here."""
        assert hef_source
        return InferModel()

    def release(self) -> None:
        """Give it back."""
        Chip.log.append("release")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def install(monkeypatch: pytest.MonkeyPatch) -> type[Chip]:
    """The stand-in under the library's name; returns what the tests set."""
    module = ModuleType("hailo_platform")
    module.__dict__.update(
        __version__="4.23.0",
        VDevice=VDevice,
        FormatType=FormatType,
        HailoSchedulingAlgorithm=HailoSchedulingAlgorithm,
        HailoRTException=HailoRTException,
    )
    monkeypatch.setitem(sys.modules, "hailo_platform", module)
    Chip.reset()
    return Chip
