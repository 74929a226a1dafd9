"""`edgecam compress train`, `transfer`, `prune`, `distil`, `qat`: one step by itself, without a recipe."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecam.commands.compress_progress import Teller, teller
from edgecam.commands.compress_source import check_apart_from, check_class_folders
from edgecam.commands.proving import prove
from edgecam.compress.calibration import find_pictures
from edgecam.compress.chain import SLACK_POINTS
from edgecam.compress.extra import require_compress, require_for
from edgecam.compress.picture_sets import (
    check_apart,
    check_learnable,
    check_readable,
    left_out,
    read_apart,
    tally,
)
from edgecam.compress.recipe import Kind
from edgecam.compress.recipe_file import single_step
from edgecam.compress.report_words import scaled
from edgecam.compress.successor import new_place
from edgecam.errors import EdgecamError, ModelError, UsageError
from edgecam.evaluation.pictures import PictureSet, read_picture_set
from edgecam.model.graph import read_graph
from edgecam.model.replacement import INCOMING
from edgecam.model.staging import check_free, staged
from edgecam.model.store import find_model, load_model

_CLAIM = ".claim"
# A model's name has no more than 200 characters.
_MOST_NAME_CHARS = 200 - len(_CLAIM)


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
    max_loss_points: float | None = None
    """Percentage points of accuracy that may be lost against the model that it goes on from; None: any."""


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
        UsageError: a setting makes no sense, or the place is taken or among the pictures.
        UnusableError: a library, model, picture or the place cannot be used.
        EdgecamError: it cost more accuracy than it may; the model is there all the same.
    """
    require_compress()
    settings = {key: value for key, value in said.items() if value is not None}
    # By a recipe's rules, in which a teacher has a name.
    step = single_step(kind, settings if teacher is None else {**settings, "teacher": "teacher"})
    unlabelled = Path(settings["unlabelled"]) if "unlabelled" in settings else None
    model, teacher = (
        None if path is None else find_model(str(path), folder=Path()) for path in (model, teacher)
    )
    place = _place(wanted, unlabelled, [path for path in (model, teacher) if path is not None])
    require_for([step])
    pictures, shown = _pictures(wanted, None if model is None else load_model(model).labels, unlabelled)
    with teller() as told:
        _look_at(pictures, shown, told)
        with _claimed(place):
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
        "size": _size(place),
        "size_before": None if model is None else _size(model),
        "accuracy": after,
        "accuracy_before": before,
        "notes": list(notes),
    }
    print(json.dumps(document, indent=2) if wanted.as_json else "\n".join(_lines(document)))
    _refuse_loss(document, wanted)


def learning(
    epochs: int | None, learning_rate: float | None, batch: int | None, *, flip: bool, balanced: bool
) -> dict[str, Any]:
    """What all steps that learn are told; None: their default."""
    return {
        "epochs": epochs, "learning_rate": learning_rate, "batch": batch, "flip": flip, "balanced": balanced,
    }  # fmt: skip


def _place(wanted: Wanted, unlabelled: Path | None, models: Sequence[Path]) -> Path:
    """Where the model will lie: not where one of those is that it is made of and compared with."""
    if wanted.max_loss_points is not None and wanted.test is None:
        raise UsageError("--max-loss-points: accuracy is measured on test pictures; give --test")
    check_apart_from(wanted.out, wanted.pictures, wanted.test, unlabelled)
    for model in models:
        new_place(model, wanted.out, force=wanted.force)
    return check_free(wanted.out.parent, wanted.out.name, force=wanted.force)


def _pictures(
    wanted: Wanted, labels: tuple[str, ...] | None, unlabelled: Path | None
) -> tuple[PictureSet, PictureSet | None]:
    """What is learnt from, and what accuracy is measured on."""
    check_class_folders(pictures=wanted.pictures, test=wanted.test)
    if wanted.test is None:
        learnt, shown = read_picture_set(wanted.pictures, labels=labels), None
        check_learnable(learnt, wanted.pictures)
        return learnt, shown
    learnt, shown = read_apart(wanted.pictures, wanted.test, labels=labels)
    check_learnable(learnt, wanted.pictures)
    if unlabelled is not None:
        check_apart(find_pictures(unlabelled, most=sys.maxsize), shown, what="the unlabelled pictures")
    return learnt, shown


def _look_at(pictures: PictureSet, shown: PictureSet | None, told: Teller) -> None:
    """Tell what is learnt and left out, and refuse test pictures that cannot be read, before it begins."""
    told.say(tally(pictures))
    for line in left_out(pictures):
        told.say(line)
    if shown is not None:
        for line in left_out(shown):
            told.say(line)
        told.progress(0, 1, "reading test pictures")
        check_readable(shown)


@contextmanager
def _claimed(place: Path) -> Iterator[None]:
    """Be the only one who makes a model there, before hours are spent on it.

    Raises:
        ModelError: the place cannot be written, or somebody else learns for it.
    """
    with ExitStack() as stack:
        name = place.name[:_MOST_NAME_CHARS] + _CLAIM
        try:
            folder = stack.enter_context(staged(place.parent, name))
        except ModelError as error:
            # The user knows the model, and not what is made for the time being.
            raise ModelError(str(error).replace(str(place.parent / INCOMING / name), str(place))) from error
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield


def _size(model: Path) -> dict[str, int]:
    path = load_model(model).path
    graph = read_graph(path)
    return {"parameters": graph.parameters, "macs": graph.macs, "bytes": path.stat().st_size}


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


def _refuse_loss(document: Mapping[str, Any], wanted: Wanted) -> None:
    if wanted.max_loss_points is None:
        return
    lost = 100 * (document["accuracy_before"] - document["accuracy"])
    # As it stands, so that nothing passes a demand that is not a number.
    if not lost <= wanted.max_loss_points + SLACK_POINTS:
        raise EdgecamError(
            f"{document['model']} lost {lost:.2f} points of accuracy, and may lose "
            f"{wanted.max_loss_points:g}; it is left there to be looked at. Give it more epochs or a milder "
            "target, with --force, or allow more with --max-loss-points"
        )


def _lines(document: Mapping[str, Any]) -> list[str]:
    size, before = document["size"], document["size_before"] or document["size"]
    words = (("parameters", "parameters", ""), ("MACs", "macs", ""), ("file", "bytes", "B"))
    sizes = ", ".join(f"{name} {_change(before[key], size[key], unit)}" for name, key, unit in words)
    lines = [document["model"], f"  {sizes}", *(f"  {note}" for note in document["notes"])]
    if document["accuracy"] is None:
        return [*lines, "  its accuracy was not measured: give --test"]
    shown = f"  {100 * document['accuracy']:.1f} % of the test pictures right"
    if document["accuracy_before"] is not None:
        shown += f", before {100 * document['accuracy_before']:.1f} %"
    return [*lines, shown]


def _change(before: int, after: int, unit: str) -> str:
    """`853 kB → 311 kB`, or one of them if they are the same."""
    shown = f"{scaled(after)}{unit}".strip()
    return shown if before == after else f"{scaled(before)}{unit}".strip() + f" → {shown}"
