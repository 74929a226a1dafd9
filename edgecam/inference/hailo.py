"""Hailo's accelerators by HailoRT's Python API, `hailo_platform`: the Raspberry Pi AI HAT+ and its kin.

Its scheduler lets several networks, and thus several engines of this process, share the one chip.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError, LastingError
from edgecam.inference.engine import EngineInfo
from edgecam.inference.engines import EngineRequest
from edgecam.inference.habits import ClosedAfterUse, check_input
from edgecam.records import TensorSpec

log = logging.getLogger(__name__)

# When the machine starts, its driver may come up after us, and who has just been killed may still have the
# chip: `run` must not give up then, as systemd would leave it at that.
_CHIP_S = 20.0
_LOOK_EVERY_S = 1.0
# A chip that answers nothing for so long has fallen off its bus, and its engine is opened anew. What edgecam
# itself takes for a hang is longer, as it ends the process.
_TIMEOUT_MS = 1_500
_GROUP = "edgecam"
_MOST_REASON_CHARS = 200
_INSTALL = (
    "on Raspberry Pi OS: sudo apt install hailo-all, and let the virtual environment see it "
    "(python3 -m venv --system-site-packages)"
)
# What HailoRT says, by its exceptions' names and by its status codes' names, and what helps.
_OTHER_CHIP = (
    "it was compiled for another chip than the one that is here, hailo8, hailo8l or hailo10h "
    "(hailortcli fw-control identify names it); take the file for this one"
)
_DAMAGED = "it is damaged, or made by a newer compiler than HailoRT is; fetch it again, or update hailo-all"
_NO_CHIP = (
    "no chip is free: see that /dev/hailo0 is there (lspci, dmesg | grep hailo), and that no other program "
    "uses it (sudo fuser -v /dev/hailo0)"
)
_NO_DRIVER = "its driver does not fit or is not loaded: sudo apt install --reinstall hailo-all, then reboot"
_REMEDIES = {
    "NotCompatible": _OTHER_CHIP,
    "NOT_COMPATIBLE": _OTHER_CHIP,
    "InvalidHEF": _DAMAGED,
    "INVALID_HEF": _DAMAGED,
    "OUT_OF_PHYSICAL_DEVICES": _NO_CHIP,
    "device not found": _NO_CHIP,
    "DEVICE_IN_USE": _NO_CHIP,
    "Driver": _NO_DRIVER,
    "DRIVER": _NO_DRIVER,
}


def open_hailo(request: EngineRequest) -> HailoEngine:
    """Open a `.hef` on the Hailo chip of this machine; raises EngineError."""
    return HailoEngine(request.path, threads=request.threads)


class _NotReady(EngineError):
    """There is no chip or driver, or somebody else has it; that may be over in a moment."""


# Where another file is needed, nothing comes of trying this one again.
_KINDS = {_OTHER_CHIP: LastingError, _DAMAGED: LastingError, _NO_CHIP: _NotReady, _NO_DRIVER: _NotReady}


class HailoEngine(ClosedAfterUse):
    """A network on a Hailo chip; an `Engine`. Loads in the constructor, and waits for the chip a while.

    Its input is told as the chip takes it, uint8; its output is asked for as float32.

    Args:
        path: the `.hef` file, compiled for this chip.
        threads: of the CPU, which has nothing to do here.

    Raises:
        EngineError: library, driver or chip is missing, or the file is for another chip.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        self._path = path
        self._library = library = _import()
        self._device: Any = None
        self._configured: Any = None
        self._open_soon(library)
        version = str(getattr(library, "__version__", "unknown"))
        self.info = EngineInfo("hailo", version, delegate="npu", threads=threads)

    def _open_soon(self, library: ModuleType) -> None:
        ends_s = time.monotonic() + _CHIP_S
        is_told = False
        while True:
            try:
                self._open(library)
            except _NotReady as error:
                if time.monotonic() >= ends_s:
                    raise
                if not is_told:
                    log.warning("waits for the chip seconds=%g fault=%s", _CHIP_S, error)
                is_told = True
                time.sleep(_LOOK_EVERY_S)
            else:
                return

    def _open(self, library: ModuleType) -> None:
        """Raises EngineError, with nothing left open."""
        try:
            self._device = library.VDevice(_params(library))
            model = self._device.create_infer_model(str(self._path))
            self._check(model)
            model.set_batch_size(1)
            model.input().set_format_type(library.FormatType.UINT8)
            model.output().set_format_type(library.FormatType.FLOAT32)
            self.input, self.output = _input_spec(model.input()), _output_spec(model.output())
            self._configured = model.configure()
            self._result = np.empty(tuple(model.output().shape), np.float32)
            self._bindings = self._configured.create_bindings()
            self._bindings.output().set_buffer(self._result)
        except library.HailoRTException as error:
            self.close()
            raise _explained(self._path, error) from error
        except EngineError:
            self.close()
            raise

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`."""
        check_input(self._path, self.input, tensor)
        if self._configured is None:
            raise EngineError(f"{self._path}: its engine is closed")
        try:
            self._bindings.input().set_buffer(np.ascontiguousarray(tensor[0]))
            self._configured.run([self._bindings], _TIMEOUT_MS)
        except self._library.HailoRTException as error:
            raise _explained(self._path, error) from error
        # The next inference writes into the same buffer.
        return self._result.reshape(-1).copy()

    def close(self) -> None:
        """Let the chip go; may be called twice."""
        configured, self._configured = self._configured, None
        device, self._device = self._device, None
        with suppress(self._library.HailoRTException):
            if configured is not None:
                configured.shutdown()
        if device is not None:
            device.release()

    def _check(self, model: Any) -> None:
        """One picture in, one list of scores out."""
        for what, names in (("input", model.input_names), ("output", model.output_names)):
            if len(names) != 1:
                raise LastingError(
                    f"{self._path}: has {len(names)} {what}s ({', '.join(names)}); a classifier has one"
                )
        if model.output().is_nms:
            raise LastingError(f"{self._path}: finds objects; take a network that classifies")


def _import() -> ModuleType:
    try:
        return importlib.import_module("hailo_platform")
    except ModuleNotFoundError as error:
        raise LastingError(
            f"this Python ({sys.prefix}) has no module {error.name}, which the engine hailo needs; {_INSTALL}"
        ) from error
    except Exception as error:  # it checks its own parts with exceptions of its own
        raise LastingError(f"hailo_platform cannot be loaded: {error}; {_INSTALL}") from error


def _params(library: ModuleType) -> Any:
    """Each engine has a VDevice; those of one group share the chip."""
    params = library.VDevice.create_params()
    params.scheduling_algorithm = library.HailoSchedulingAlgorithm.ROUND_ROBIN
    params.group_id = _GROUP
    return params


def _input_spec(stream: Any) -> TensorSpec:
    """As the chip takes it; a network that normalises by itself takes the pixels: scale 1, zero point 0."""
    infos = stream.quant_infos
    scale, zero_point = (float(infos[0].qp_scale), round(infos[0].qp_zp)) if len(infos) == 1 else (None, None)
    return TensorSpec(str(stream.name), (1, *map(int, stream.shape)), "uint8", scale, zero_point)


def _output_spec(stream: Any) -> TensorSpec:
    shape = (1, *map(int, stream.shape))
    return TensorSpec(str(stream.name), shape, "float32", None, None)


def _explained(path: Path, error: Exception) -> EngineError:
    """What HailoRT said, and what helps; it says little, and has no class for each cause in every version."""
    said = f"{type(error).__name__}: {error}"
    remedy = next((remedy for word, remedy in _REMEDIES.items() if word in said), "hailort.log has more")
    kind = _KINDS.get(remedy, EngineError)
    return kind(f"{path}: HailoRT refuses: {said[:_MOST_REASON_CHARS].rstrip('.')}; {remedy}")
