"""What `edgecam inspect` prints for people."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.markup import escape
from rich.table import Table

from edgecam.commands.consoles import result_console


def show_report(report: dict[str, Any], *, layers: bool) -> None:
    """Print a report of `inspect_report` as tables; `layers`: with one row per step of the network."""
    console = result_console()
    tables = [_summary(report), _ends(report), _operators(report), _kinds(report)]
    if report["coverage"]:
        tables.append(_coverage(report["coverage"], report["layers"]))
    if layers:
        tables.append(_layers(report))
    for table in tables:
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
        "tensor arena": _arena(report),
        "forecast": _forecast(report),
        "forecast from": (report["coverage"] or {}).get("source"),
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


def _coverage(coverage: dict[str, Any], layers: list[dict[str, Any]]) -> Table:
    """What stays on the CPU, and why."""
    main = (layer for layer in layers if not layer["graph"])
    kinds = Counter(
        (layer["operator"], reason)
        for layer, reason in zip(main, coverage["reasons"], strict=True)
        if reason is not None
    )
    table = Table("stays on the CPU", "layers", "why", box=None, pad_edge=False)
    for (operator, reason), count in kinds.most_common():
        table.add_row(escape(operator), str(count), reason)
    if not kinds:
        table.add_row("nothing", "", "")
    return table


def _layers(report: dict[str, Any]) -> Table:
    """A row for each step; in a branch or a loop the graph is named before the step."""
    table = Table("layer", "operator", "output", "dtype", box=None, pad_edge=False)
    for heading in ("parameters", "MACs", "weight bytes", "output bytes"):
        table.add_column(heading, justify="right")
    coverage = report["coverage"]
    if coverage:
        table.add_column(f"runs on {coverage['delegate']}")
    for layer in report["layers"]:
        dtype, weights = layer["dtype"], layer["weights_dtype"]
        row = [
            f"{layer['graph']}.{layer['index']}" if layer["graph"] else str(layer["index"]),
            escape(layer["operator"]),
            "x".join(map(str, layer["shape"])),
            dtype if weights in {None, dtype} else f"{dtype}, weights {weights}",
            *(_count(layer[key]) for key in ("parameters", "macs", "weight_bytes", "output_bytes")),
        ]
        if coverage and not layer["graph"]:
            reason = coverage["reasons"][layer["index"]]
            row.append("yes" if reason is None else f"no: {reason}")
        table.add_row(*row)
    return table


def _forecast(report: dict[str, Any]) -> str:
    coverage = report["coverage"]
    if coverage is None:
        return ""
    of_macs = f", {coverage['taken_macs'] / report['macs']:.1%} of the MACs" if report["macs"] else ""
    parts = "1 part" if coverage["parts"] == 1 else f"{coverage['parts']} parts"
    layers = f"{coverage['taken']} of {len(coverage['reasons'])} layers"
    return f"{coverage['delegate']} would take {layers}{of_macs}, in {parts}; `edgecam bench` tells what runs"


def _arena(report: dict[str, Any]) -> str:
    arena = report["arena"]
    if arena is None:
        return "unknown"
    return (
        f"{arena['bytes']:,} bytes, as TFLite Micro would plan it (aligned to {arena['alignment_bytes']}); "
        f"{arena['peak_bytes']:,} alive at layer {arena['peak_layer']}"
    )


def _count(number: int | None) -> str:
    """Empty for nothing, as most cells of a column are."""
    return "?" if number is None else f"{number:,}" if number else ""


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
