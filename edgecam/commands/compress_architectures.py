"""`edgecam compress architectures`: the networks that can be trained, and how large each is."""

from __future__ import annotations

import json

from rich.table import Table

from edgecam.commands.consoles import result_console
from edgecam.compress.architectures import FAMILIES, design
from edgecam.compress.design import Design
from edgecam.compress.report_words import scaled


def show_architectures(*, classes: int, side_px: int, width: float | None, as_json: bool) -> None:
    """Print each architecture's parameters and work.

    Args:
        classes: how many it tells apart.
        side_px: of the square that it sees.
        width: factor on channels, of those that have several; None: each family's own.
        as_json: print docs/schemas/compress_architectures.schema.json.

    Raises:
        UsageError: a number that no architecture can be made of.
    """
    designs = {
        name: design(name, classes=classes, side_px=side_px, width=None if is_fixed else width)
        for name, (_, _, is_fixed) in FAMILIES.items()
    }
    if as_json:
        entries = [_entry(name, made, side_px) for name, made in designs.items()]
        print(json.dumps({"schema": 1, "architectures": entries}, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("architecture", "parameters", "MACs", "side", "layers", "activation"):
        table.add_column(column, justify="left" if column in {"architecture", "activation"} else "right")
    for name, made in designs.items():
        sizes = (scaled(made.parameters), scaled(made.macs), f"{side_px} px", str(_layers(made)))
        table.add_row(name, *sizes, made.activation)
    result_console().print(table)


def _entry(name: str, made: Design, side_px: int) -> dict[str, object]:
    return {
        "name": name,
        "parameters": made.parameters,
        "macs": made.macs,
        "side_px": side_px,
        "layers": _layers(made),
        "activation": made.activation,
    }


def _layers(made: Design) -> int:
    """Those with weights."""
    return sum(1 for _ in made.layers())
