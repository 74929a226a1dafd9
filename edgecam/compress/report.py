"""What a recipe came to: each step's cost and gain, as docs/schemas/compress.schema.json has it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from edgecam.compress.chain import Outcome
from edgecam.compress.recipe import Recipe
from edgecam.compress.results import Result, lost_points, mean_accuracy, spread_of_accuracy
from edgecam.measure.figures import Figure

SCHEMA = 1
AXES = ("latency_ms", "bytes", "macs")
"""What accuracy is weighed against."""


def make_report(
    recipe: Recipe,
    outcome: Outcome,
    *,
    latencies: Mapping[str, Figure],
    models: Mapping[str, str],
    facts: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """The report of a recipe.

    Args:
        recipe: which.
        outcome: of its chain.
        latencies: by step, as far as they were measured.
        models: by step, where its model lies: relative to the report.
        facts: pictures and versions.
        machine: which one latencies were measured on.
    """
    steps = [
        _step(recipe, name, outcome.results, latencies.get(name), models.get(name))
        for name in outcome.results
    ]
    stop = outcome.stop
    return {
        "schema": SCHEMA,
        "recipe": recipe.name,
        "finished": stop is None,
        "stop": None
        if stop is None
        else {
            "step": stop.step,
            "from": stop.source,
            "lost_points": _rounded(stop.lost_points),
            "allowed_points": stop.allowed_points,
            "text": str(stop),
        },
        "seeds": list(recipe.seeds),
        **facts,
        "machine": dict(machine),
        "timing": recipe.timing.model_dump(mode="json"),
        "steps": steps,
        "front": {axis: front(steps, axis) for axis in AXES},
    }


def front(steps: Sequence[Mapping[str, Any]], axis: str) -> list[str]:
    """The steps that no other beats in both accuracy and cost, the cheapest first.

    Args:
        steps: of a report.
        axis: one of `AXES`: the cost. Steps of which it is not known are left out.
    """
    priced = [
        (cost, step["accuracy"]["mean"], step["name"]) for step in steps if (cost := cost_of(step, axis))
    ]
    found: list[str] = []
    best = -1.0
    for _, accuracy, name in sorted(priced, key=lambda row: (row[0], -row[1])):
        if accuracy > best:
            found.append(name)
            best = accuracy
    return found


def cost_of(step: Mapping[str, Any], axis: str) -> float | None:
    """What a step's model costs; None: not known."""
    value = step[axis]
    cost: float | None = value["value"] if isinstance(value, Mapping) else value
    return cost


def _step(
    recipe: Recipe,
    name: str,
    results: Mapping[str, Sequence[Result]],
    latency: Figure | None,
    model: str | None,
) -> dict[str, Any]:
    step, made = recipe.steps[name], results[name]
    first, source = made[0], None if step.source is None else results[step.source]
    spread = spread_of_accuracy(made)
    allowed = recipe.max_loss_points if step.max_loss_points is None else step.max_loss_points
    return {
        "name": name,
        "kind": step.kind,
        "from": step.source,
        "teacher": step.teacher,
        "settings": step.settings.model_dump(mode="json", exclude_none=True, exclude={"teacher"}),
        "accuracy": {
            "mean": _rounded(mean_accuracy(made)),
            "spread": None if spread is None else _rounded(spread),
            "seeds": [{"seed": result.seed, "value": _rounded(result.measured.accuracy)} for result in made],
            "pictures": first.measured.pictures,
        },
        "lost_points": None if source is None else _rounded(lost_points(source, made)),
        "lost_spread_points": None if source is None else _spread_of_loss(source, made),
        "allowed_points": None if source is None else allowed,
        "parameters": first.measured.parameters,
        "macs": first.measured.macs,
        "bytes": first.measured.bytes,
        "gz_bytes": first.measured.gz_bytes,
        "arena_bytes": first.measured.arena_bytes,
        "latency_ms": None if latency is None else latency.as_json(),
        "took_s": round(sum(result.took_s for result in made), 1),
        "notes": _notes(made),
        "model": model,
    }


def _notes(made: Sequence[Result]) -> list[str]:
    """Each once if it is the same for all seeds, else with its seed."""
    everywhere = [note for note in made[0].notes if all(note in result.notes for result in made)]
    apart = [
        f"seed {result.seed}: {note}" for result in made for note in result.notes if note not in everywhere
    ]
    return [*everywhere, *apart]


def _spread_of_loss(source: Sequence[Result], made: Sequence[Result]) -> float | None:
    """The standard deviation of what each seed lost: the same seed's input and result belong together."""
    if len(made) < 2:  # noqa: PLR2004 - one value has no spread
        return None
    pairs = zip(source, made, strict=True)
    return _rounded(
        statistics.stdev(
            100 * (before.measured.accuracy - after.measured.accuracy) for before, after in pairs
        )
    )


def _rounded(value: float) -> float:
    """Six places: more would only be noise."""
    return round(value, 6)
