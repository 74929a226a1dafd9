"""`edgecam models list`: the models that a configuration can name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from edgecam.commands.consoles import result_console
from edgecam.model.store import Listing, list_models, shipped_folder


def show_models(folder: Path, *, as_json: bool = False) -> None:
    """Print every model in `folder`/models and among the shipped ones; a faulty one with its fault.

    Where two have one name, the table tells their folders, too; a configuration means its own.

    Args:
        folder: where the configuration lies.
        as_json: print docs/schemas/models.schema.json instead of a table.
    """
    listings = list_models((folder / "models", shipped_folder() / "models"))
    if as_json:
        print(json.dumps({"schema": 1, "models": [_entry(listing) for listing in listings]}, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for heading in ("input", "classes", "MB", "parameters", "MACs", "licence"):
        table.add_column(heading, overflow="fold")
    entries = [_entry(listing) for listing in listings]
    usable = [entry for entry in entries if entry["usable"]]
    is_ambiguous = len({entry["name"] for entry in usable}) < len(usable)
    if is_ambiguous:
        table.add_column("folder", overflow="fold")
    for entry in usable:
        table.add_row(*_row(entry), *([escape(str(Path(entry["path"]).parent))] if is_ambiguous else []))
    console = result_console()
    console.print(table if table.row_count else f"no usable models in {escape(str(folder / 'models'))}")
    for entry in entries:
        if not entry["usable"]:
            console.print(f"{escape(entry['name'])} cannot be used: {escape(entry['fault'])}", soft_wrap=True)


def _entry(listing: Listing) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "path": str(listing.path),
        "usable": listing.fault is None,
        "fault": listing.fault,
    }
    model, graph = listing.model, listing.graph
    if model is None:
        return {"name": listing.path.name, **entry}
    return {
        "name": model.name,
        **entry,
        "description": model.card.description,
        "file": str(model.path),
        "sha256": model.sha256,
        "input": {
            "width_px": model.card.input.width_px,
            "height_px": model.card.input.height_px,
            "color": model.card.input.color,
            "dtype": "unknown" if graph is None else graph.inputs[0].dtype,
        },
        "classes": len(model.labels),
        "groups": len(model.groups),
        "bytes": model.path.stat().st_size if graph is None else graph.bytes,
        "parameters": (model.card.parameters or 0) if graph is None else graph.parameters,
        "macs": (0 if graph is None else graph.macs) or model.card.macs or 0,
        "licence": model.card.licence,
        "source": model.card.source,
    }


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    picture = entry["input"]
    return (
        escape(entry["name"]),
        f"{picture['width_px']}x{picture['height_px']} {picture['color']} {picture['dtype']}",
        str(entry["classes"]),
        f"{entry['bytes'] / 1e6:.1f}",
        f"{entry['parameters'] / 1e6:.2f} M",
        f"{entry['macs'] / 1e6:.0f} M" if entry["macs"] else "unknown",
        escape(entry["licence"]),
    )
