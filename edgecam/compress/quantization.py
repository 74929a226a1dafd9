"""From a float `.tflite` to smaller numbers: full int8, int16 activations, float16, dynamic range.

Needs the extra `quantize` alone, and no torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from enum import StrEnum
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.compress.dead_channels import with_biases_kept
from edgecam.compress.flatfile import computed_tensors, input_tensor, tidy, with_signature
from edgecam.errors import UnusableError
from edgecam.inference.quiet import chatter_caught

_RANGE_STEPS = 256
_MOST_REASON_CHARS = 300
_REFUSALS = (ValueError, RuntimeError, LookupError, TypeError, AttributeError)
_CALIBRATED_BITS = {"int8": 8, "int16x8": 16}


class Scheme(StrEnum):
    """What a network's numbers become."""

    INT8 = "int8"
    """Weights int8 per channel, activations int8 per tensor, int8 at both ends."""
    INT16X8 = "int16x8"
    """Weights int8 per channel, activations int16; float at both ends."""
    FLOAT16 = "float16"
    """Weights float16, computed in float32."""
    DYNAMIC = "dynamic"
    """Weights int8 per channel; activations float, quantized anew in each step."""

    @property
    def calibrates(self) -> bool:
        """Whether it has to see pictures."""
        return self.value in _CALIBRATED_BITS

    @property
    def warning(self) -> str | None:
        """What whoever chooses it should know; None: nothing."""
        return _WARNINGS.get(self)


_WARNINGS = {
    Scheme.DYNAMIC: (
        "dynamic is small but slow: here convolutions took two to three times as long as in float; "
        "int8 is smaller and faster"
    ),
    Scheme.INT16X8: (
        "int16x8 is for microcontrollers and accelerators that have it: on a CPU it runs on plain kernels, "
        "many times slower than float"
    ),
}


