"""`edgecam compress train`, `transfer`, `prune`, `distil`, `qat`: one step by itself, without a recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecam.commands.compress_progress import teller
from edgecam.commands.proving import prove
from edgecam.compress.extra import require_compress
from edgecam.compress.picture_sets import read_apart
from edgecam.compress.recipe import Kind
from edgecam.compress.recipe_file import single_step
from edgecam.errors import ModelError
from edgecam.evaluation.pictures import PictureSet, read_picture_set
from edgecam.model.staging import check_free


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What every step is told."""

    pictures: Path
    """Class folders or a CSV: what is learnt from."""
    out: Path
    """The new model directory."""
    test: Path | None = None
    """As `pictures`: what accuracy is measured on; None: it is not."""
    seed: int = 1
    force: bool = False
    as_json: bool = False
    licence: str = "not stated"
    """Of the weights of a network from scratch."""
    source: str = "trained from scratch with edgecam compress"
    """Where those come from."""


def do_step(
    kind: Kind,
    said: Mapping[str, Any],
    wanted: Wanted,
    *,
    model: Path | None = None,
    teacher: Path | None = None,
) -> None:
    """Do one step, print where its model lies and, with test pictures, what it cost.

    Args:
        kind: what it does.
        said: its settings by their key in a recipe; None: the default.
        wanted: what every step is told.
        model: the model directory that it goes on from.
        teacher: the model directory that teaches.

    Raises:
        UsageError: a setting makes no sense, or the place is taken.
        UnusableError: a library, model or picture cannot be used.
    """
    settings = {key: value for key, value in said.items() if value is not None}
    # By a recipe's rules, in which a teacher has a name.
    step = single_step(kind, settings if teacher is None else {**settings, "teacher": "teacher"})
    place = check_free(wanted.out.parent, wanted.out.name, force=wanted.force)
    require_compress()
    pictures, shown = _pictures(wanted, None if model is None else _labels(model))
    with teller() as told:
        from edgecam.compress.steps import Maker, Order

        make = Maker(pictures, folder=Path(), licence=wanted.licence, origin=wanted.source, prove=prove)
        order = Order(
            step=step, place=place, source=model, teacher=teacher, seed=wanted.seed, force=wanted.force
        )
        notes = make(order, lambda share, what: told.progress(share, 1, what))
        after, before = _accuracies(place, model, shown)
    document = {
        "schema": 1,
        "kind": kind,
        "model": str(place),
        "seed": wanted.seed,
        "accuracy": after,
        "accuracy_before": before,
        "notes": list(notes),
    }
    print(json.dumps(document, indent=2) if wanted.as_json else "\n".join(_lines(document)))


def learning(
    epochs: int | None, learning_rate: float | None, batch: int | None, *, flip: bool
) -> dict[str, Any]:
    """What all steps that learn are told; None: their default."""
    return {"epochs": epochs, "learning_rate": learning_rate, "batch": batch, "flip": flip}


def _labels(model: Path) -> tuple[str, ...]:
    from edgecam.model.store import load_model

    if not model.is_dir():
        raise ModelError(f"{model}: no such model directory")
    return load_model(model).labels


def _pictures(wanted: Wanted, labels: tuple[str, ...] | None) -> tuple[PictureSet, PictureSet | None]:
    """What is learnt from, and what accuracy is measured on."""
    if wanted.test is None:
        return read_picture_set(wanted.pictures, labels=labels), None
    return read_apart(wanted.pictures, wanted.test, labels=labels)


def _accuracies(
    place: Path, model: Path | None, shown: PictureSet | None
) -> tuple[float | None, float | None]:
    """Of the new model, and of the one that it went on from; each 0 to 1."""
    from edgecam.evaluation.metrics import accuracy_of
    from edgecam.evaluation.score_set import score_pictures

    if shown is None:
        return None, None
    after, *before = (accuracy_of(score_pictures(path, shown)) for path in (place, model) if path is not None)
    return after, before[0] if before else None


def _lines(document: Mapping[str, Any]) -> list[str]:
    lines = [document["model"], *(f"  {note}" for note in document["notes"])]
    if document["accuracy"] is None:
        return [*lines, "  its accuracy was not measured: give --test"]
    shown = f"  {100 * document['accuracy']:.1f} % of the test pictures right"
    if document["accuracy_before"] is not None:
        shown += f", before {100 * document['accuracy_before']:.1f} %"
    return [*lines, shown]
