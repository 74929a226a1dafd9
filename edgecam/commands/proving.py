"""Does a model run here? In a child process first, since a library may abort on a bad one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgecam.doctor.probing import probe
from edgecam.errors import ModelError
from edgecam.inference.engine import open_engine
from edgecam.inference.self_test import synthetic_tensor
from edgecam.model.card import TOP_COUNT
from edgecam.model.digests import digest_of
from edgecam.model.store import load_model
from edgecam.vision.postprocess import top_k

_RUN_S = 120.0
"""A large model on a small board, with the loading of all libraries."""


def try_model(place: Path) -> dict[str, Any]:
    """Check every hash of a model directory, open its engine, and classify the test picture.

    Returns:
        `name`, `labels` (how many), `engine`, and `took_ms` for one inference after the first.

    Raises:
        ModelError: it is damaged, is not what its card says, or does not run here.
    """
    model = load_model(place)
    for twin in model.card.twins.values():
        found = digest_of(place / twin.file)
        if found != twin.sha256:
            raise ModelError(
                f"{place / twin.file}: is not the file that the card describes: expected sha256 "
                f"{twin.sha256[:12]}…, got {found[:12]}…; fetch it again"
            )
    request = {
        "path": str(place),
        "run": True,
        "open": {"engine": "auto", "threads": None, "providers": []},
        "delegate": None,
        "delegate_options": {},
        "patience_s": 0,
    }
    answer = probe("model", request, deadline_s=_RUN_S)
    if answer.crashed:
        raise ModelError(
            f"{place}: running it is fatal: {answer.fault}; convert the model again with a current "
            "converter, or update the runtime"
        )
    if answer.fault:
        raise ModelError(answer.fault if str(place) in answer.fault else f"{place}: {answer.fault}")
    return answer.values


def prove(place: Path) -> tuple[int, ...]:
    """As `try_model`; the best outputs for the test picture, for the card's `self_test`."""
    try_model(place)
    model = load_model(place)
    with open_engine(model) as engine:
        raw = engine.invoke(synthetic_tensor(model.card.input, engine.input))
        return tuple(int(index) for index in top_k(raw, TOP_COUNT))