def quantize(
    float_tflite: bytes,
    scheme: Scheme,
    *,
    inputs: Iterable[NDArray[np.float32]] = (),
    input_range: tuple[float, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    keep_biases: bool = True,
) -> bytes:
    """Quantize a float classifier.

    A tensor's range is the union of its ranges over all pictures: the quantizer's own default, a moving
    average, cuts off what is rare and costs points of accuracy.

    Args:
        float_tflite: float32 in and out; with or without a signature.
        scheme: what its numbers become.
        inputs: normalised pictures, float32 [1, height, width, channels], one at a time; only for a scheme
            that `calibrates`, and not needed where `ranges` names every tensor.
        input_range: the real values that the lowest and the highest number of an int8 input stand for; None:
            what the pictures reach.
        ranges: the lowest and highest real value of tensors, by their name in the file, as learnt in
            training; they stand above what the pictures reach.
        keep_biases: mend channels whose bias the quantizer would cut off: `edgecam.compress.dead_channels`.

    Returns:
        The file, tidied: `edgecam.compress.flatfile.tidy`.

    Raises:
        UnusableError: the quantizer is not installed, cannot handle the network, or has no pictures.
        ModelError: the network has several graphs, inputs or outputs.
    """
    tools = _Tools()
    rules = tools.rules(scheme)
    told: dict[str, dict[str, Any]] | None = None
    if scheme.calibrates:
        float_tflite, key, name = with_signature(float_tflite)
        given = dict(ranges or {})
        if input_range is not None and scheme is Scheme.INT8:
            given[input_tensor(float_tflite)] = input_range
        measured = tools.calibrate(float_tflite, rules, ({key: [{name: picture}]} for picture in inputs))
        told = {**measured, **{tensor: _entry(*limits) for tensor, limits in given.items()}}
        unknown = [tensor for tensor in computed_tensors(float_tflite) if tensor not in told]
        if unknown and not measured:
            raise UnusableError(
                f"{scheme} needs the ranges of {len(unknown)} tensors; give pictures to calibrate with"
            )
        if keep_biases:
            float_tflite = with_biases_kept(float_tflite, told, activation_bits=_CALIBRATED_BITS[scheme])
    return tidy(tools.quantize(float_tflite, rules, told))


class _Tools:
    """The doors to ai-edge-quantizer.

    Raises:
        UnusableError: it is not installed.
    """

    def __init__(self) -> None:
        try:
            from ai_edge_quantizer import algorithm_manager, calibrator, qtyping, quantizer, recipe_manager
            from ai_edge_quantizer.utils.qsv_utils import min_max_update
        except ImportError as error:
            raise UnusableError(
                f"the quantizer is not installed ({error}): `pip install 'edgecam[quantize]'`"
            ) from error
        self._algorithms, self._operations = algorithm_manager.AlgorithmName, qtyping.TFLOperationName
        self._manager, self._calibrator = recipe_manager.RecipeManager, calibrator.Calibrator
        self._quantizer, self._merge = quantizer.Quantizer, min_max_update

    def rules(self, scheme: Scheme) -> Any:
        """What is to be done to which operators."""
        manager, every = self._manager(), self._operations.ALL_SUPPORTED
        if scheme.calibrates:
            manager.add_static_config(".*", every, _CALIBRATED_BITS[scheme], 8)
        elif scheme is Scheme.FLOAT16:
            manager.add_weight_only_config(".*", every, 16, algorithm_key=self._algorithms.FLOAT_CASTING)
        else:
            manager.add_dynamic_config(".*", every, 8)
        if scheme is Scheme.INT16X8:
            # Pictures and scores are no int16 for any engine of ours.
            for end in (self._operations.INPUT, self._operations.OUTPUT):
                manager.add_quantization_config(".*", end, algorithm_key=self._algorithms.NO_QUANTIZE)
        return manager.get_quantization_recipe()

    def calibrate(
        self, tflite: bytes, rules: Any, pictures: Iterable[Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """Each tensor's range over all pictures, rounded outwards; one picture is in memory at a time."""
        manager = self._manager()
        manager.load_quantization_recipe(rules)
        with _tamed():
            calibrator = self._calibrator(tflite, num_threads=1, qsv_update_func=self._merge)
        for picture in pictures:
            with _tamed():
                calibrator.calibrate(picture, manager)
        return {name: _rounded_outwards(entry) for name, entry in calibrator.get_model_qsvs().items()}

    def quantize(self, tflite: bytes, rules: Any, ranges: Mapping[str, Any] | None) -> bytes:
        """The quantizer's own file."""
        with _tamed():
            result = self._quantizer(tflite, rules).quantize(
                ranges, enable_progress_bar=False, enable_progress_report=False
            )
        return bytes(result.quantized_model or b"")


def _entry(low: float, high: float) -> dict[str, Any]:
    return {"min": np.full((1, 1, 1, 1), low, np.float32), "max": np.full((1, 1, 1, 1), high, np.float32)}


def _rounded_outwards(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Coarser limits, so that a last bit that differs between processors does not change the file."""
    if not entry:
        return {}
    low, high = entry["min"], entry["max"]
    step = np.exp2(np.ceil(np.log2(np.maximum(np.abs(low), np.abs(high)) + 1e-30))) / _RANGE_STEPS
    return {
        **entry,
        "min": (np.floor(low / step) * step).astype(np.float32),
        "max": (np.ceil(high / step) * step).astype(np.float32),
    }


@contextmanager
def _tamed() -> Iterator[None]:
    """Without the quantizer's progress bars and warnings, and with an error of ours.

    Calibration keeps all tensors in memory, which is what it is for; a bias that is cut off is the affair of
    `edgecam.compress.dead_channels`.
    """
    try:
        with chatter_caught(), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve", UserWarning)
            warnings.filterwarnings("ignore", "invalid value encountered in cast", RuntimeWarning)
            yield
    except _REFUSALS as error:
        reason = " ".join(str(error).split())[:_MOST_REASON_CHARS]
        raise UnusableError(
            f"the quantizer cannot handle this network: {reason}; export it again, or in another way"
        ) from error
