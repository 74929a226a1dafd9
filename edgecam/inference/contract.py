"""Does the interpreter really hold the model that the card describes?"""

from __future__ import annotations

import numpy as np

from edgecam.errors import EngineError, ModelError
from edgecam.inference.engine import Engine
from edgecam.model.card import Channels, InputCard, OutputKind
from edgecam.model.digests import digest_of
from edgecam.model.model import Model
from edgecam.model.support import DTYPES
from edgecam.records import TensorSpec

# Calibration may cut the ends of the pixel range a little; a card that is wrong loses most of it.
_LEAST_SHARE = 0.5
# A normalisation that leaves a picture fewer levels than this is not the one of the training.
_LEAST_LEVELS = 16
# How far from 0..1 quantized probabilities may reach: a step or two.
_TOLERANCE = 0.02


def check_contract(engine: Engine, model: Model) -> None:
    """Compare the file with the one that was looked at, and the engine's tensors with card and labels.

    Raises:
        EngineError: file, shape, dtype, quantization or number of classes do not fit; with what to correct.
    """
    _check_file(model)
    where = str(model.path)
    for what, tensor in (("input", engine.input), ("output", engine.output)):
        if tensor.dtype not in DTYPES:
            raise EngineError(
                f"{where}: {engine.info.runtime} has a {what} of {tensor.dtype}, not {', '.join(DTYPES)}"
            )
        if not _is_sound(tensor):
            raise EngineError(
                f"{where}: {engine.info.runtime} has a {what} of shape {tensor.shape} with the scale "
                f"{tensor.scale} and the zero point {tensor.zero_point}, which no {tensor.dtype} can have; "
                "convert the model again, or update the engine"
            )
    card = model.card.input
    channels = 1 if card.color is Channels.GRAY else 3
    expected = (1, card.height_px, card.width_px, channels)
    if engine.input.shape != expected:
        raise EngineError(f"{where}: input is {engine.input.shape} in the engine, {expected} in the card")
    classes = int(np.prod(engine.output.shape))
    if classes != len(model.labels):
        raise EngineError(
            f"{where}: the engine has {classes} outputs, but there are {len(model.labels)} labels"
        )
    _check_input_range(engine.input, card, where)
    _check_output_range(engine.output, model.card.output.kind, where)


def quantized_range(tensor: TensorSpec) -> tuple[float, float] | None:
    """The smallest and largest real value that a tensor can hold; None for float or without a scale."""
    if tensor.scale is None or tensor.zero_point is None or tensor.dtype == "float32":
        return None
    limits = np.iinfo(tensor.dtype)
    return (
        tensor.scale * (int(limits.min) - tensor.zero_point),
        tensor.scale * (int(limits.max) - tensor.zero_point),
    )


def check_twin(model: Model, engine: str) -> None:
    """Compare an engine's own file with the card before it is opened; raises EngineError."""
    if (digest := _digest(model)) != model.sha256:
        raise EngineError(
            f"{model.path}: is not the file that the card names for {engine}: expected sha256 "
            f"{model.sha256[:12]}…, got {digest[:12]}…; fetch it again, or correct the card"
        )


def _is_sound(tensor: TensorSpec) -> bool:
    """False: it cannot be meant. NaN compares with nothing, so it would pass every other check."""
    if min(tensor.shape, default=1) < 0:
        return False
    if tensor.dtype == "float32" or tensor.scale is None or tensor.zero_point is None:
        return True
    limits = np.iinfo(tensor.dtype)
    return 0 < tensor.scale < float("inf") and limits.min <= tensor.zero_point <= limits.max


def _digest(model: Model) -> str:
    try:
        return digest_of(model.path)
    except ModelError as error:
        raise EngineError(str(error)) from error


def _check_file(model: Model) -> None:
    """An engine opens the file by itself, perhaps days after it was compared with the card."""
    if (digest := _digest(model)) != model.sha256:
        raise EngineError(
            f"{model.path}: has changed since it was checked: sha256 was {model.sha256[:12]}…, is "
            f"{digest[:12]}…; start edgecam again to use the new file"
        )


def _check_input_range(tensor: TensorSpec, card: InputCard, where: str) -> None:
    held = quantized_range(tensor)
    if held is None or tensor.scale is None:
        return
    means, stds = np.broadcast_arrays(np.asarray(card.mean), np.asarray(card.std))
    for mean, std in zip(means.tolist(), stds.tolist(), strict=True):
        low, high = sorted(((0 - mean) / std, (255 - mean) / std))
        common = min(high, held[1]) - max(low, held[0])
        if common < _LEAST_SHARE * (high - low) or common < _LEAST_LEVELS * tensor.scale:
            raise EngineError(
                f"{where}: mean and std make the pixels {low:.3g} to {high:.3g}, but the input tensor holds "
                f"{held[0]:.3g} to {held[1]:.3g}; correct mean and std in the card (--mean and --std)"
            )


def _check_output_range(tensor: TensorSpec, kind: OutputKind, where: str) -> None:
    if tensor.dtype == "float32":
        return
    held = quantized_range(tensor)
    if held is None:
        raise EngineError(
            f"{where}: the {tensor.dtype} output has no scale, so it cannot be read as scores; "
            "convert the model again"
        )
    if kind is OutputKind.PROBABILITIES and (held[0] < -_TOLERANCE or held[1] > 1 + _TOLERANCE):
        raise EngineError(
            f"{where}: the output reaches from {held[0]:.3g} to {held[1]:.3g}, so it holds no probabilities; "
            "set output.kind: logits in the card"
        )
