"""`edgecam inspect`: what is inside a model, without running it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from edgecam.commands.consoles import result_console
from edgecam.errors import ModelError
from edgecam.model.bare import bare_model
from edgecam.model.card import DEFAULT_FILE, read_card
from edgecam.model.graph import Graph, is_readable, read_graph
from edgecam.model.model import Model
from edgecam.model.network import Tensor
from edgecam.model.store import CARD_FILE, find_model, load_model, model_file
from edgecam.records import TensorSpec


def inspect_model(
    path: str,
    *,
    as_json: bool = False,
    labels: Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> None:
    """Print tensors, quantization, operators, size and card of a model, also of one that cannot be used.

    Args:
        path: a model directory, a bare `.tflite` or `.onnx`, or a shipped model's name.
        as_json: print docs/schemas/inspect.schema.json instead of tables.
        labels: for a bare file, as for `bare_model`.
        mean: likewise.
        std: likewise.

    Raises:
        ModelError: there is no such model, or its graph cannot be read.
    """
    try:
        place = find_model(path, folder=Path())
    except ModelError as error:
        if len(Path(path).parts) > 1 or Path(path).suffix:
            raise
        hint = "a model is named by its folder or file here; the names in a configuration are not known"
        raise ModelError(f"{error}; {hint}") from error
    if place.is_dir():
        report = _report(_file_in(place), lambda: load_model(place))
    else:
        report = _report(place, lambda: bare_model(place, labels=labels, mean=mean, std=std))
    if as_json:
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        _show(report)


def _report(file: Path, load: Callable[[], Model]) -> dict[str, Any]:
    if file.exists() and not is_readable(file):
        raise ModelError(
            f"{file}: only its engine can look inside; `edgecam models list` has what its card says"
        )
    graph = read_graph(file)
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
        "operators": dict(graph.operators.most_common()),
        "inputs": [_spec(tensor) for tensor in graph.inputs],
        "outputs": [_spec(tensor) for tensor in graph.outputs],
        "custom_ops": list(graph.custom_ops),
        "tensors": [_tensor(tensor) for subgraph in graph.subgraphs for tensor in subgraph.tensors],
        "metadata": _metadata(graph),
        "usable": fault is None,
        "fault": fault,
        **_described(model),
    }


def _file_in(folder: Path) -> Path:
    """The model's file by its card; when that cannot be read, the usual one: the fault is told anyway."""
    try:
        return model_file(folder, read_card(folder / CARD_FILE))
    except ModelError:
        return folder / DEFAULT_FILE


def _described(model: Model | None) -> dict[str, Any]:
    if model is None:
        return {"sha256": None, "card": None, "labels": [], "groups": {}}
    card = asdict(model.card)
    groups = {name: list(indices) for name, indices in model.groups.items()}
    return {"sha256": model.sha256, "card": card, "labels": list(model.labels), "groups": groups}


def _spec(tensor: TensorSpec) -> dict[str, Any]:
    return {**asdict(tensor), "shape": list(tensor.shape)}


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


def _show(report: dict[str, Any]) -> None:
    console = result_console()
    for table in (_summary(report), _ends(report), _operators(report), _kinds(report)):
        console.print(table)
        console.print()


def _summary(report: dict[str, Any]) -> Table:
    card = report["card"] or {}
    rows = {
        "file": report["file"],
        "usable": "yes" if report["usable"] else f"no: {report['fault']}",
        "description": card.get("description") or report["metadata"]["description"],
        "licence": card.get("licence"),
        "source": card.get("source"),
        "size": f"{report['bytes']:,} bytes",
        "parameters": f"{report['parameters']:,}",
        "MACs": f"{report['macs']:,}" if report["macs"] else "unknown",
        "sha256": report["sha256"],
        "input": _pairs(card.get("input")),
        "output": _pairs(card.get("output")),
        "labels": _short(report["labels"]),
        "groups": _short(list(report["groups"])),
        "custom operators": ", ".join(report["custom_ops"]) or "none",
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, escape(str(value)))
    return table


def _ends(report: dict[str, Any]) -> Table:
    table = Table("", "tensor", "shape", "dtype", "scale", "zero point", box=None, pad_edge=False)
    for what in ("inputs", "outputs"):
        for tensor in report[what]:
            scale = "" if tensor["scale"] is None else f"{tensor['scale']:.7g}"
            zero_point = "" if tensor["zero_point"] is None else str(tensor["zero_point"])
            shape = "x".join(map(str, tensor["shape"]))
            table.add_row(what[:-1], escape(tensor["name"]), shape, tensor["dtype"], scale, zero_point)
    return table


def _operators(report: dict[str, Any]) -> Table:
    table = Table("operator", "count", box=None, pad_edge=False)
    for name, count in report["operators"].items():
        table.add_row(escape(name), str(count))
    return table


def _kinds(report: dict[str, Any]) -> Table:
    """All tensors, by what they are: hundreds of rows would tell less (`--json` has each)."""
    counts: Counter[tuple[str, str, str]] = Counter()
    sizes: Counter[tuple[str, str, str]] = Counter()
    for tensor in report["tensors"]:
        quantization = tensor["quantization"]
        how = "none" if quantization is None else "per tensor" if quantization["axis"] is None else "per axis"
        kind = ("constant" if tensor["constant_bytes"] else "computed", tensor["dtype"], how)
        counts[kind] += 1
        sizes[kind] += tensor["constant_bytes"]
    table = Table("tensors", "dtype", "quantization", "count", "bytes", box=None, pad_edge=False)
    for kind, count in counts.most_common():
        table.add_row(*kind, str(count), f"{sizes[kind]:,}" if sizes[kind] else "")
    return table


def _pairs(values: dict[str, Any] | None) -> str:
    return ", ".join(f"{key}: {_plain(value)}" for key, value in (values or {}).items())


def _plain(value: Any) -> str:
    """As a card would say it: one number for all channels, several in brackets."""
    if not isinstance(value, (list, tuple)):
        return str(value)
    numbers = [f"{number:.7g}" for number in value]
    return numbers[0] if len(set(numbers)) == 1 else f"[{', '.join(numbers)}]"


def _short(names: list[str]) -> str:
    if not names:
        return ""
    return f"{len(names)}: {'; '.join(names[:5])}{'; …' if len(names) > 5 else ''}"  # noqa: PLR2004 - a taste
