"""`edgecam eval`: how good a model is on labelled pictures, by the path that a camera's frames take."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgecam.commands.classify import load_classifier
from edgecam.commands.consoles import error_console
from edgecam.commands.evaluate_view import show_evaluation
from edgecam.config.loader import load_config
from edgecam.errors import SourceError, UsageError
from edgecam.evaluation.own_groups import with_own_groups
from edgecam.evaluation.page import render_page
from edgecam.evaluation.pictures import PictureSet, read_picture_set
from edgecam.evaluation.report import Evaluated, evaluation_report
from edgecam.evaluation.score_set import score_pictures
from edgecam.evaluation.scores_file import save_scores
from edgecam.evaluation.thumbnails import worst_pictures
from edgecam.measure.whole_file import write_whole
from edgecam.model.model import Model
from edgecam.model.store import find_model

PRECISION = 0.95
"""For which thresholds are suggested, if nothing else is said."""
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Bare:
    """What is said of a bare file, as for `bare_model`."""

    labels: Path | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What the pictures are scored with."""

    engine: str
    processes: int | None
    """None: by the cores and the number of pictures."""
    dask: str | None
    """A scheduler's address; None: this machine."""


@dataclass(frozen=True, slots=True)
class Output:
    """What becomes of the result."""

    as_json: bool
    html: Path | None = None
    """A page beside it."""
    scores: Path | None = None
    """Where what the first model said is kept."""

    def __post_init__(self) -> None:
        """Raises UsageError for a file that could not be written, before minutes are spent on it."""
        for option, path in (("--html", self.html), ("--save-scores", self.scores)):
            if path is not None and (path.is_dir() or not path.parent.is_dir()):
                raise UsageError(f"{option}: {path} cannot be written: name a file in a folder that exists")


def evaluate(
    model: str,
    pictures: Path,
    *,
    output: Output,
    means: Means,
    bare: Bare,
    against: str | None = None,
    config: Path | None = None,
    precision: float = PRECISION,
) -> None:
    """Score labelled pictures, and print what that says of a model, or of two.

    Args:
        model: a model directory, a bare file, or a shipped model's name.
        pictures: a folder of class folders, or a CSV.
        output: what becomes of the result.
        means: what does the work.
        bare: for bare files.
        against: another model that is compared with it; None: none is.
        config: a configuration that adds groups of its own; None: none does.
        precision: for which thresholds are suggested, 0..1.

    Raises:
        ModelError, EngineError: a model cannot be used.
        SourceError: the pictures cannot be used.
        ConfigError, UsageError: the configuration cannot be used, or does not name the model.
        EdgecamError: a file cannot be written.
    """
    names = [model] if against is None else [model, against]
    models = _load(names, bare)
    if config is not None:
        models = _with_own_groups(names, models, config)
    models = _with_shared_groups(models)
    evaluated = []
    for loaded, of_model in zip(models, _read_sets(pictures, models), strict=True):
        with _progress_bar(loaded.name, len(of_model.pictures)) as told:
            scores = score_pictures(
                loaded, of_model, processes=means.processes, engine=means.engine, dask=means.dask, told=told
            )
        evaluated.append(Evaluated(loaded, of_model, scores))
    _tell_what_is_missing(evaluated[0])
    if output.scores is not None:
        save_scores(evaluated[0].scores, output.scores)
    report = evaluation_report(str(pictures), evaluated, precision=precision)
    if output.as_json:
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        show_evaluation(report)
    if output.html is not None:
        worst = [worst_pictures(each.scores, each.pictures) for each in evaluated]
        # A file's name may be no text.
        page = render_page(report, worst).encode(errors="backslashreplace")
        write_whole(output.html, page)


def _load(names: Sequence[str], bare: Bare) -> list[Model]:
    """The models; what is said of bare files is for those alone, and refused where there are none."""
    are_folders = [find_model(name, folder=Path()).is_dir() for name in names]
    models = []
    for name, is_folder in zip(names, are_folders, strict=True):
        said = Bare() if is_folder and not all(are_folders) else bare
        models.append(load_classifier(name, labels=said.labels, mean=said.mean, std=said.std))
    return models


def _with_own_groups(names: Sequence[str], models: Sequence[Model], config: Path) -> list[Model]:
    """As the configuration groups their labels; the first model has to be one of its own."""
    loaded = load_config(config, environ=os.environ)
    found = [
        with_own_groups(model, find_model(name, folder=Path()), loaded)
        for name, model in zip(names, models, strict=True)
    ]
    if found[0] is None:
        raise UsageError(
            f"--config: none of the models in {config} ({', '.join(loaded.config.models)}) is {names[0]}; "
            "leave it out, or name the model there"
        )
    return [grouped or model for grouped, model in zip(found, models, strict=True)]


def _with_shared_groups(models: Sequence[Model]) -> list[Model]:
    """Models of the same labels know the same groups: a bare file has none, and --config may name but one."""
    first, last = models[0], models[-1]
    groups = {**last.groups, **first.groups} if last.labels == first.labels else None
    return [model if groups is None else replace(model, groups=groups) for model in models]


def _read_sets(path: Path, models: Sequence[Model]) -> list[PictureSet]:
    """The pictures in each model's labels, all of which have to mean the same."""
    first = models[0]
    sets = [
        read_picture_set(
            path, labels=model.labels, groups=model.groups, offset=model.card.output.background_offset
        )
        for model in models
    ]
    for model, other in zip(models[1:], sets[1:], strict=True):
        for one, same in zip(sets[0].pictures, other.pictures, strict=True):
            meant, found = sets[0].labels[one.label], other.labels[same.label]
            if meant != found:
                raise SourceError(
                    f'{path}: {sets[0].name_of(one)} is "{meant}" to {first.name}, and "{found}" to '
                    f"{model.name}: their labels differ; name labels in the place of numbers"
                )
    return sets


def _tell_what_is_missing(evaluated: Evaluated) -> None:
    """Pictures that are not in the figures, by name."""
    faults = [one.fault for one in evaluated.scores.unreadable]
    faults += [
        f"{file}: is no picture by its ending, and was left out" for file in evaluated.pictures.left_out
    ]
    for fault in faults[:_MOST_NAMED]:
        print(fault, file=sys.stderr)
    if len(faults) > _MOST_NAMED:
        print(f"and {len(faults) - _MOST_NAMED} more; --json names all", file=sys.stderr)


@contextmanager
def _progress_bar(name: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """On stderr, when that is a terminal; nothing else."""
    console = error_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done, _: bar.update(task, completed=done)
