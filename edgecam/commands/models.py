"""`edgecam models list`: the models that a configuration can name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edgecam.model.counts import count_macs, count_parameters
from edgecam.model.store import Listing, list_models, shipped_folder


def show_models(folder: Path, *, as_json: bool) -> None:
    """Print every model in `folder`/models and among the shipped ones; a faulty one with its fault.

    Args:
        folder: where the configuration lies.
        as_json: print docs/schemas/models.schema.json instead of a table.
    """
    listings = list_models((folder / "models", shipped_folder() / "models"))
    if as_json:
        print(json.dumps({"schema": 1, "models": [_entry(listing) for listing in listings]}, indent=2))  # noqa: T201 - the result
        return
    table = Table(
        "model", "input", "classes", "MB", "parameters", "MACs", "licence", box=None, pad_edge=False
    )
    for listing in listings:
        table.add_row(*_row(_entry(listing)))
    Console().print(table if listings else f"no models in {folder / 'models'}")


def _entry(listing: Listing) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "path": str(listing.path),
        "usable": listing.fault is None,
        "fault": listing.fault,
    }
    model, graph = listing.model, listing.graph
    if model is None or graph is None:
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
            "dtype": graph.inputs[0].dtype,
        },
        "classes": len(model.labels),
        "groups": len(model.groups),
        "bytes": graph.bytes,
        "parameters": count_parameters(graph),
        "macs": count_macs(graph),
        "licence": model.card.licence,
        "source": model.card.source,
    }


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    if not entry["usable"]:
        return (entry["name"], "cannot be used:", entry["fault"])
    picture = entry["input"]
    return (
        entry["name"],
        f"{picture['width_px']}x{picture['height_px']} {picture['color']} {picture['dtype']}",
        str(entry["classes"]),
        f"{entry['bytes'] / 1e6:.1f}",
        f"{entry['parameters'] / 1e6:.2f} M",
        f"{entry['macs'] / 1e6:.0f} M",
        entry["licence"],
    )
