"""Does the steps of a recipe, each once for each seed, and goes on where an earlier run was interrupted.

What a step gives lies in a folder of its own, `<step>/seed_<seed>`, which appears when it is whole. It is
taken again as long as its settings, seed, input, pictures and the versions of the libraries are the same.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgecam.compress.recipe import STARTS, Recipe, Step
from edgecam.compress.results import (
    Measured,
    Result,
    folder_digest,
    kept_result,
    key_of,
    lost_points,
    write_result,
)
from edgecam.model.staging import publish

Told = Callable[[float, str], None]
"""How much of a job is done, 0 to 1, and what comes now."""
SLACK_POINTS = 1e-9
"""By how much more than allowed may be lost: shares are no exact numbers."""


@dataclass(frozen=True, slots=True)
class Job:
    """One step with one seed."""

    name: str
    """Of the step."""
    step: Step
    seed: int
    source: Path | None
    """The folder of the result that it goes on from."""
    teacher: Path | None
    """The folder of the result that teaches it."""


class Workshop(Protocol):
    """Who can do the steps."""

    def make(self, job: Job, folder: Path, told: Told) -> tuple[str, ...]:
        """Do a step; all that it gives is put into an empty folder.

        Returns:
            What else is to be told of it.
        """
        ...

    def measure(self, folder: Path, told: Told) -> Measured:
        """Look at what a step gave."""
        ...


class Listener(Protocol):
    """Who hears how it goes."""

    def progress(self, done: float, total: int, what: str) -> None:
        """So many jobs are done of all; the last one in part."""
        ...

    def finished(self, result: Result, *, kept: bool) -> None:
        """A job is done; kept: in an earlier run."""
        ...


@dataclass(frozen=True, slots=True)
class Stop:
    """A step lost more accuracy than it may."""

    step: str
    source: str
    lost_points: float
    allowed_points: float

    def __str__(self) -> str:
        return (
            f"{self.step} lost {self.lost_points:.2f} points of accuracy against {self.source}, and may lose "
            f"{self.allowed_points:g}: the recipe ends there. Give it more epochs or a milder target, or "
            f"allow more with steps.{self.step}.max_loss_points"
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of a recipe came to."""

    results: Mapping[str, tuple[Result, ...]]
    """By step, in their order, one for each seed; of steps behind a stop there are none."""
    stop: Stop | None


def run_chain(
    recipe: Recipe, workshop: Workshop, *, work: Path, facts: Mapping[str, Any], listener: Listener
) -> Outcome:
    """Do the steps that are not done yet.

    Args:
        recipe: which.
        workshop: who does them.
        work: where their results lie, and will.
        facts: what all of them depend on beside their settings: pictures, versions of libraries.
        listener: who hears how it goes.

    Returns:
        All results, up to the first step that lost more than it may.

    Raises:
        EdgecamError: a step cannot be done.
    """
    results: dict[str, tuple[Result, ...]] = {}
    total = len(recipe.steps) * len(recipe.seeds)
    for name, step in recipe.steps.items():
        made: list[Result] = []
        for seed in recipe.seeds:
            ordinal = len(results) * len(recipe.seeds) + len(made)
            job = Job(name, step, seed, _folder(work, step.source, seed), _folder(work, step.teacher, seed))

            def told(share: float, what: str, job: Job = job, before: int = ordinal) -> None:
                listener.progress(before + share, total, f"{job.name}, seed {job.seed}: {what}")

            parts = {**facts, **_dependencies(recipe, job, results)}
            made.append(_do(job, workshop, work=work, key=key_of(parts), told=told, listener=listener))
        results[name] = tuple(made)
        if (stop := _stop(recipe, name, results)) is not None:
            return Outcome(results, stop)
    return Outcome(results, None)


def folder_of(work: Path, step: str, seed: int) -> Path:
    """Where the result of a step with a seed lies."""
    return work / step / f"seed_{seed}"


def _do(job: Job, workshop: Workshop, *, work: Path, key: str, told: Told, listener: Listener) -> Result:
    place = folder_of(work, job.name, job.seed)
    result = kept_result(place, key)
    if result is not None:
        listener.finished(result, kept=True)
        return result
    folder = place.with_name(f".{place.name}.unfinished")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    told(0, job.step.kind)
    notes = workshop.make(job, folder, told)
    measured = workshop.measure(folder, told)
    took_s = round(time.monotonic() - began, 1)
    result = Result(job.name, job.step.kind, job.seed, key, folder_digest(folder), took_s, measured, notes)
    write_result(folder, result)
    publish(folder, place)
    listener.finished(result, kept=False)
    return result


def _dependencies(recipe: Recipe, job: Job, results: Mapping[str, tuple[Result, ...]]) -> dict[str, Any]:
    """What a job depends on, but for what all do: not what it may lose, which changes no network."""
    place = recipe.seeds.index(job.seed)
    return {
        "kind": job.step.kind,
        "settings": job.step.settings.model_dump(mode="json", exclude={"teacher"}, exclude_defaults=True),
        "seed": job.seed,
        "words": [recipe.licence, recipe.source] if job.step.kind in STARTS else [],
        "source": None if job.step.source is None else results[job.step.source][place].digest,
        "teacher": None if job.step.teacher is None else results[job.step.teacher][place].digest,
    }


def _stop(recipe: Recipe, name: str, results: Mapping[str, tuple[Result, ...]]) -> Stop | None:
    step = recipe.steps[name]
    if step.source is None:
        return None
    lost = lost_points(results[step.source], results[name])
    allowed = recipe.max_loss_points if step.max_loss_points is None else step.max_loss_points
    return Stop(name, step.source, lost, allowed) if lost > allowed + SLACK_POINTS else None


def _folder(work: Path, step: str | None, seed: int) -> Path | None:
    return None if step is None else folder_of(work, step, seed)
