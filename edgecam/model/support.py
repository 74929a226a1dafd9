"""What edgecam can run: one picture in, one score per class out; anything else is refused by name."""

from __future__ import annotations

from pathlib import Path

from edgecam.errors import ModelError
from edgecam.model.card import Card, Channels
from edgecam.model.graph import Graph
from edgecam.records import TensorSpec

DTYPES = ("uint8", "int8", "float32")
"""Of the input and the output."""
_COLORS = 3
# By the operator that an accelerator's compiler puts in the place of others: what it is for.
_ACCELERATORS = {
    "edgetpu-custom-op": ("the Edge TPU", "coral", "the CPU twin, the file without `_edgetpu` in its name"),
    "ethos-u": ("the Arm Ethos-U NPU", "ethosu", "the file from before the Vela compiler"),
}


def check_supported(graph: Graph, *, path: Path) -> None:
    """Refuse a model that edgecam cannot feed, or that the CPU cannot run.

    Raises:
        ModelError: custom operators, several inputs or outputs, batch, layout or dtype; with the remedy.
    """
    _check_operators(graph, path)
    for what, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        if len(tensors) != 1:
            names = ", ".join(tensor.name for tensor in tensors)
            raise ModelError(f"{path}: has {len(tensors)} {what}s ({names}); a classifier has one")
        tensor = tensors[0]
        if tensor.dtype not in DTYPES:
            raise ModelError(
                f"{path}: {what} {_shown(tensor)} has a dtype that is not supported; "
                f"convert the model with one of {', '.join(DTYPES)}"
            )
    _check_input(graph.inputs[0], path, fixed=graph.has_fixed_input)
    _check_output(graph.outputs[0], path)


def check_card(card: Card, graph: Graph, *, path: Path) -> None:
    """Refuse a card (at `path`) that describes another input than the model has.

    Raises:
        ModelError: size or channels differ, or the self-test names a class that the model has not.
    """
    _, height, width, channels = graph.inputs[0].shape
    if (card.input.width_px, card.input.height_px) != (width, height):
        raise ModelError(
            f"{path}: input is {card.input.width_px}x{card.input.height_px} px in the card, "
            f"but {width}x{height} px in the model; correct the card"
        )
    if (channels == 1) != (card.input.color is Channels.GRAY):
        wanted = "gray" if channels == 1 else "rgb or bgr"
        raise ModelError(
            f"{path}: input.color is {card.input.color} in the card, but the model's input has "
            f"{channels} channel{'s' * (channels > 1)}; set it to {wanted}"
        )
    if card.self_test is not None and max(card.self_test.top5) >= graph.classes:
        raise ModelError(
            f"{path}: self_test.top5 names output {max(card.self_test.top5)}, but the model has "
            f"{graph.classes} outputs, counted from 0; correct the card"
        )


def _check_operators(graph: Graph, path: Path) -> None:
    for name in graph.custom_ops:
        if name in _ACCELERATORS:
            chip, delegate, other = _ACCELERATORS[name]
            raise ModelError(
                f"{path}: is compiled for {chip} and needs the {delegate} delegate (operator {name}); use "
                f"{other}, and name this one under twins: {delegate} in its card (docs/models.md)"
            )
        if name.startswith("Flex"):
            raise ModelError(
                f"{path}: needs TensorFlow's Flex delegate (operator {name}), which is not part of edgecam; "
                "convert the model with TFLite's built-in operators only"
            )
    if graph.custom_ops:
        raise ModelError(
            f"{path}: has custom operators that no engine here knows ({', '.join(graph.custom_ops)}); "
            "convert the model with TFLite's built-in operators only"
        )


def _check_input(tensor: TensorSpec, path: Path, *, fixed: bool) -> None:
    shape = tensor.shape
    said = f"{path}: input {_shown(tensor)}"
    if len(shape) != 4:  # noqa: PLR2004 - batch, height, width, channels
        raise ModelError(f"{said} is no picture; expected [1, height, width, 3 or 1]")
    if min(shape) < 1 or not fixed:
        raise ModelError(f"{said} has no fixed size; convert the model with a fixed input size")
    if shape[0] != 1:
        raise ModelError(f"{said} takes {shape[0]} pictures at once; convert the model with batch size 1")
    if shape[3] in (1, _COLORS):
        return
    if shape[1] in (1, _COLORS):
        raise ModelError(
            f"{said} has its channels first (NCHW); convert the model to channels last (NHWC), "
            "[1, height, width, channels]"
        )
    raise ModelError(f"{said} has {shape[3]} channels; expected 3 (colour) or 1 (gray)")


def _check_output(tensor: TensorSpec, path: Path) -> None:
    *rest, classes = tensor.shape or (0,)
    if classes < 2 or any(length != 1 for length in rest) or len(rest) not in (1, 3):  # noqa: PLR2004
        raise ModelError(
            f"{path}: output {_shown(tensor)} is no list of scores; expected [1, classes] of a classifier "
            "with two classes or more"
        )


def _shown(tensor: TensorSpec) -> str:
    return f"{tensor.name or '(unnamed)'} {list(tensor.shape)} {tensor.dtype}"
