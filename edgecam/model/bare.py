"""A `.tflite` file without a model directory: its card is worked out from what the file says."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from edgecam.errors import ModelError
from edgecam.model.card import Card, Channels, InputCard, OutputCard, OutputKind
from edgecam.model.graph import Graph, parse_graph, read_model_bytes
from edgecam.model.labels import fit_labels, parse_labels, read_labels
from edgecam.model.model import Model
from edgecam.model.support import check_supported
from edgecam.records import TensorSpec

UNKNOWN_LICENCE = "unknown"
"""Of a file that says none."""
_COLORS = 3
_INT8_SHIFT = 128
# A softmax's quantized output has this step: 256 values from 0 to 1.
_SOFTMAX_SCALE = 1 / 256


def bare_model(
    path: Path,
    *,
    labels: Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Model:
    """Make a model of a bare `.tflite`; the rules are in docs/models.md.

    Args:
        path: the file.
        labels: one per line; None takes the file's metadata, else `class 0`, `class 1`, …
        mean: on 0..255 pixels, 1 value or 3; real input = (pixel - mean) / std. Goes with `std`; None
            takes the file's metadata, else, for a quantized input, the tensor's own scale.
        std: as `mean`.

    Raises:
        ModelError: the file cannot be used, or does not say enough; with the option that helps.
    """
    card, graph = describe(path, mean=mean, std=std)
    return Model(
        name=card.name, path=path, sha256=card.sha256, card=card, labels=_labels(graph, path, labels)
    )


def describe(
    path: Path, *, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> tuple[Card, Graph]:
    """The card of a bare file and what is inside it, its labels aside; as `bare_model`."""
    data = read_model_bytes(path)
    graph = parse_graph(data, path=path)
    check_supported(graph, path=path)
    _, height, width, channels = graph.inputs[0].shape
    means, stds = _normalization(graph, path, mean=mean, std=std)
    card = Card(
        name=path.stem,
        description=graph.metadata.description,
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        input=InputCard(
            width_px=width,
            height_px=height,
            mean=means,
            std=stds,
            color=Channels.GRAY if channels == 1 else Channels.RGB,
        ),
        output=OutputCard(kind=_output_kind(graph)),
        licence=graph.metadata.licence or UNKNOWN_LICENCE,
        source=str(path),
        parameters=graph.parameters,
        macs=graph.macs,
    )
    return card, graph


def _labels(graph: Graph, path: Path, file: Path | None) -> tuple[str, ...]:
    if file is not None:
        return fit_labels(read_labels(file), graph.classes, offset=0, path=file)
    if graph.metadata.labels is not None:
        inside = Path(f"{path} (metadata)")
        return fit_labels(
            parse_labels(graph.metadata.labels, name=str(inside)), graph.classes, offset=0, path=inside
        )
    return tuple(f"class {index}" for index in range(graph.classes))


def _normalization(
    graph: Graph, path: Path, *, mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    tensor = graph.inputs[0]
    if mean is not None or std is not None:
        if mean is None or std is None:
            raise ModelError(f"{path}: --mean and --std go together; give both")
        return _checked(mean, std, tensor, f"{path}: --mean and --std")
    own = _from_tensor(tensor)
    if graph.metadata.mean or graph.metadata.std:
        said = _checked(
            graph.metadata.mean, graph.metadata.std, tensor, f"{path}: its metadata's mean and std"
        )
        return own if own is not None and _same(said, own, tensor) else said
    if own is None:
        raise ModelError(
            f"{path}: has a {tensor.dtype} input and does not say how pixels are normalised; give --mean and "
            "--std on 0..255 pixels, e.g. --mean 127.5 --std 127.5, or --mean 0 --std 255"
        )
    return own


def _checked(
    mean: Sequence[float], std: Sequence[float], tensor: TensorSpec, where: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    lengths = {1, _COLORS} if tensor.shape[3] == _COLORS else {1}
    if len(mean) not in lengths or len(std) not in lengths:
        wanted = " or ".join(map(str, sorted(lengths)))
        raise ModelError(f"{where}: expected {wanted} numbers each, found {len(mean)} and {len(std)}")
    if not all(math.isfinite(value) for value in (*mean, *std)) or 0 in std:
        raise ModelError(f"{where}: expected finite numbers and no std of 0")
    return tuple(map(float, mean)), tuple(map(float, std))


def _from_tensor(tensor: TensorSpec) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The normalisation under which a pixel is the tensor's own number: as it is, or for int8 less 128.

    With q = pixel - shift and real = scale * (q - zero_point), mean is shift + zero_point, std 1 / scale.
    """
    if tensor.dtype == "float32":
        return None
    shift = _INT8_SHIFT if tensor.dtype == "int8" else 0
    scale = 1.0 if tensor.scale is None else tensor.scale
    return (float(shift + (tensor.zero_point or 0)),), (1.0 / scale,)


def _same(
    said: tuple[tuple[float, ...], tuple[float, ...]],
    own: tuple[tuple[float, ...], tuple[float, ...]],
    tensor: TensorSpec,
) -> bool:
    """True if both put every pixel within one step of the tensor: then the cheaper `own` will do."""
    step = 1.0 if tensor.scale is None else tensor.scale
    (own_mean,), (own_std,) = own
    means, stds = (values * _COLORS if len(values) == 1 else values for values in said)
    return all(
        abs((pixel - mean) / std - (pixel - own_mean) / own_std) <= step
        for mean, std in zip(means, stds, strict=True)
        for pixel in (0, 255)  # both are straight lines, so the ends decide
    )


def _output_kind(graph: Graph) -> OutputKind:
    tensor = graph.outputs[0]
    lowest = {"uint8": 0, "int8": -128}.get(tensor.dtype)
    full_range = tensor.zero_point is not None and tensor.zero_point == lowest
    softmax_step = tensor.scale is not None and math.isclose(tensor.scale, _SOFTMAX_SCALE, rel_tol=1e-3)
    probable = graph.ends_in_softmax or (full_range and softmax_step)
    return OutputKind.PROBABILITIES if probable else OutputKind.LOGITS
