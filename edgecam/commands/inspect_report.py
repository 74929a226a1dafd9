"""What `edgecam inspect` finds in a model, as docs/schemas/inspect.schema.json has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from edgecam.errors import ModelError, UsageError
from edgecam.model.arena import arena_of
from edgecam.model.coverage import Coverage, coverage_of
from edgecam.model.graph import Graph, is_readable, read_graph
from edgecam.model.layers import Layer, layers_of
from edgecam.model.model import Model
from edgecam.model.network import Tensor
from edgecam.model.onnx_file import SUFFIX
from edgecam.records import TensorSpec


def inspect_report(file: Path, load: Callable[[], Model], *, delegate: str | None = None) -> dict[str, Any]:
    """All that a model's file and its card say.

    Args:
        file: the network.
        load: loads the model that it belongs to; what it raises is reported as the fault.
        delegate: a name in `SUPPORTED`, to say which layers it would take.

    Raises:
        ModelError: the network cannot be read.
        UsageError: the lists of delegates are not for this kind of file.
    """
    if file.exists() and not is_readable(file):
        raise ModelError(
            f"{file}: only its engine can look inside; `edgecam models list` has what its card says"
        )
    graph = read_graph(file)
    if delegate is not None and file.suffix == SUFFIX:
        raise UsageError(f"--delegate: is about TFLite's operators, and {file} has ONNX's")
    model, fault = None, None
    try:
        model = load()
    except ModelError as error:
        fault = str(error)
    return {
        "schema": 1,
        "file": str(file),
        "parameters": graph.parameters,
        "macs": graph.macs,
        "bytes": graph.bytes,
        "arena": None if (arena := arena_of(graph.subgraphs[0])) is None else asdict(arena),
        "operators": dict(graph.operators.most_common()),
        "inputs": [_spec(tensor) for tensor in graph.inputs],
        "outputs": [_spec(tensor) for tensor in graph.outputs],
        "custom_ops": list(graph.custom_ops),
        "layers": [_layer(layer) for layer in layers_of(graph.subgraphs)],
        "coverage": None if delegate is None else _coverage(coverage_of(graph.subgraphs[0], delegate)),
        "tensors": [_tensor(tensor) for subgraph in graph.subgraphs for tensor in subgraph.tensors],
        "metadata": _metadata(graph),
        "usable": fault is None,
        "fault": fault,
        **_described(model),
    }


def _described(model: Model | None) -> dict[str, Any]:
    if model is None:
        return {"sha256": None, "card": None, "labels": [], "groups": {}}
    card = asdict(model.card)
    groups = {name: list(indices) for name, indices in model.groups.items()}
    return {"sha256": model.sha256, "card": card, "labels": list(model.labels), "groups": groups}


def _spec(tensor: TensorSpec) -> dict[str, Any]:
    return {**asdict(tensor), "shape": list(tensor.shape)}


def _layer(layer: Layer) -> dict[str, Any]:
    return {**asdict(layer), "shape": list(layer.shape)}


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {**asdict(coverage), "reasons": list(coverage.reasons), "taken": coverage.taken}


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "constant_bytes": tensor.constant_bytes,
        "quantization": {
            "axis": tensor.axis if len(tensor.scales) > 1 else None,
            "scales": [scale if isfinite(scale) else None for scale in tensor.scales],
            "zero_points": list(tensor.zero_points),
        }
        if tensor.scales
        else None,
    }


def _metadata(graph: Graph) -> dict[str, Any]:
    said = graph.metadata
    return {
        "name": said.name,
        "description": said.description,
        "licence": said.licence,
        "mean": [value for value in said.mean if isfinite(value)],
        "std": [value for value in said.std if isfinite(value)],
        "has_labels": said.labels is not None,
    }
