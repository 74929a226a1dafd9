"""`edgecam inspect`: what is inside a model, without running it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

from edgecam.commands.inspect_report import inspect_report
from edgecam.commands.inspect_view import show_report
from edgecam.errors import ModelError, UsageError
from edgecam.inference.delegates import find_delegate
from edgecam.model.bare import bare_model
from edgecam.model.card import DEFAULT_FILE, read_card
from edgecam.model.model import Model
from edgecam.model.store import CARD_FILE, find_model, load_model, model_file
from edgecam.model.supported import SUPPORTED


def inspect_model(
    path: str,
    *,
    as_json: bool = False,
    layers: bool = False,
    delegate: str | None = None,
    labels: Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> None:
    """Print size, layers, tensors, operators and card of a model, also of one that cannot be used.

    Args:
        path: a model directory, a bare `.tflite` or `.onnx`, or a shipped model's name.
        as_json: print docs/schemas/inspect.schema.json instead of tables.
        layers: show each step of the network, too; the JSON always has them.
        delegate: say which layers it would take: a preset's name, or xnnpack.
        labels: for a bare file, as for `bare_model`.
        mean: likewise.
        std: likewise.

    Raises:
        ModelError: there is no such model, or its graph cannot be read.
        UsageError: nothing is known of such a delegate.
    """
    if delegate is not None and delegate not in SUPPORTED:
        raise UsageError(_unknown_delegate(delegate))
    try:
        place = find_model(path, folder=Path())
    except ModelError as error:
        if len(Path(path).parts) > 1 or Path(path).suffix:
            raise
        hint = "a model is named by its folder or file here; the names in a configuration are not known"
        raise ModelError(f"{error}; {hint}") from error
    if place.is_dir():
        report = inspect_report(_file_in(place), lambda: load_model(place), delegate=delegate)
    else:

        def load() -> Model:
            return bare_model(place, labels=labels, mean=mean, std=std)

        report = inspect_report(place, load, delegate=delegate)
    if as_json:
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        show_report(report, layers=layers)


def _unknown_delegate(name: str) -> str:
    if find_delegate(name) is not None:
        return f"--delegate: no list of operators is known for {name}; `edgecam bench` on its board tells"
    near = difflib.get_close_matches(name, SUPPORTED, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f'--delegate: expected {", ".join(SUPPORTED)}, got "{name}"{hint}'


def _file_in(folder: Path) -> Path:
    """The model's file by its card; when that cannot be read, the usual one: the fault is told anyway."""
    try:
        return model_file(folder, read_card(folder / CARD_FILE))
    except ModelError:
        return folder / DEFAULT_FILE
