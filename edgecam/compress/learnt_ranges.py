"""The ranges that a network learnt, beside its model; read without torch: the extra `quantize` will do."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecam.compress.calibration import input_range
from edgecam.compress.tensor_ranges import Activation, ranges_by_tensor
from edgecam.errors import ModelError
from edgecam.model.graph import read_model_bytes
from edgecam.model.model import Model

NETWORK_FOLDER = "network"
"""In a model directory: the network itself, which can be trained further."""
RANGES_FILE = "ranges.json"
"""In there: the range of each activation, if it learnt to be int8."""


def activations_of(model: Path) -> tuple[Activation, ...]:
    """The ranges that a network learnt; none if it did not learn to be int8.

    Args:
        model: its directory.

    Raises:
        ModelError: they are damaged.
    """
    path = model / NETWORK_FOLDER / RANGES_FILE
    if not path.exists():
        return ()
    try:
        return tuple(_activation(entry) for entry in json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); do the step qat again") from error


def _activation(entry: Mapping[str, Any]) -> Activation:
    """Raises ValueError, TypeError, OverflowError: it is none."""
    found = Activation(**entry)
    low, high = float(found.low), float(found.high)
    # int8 has a number for 0, or padding would not be nothing.
    if not -math.inf < low <= 0 <= high < math.inf or low == high:
        raise ValueError(f"{found.operator}: {found.low} to {found.high} is no range with 0 in it")
    return replace(found, low=low, high=high)


def learnt_ranges(model: Model) -> dict[str, tuple[float, float]]:
    """The range of every tensor by its name in the file; empty if the network did not learn to be int8.

    Raises:
        ModelError: they are damaged, or of another network than the file.
    """
    activations = activations_of(model.path.parent)
    if not activations:
        return {}
    return ranges_by_tensor(read_model_bytes(model.path), input_range(model.card.input), activations)
