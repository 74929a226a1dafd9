"""`edgecam models verify`: is each model what its card says, and does it run here?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgecam.commands.proving import try_model
from edgecam.errors import EngineError, ModelError
from edgecam.model.replacement import recovered
from edgecam.model.store import find_model, list_models, load_model, shipped_folder


def verify_models(names: Sequence[str], *, folder: Path, as_json: bool = False) -> None:
    """Check hashes, card and labels, open the engine, and run the self-test.

    Args:
        names: of models in `folder`/models or among the shipped ones, or their paths; none: all.
        folder: where the configuration lies.
        as_json: print docs/schemas/verify.schema.json.

    Raises:
        ModelError: there is no such model, or one of them cannot be used; all have been looked at.
    """
    places = [_place(name, folder) for name in names] or [
        listing.path for listing in list_models((folder / "models", shipped_folder() / "models"))
    ]
    often = {name for name, count in Counter(place.name for place in places).items() if count > 1}
    results = []
    for place in places:
        results.append(_verify(place))
        if not as_json:
            where = f" ({place})" if place.name in often else ""
            print(_line(results[-1], where), flush=True)
    if as_json:
        print(json.dumps({"schema": 1, "models": results}, indent=2))
    faulty = sum(not result["usable"] for result in results)
    if faulty:
        raise ModelError(f"{faulty} of {len(results)} models cannot be used")


def _place(name: str, folder: Path) -> Path:
    inside = folder / "models" / name
    found = inside if inside.exists() else recovered(inside)
    return found or find_model(name, folder=folder)


def _verify(place: Path) -> dict[str, Any]:
    result: dict[str, Any] = {"name": place.name, "path": str(place), "usable": False, "fault": None}
    try:
        values = try_model(place)
        sha256 = load_model(place).sha256
    except (ModelError, EngineError) as error:
        return {**result, "fault": str(error)}
    return {
        **result,
        "name": values["name"],
        "usable": True,
        "sha256": sha256,
        "engine": values["engine"],
        "took_ms": values["took_ms"],
    }


def _line(result: dict[str, Any], where: str) -> str:
    """In words; `where` stands behind a name that another one has, too."""
    if not result["usable"]:
        return f"{result['name']}{where}: {result['fault']}"
    return (
        f"{result['name']}{where}: as its card says, sha256 {result['sha256'][:12]}…; "
        f"{result['engine']} computes the test picture right, in {result['took_ms']:g} ms"
    )
