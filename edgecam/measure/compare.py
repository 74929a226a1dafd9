"""Two results side by side: what differs, and whether that is more than noise.

A figure has one value a round. Two figures differ if all rounds of one lie beyond all rounds of the other:
were both the same, chance alone would part five rounds from five so in 1 of 126 cases. With fewer it
would do so too often for a table of many figures, and no verdict is given. A change below 2 % is never
called one: a program that is started twice differs by as much through where its memory lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edgecam.measure.figures import Figure

_CHANCE = 0.01
_LEAST_CHANGE = 0.02


class Verdict(StrEnum):
    """What the difference of two figures is worth."""

    BETTER = "better"
    WORSE = "worse"
    DIFFERENT = "different"
    """Of a figure that is neither good nor bad."""
    WITHIN_NOISE = "within noise"
    TOO_FEW_ROUNDS = "too few rounds"


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in both results."""

    part: str
    name: str
    before: Figure
    after: Figure
    verdict: Verdict

    @property
    def change(self) -> float | None:
        """Of the medians, as a share of the first; None when that is 0."""
        return _share(self.after.value - self.before.value, self.before.value)

    @property
    def noise(self) -> float | None:
        """Half the ranges of both, as a share of the first median; None when that is 0."""
        ranges = self.before.high - self.before.low + self.after.high - self.after.low
        return _share(ranges / 2, self.before.value)

    def as_json(self) -> dict[str, Any]:
        """As docs/schemas/bench.schema.json has it."""
        return {
            "part": self.part,
            "name": self.name,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "change": self.change,
            "noise": self.noise,
            "verdict": self.verdict.value,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that two results share."""

    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    """Why the difference may not be that of the programs."""


def judge(before: Figure, after: Figure) -> Verdict:
    """What the difference of two figures is worth, by the rule at the top."""
    counts = len(before.rounds), len(after.rounds)
    if 2 / math.comb(sum(counts), counts[0]) > _CHANCE:
        return Verdict.TOO_FEW_ROUNDS
    overlap = before.low <= after.high and after.low <= before.high
    if overlap or abs(after.value - before.value) < _LEAST_CHANGE * abs(before.value):
        return Verdict.WITHIN_NOISE
    if before.better is None:
        return Verdict.DIFFERENT
    return Verdict.BETTER if (after.value < before.value) == (before.better == "lower") else Verdict.WORSE


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Compare two results of `edgecam bench --json`, both of one kind and checked by `read_report`."""
    parts = {part["name"]: part for part in after["parts"]}
    differences = []
    for part in before["parts"]:
        other = parts.get(part["name"], {"figures": {}})
        for name, data in part["figures"].items():
            if name in other["figures"]:
                figures = Figure.from_json(data), Figure.from_json(other["figures"][name])
                differences.append(Difference(part["name"], name, *figures, judge(*figures)))
    return Comparison(tuple(differences), tuple(_warnings(before, after)))


def _warnings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Machine, models and settings: what should be the same, and is not."""
    for what in ("machine", "settings", "models"):
        first, second = (dict(_leaves(report[what])) for report in (before, after))
        for key in sorted(first.keys() | second.keys()):
            if first.get(key) != second.get(key):
                yield f"{what} differ: {key}: {_shown(first.get(key))} and {_shown(second.get(key))}"
    names = [{part["name"] for part in report["parts"]} for report in (before, after)]
    yield from (f"only in one of the two: {name}" for name in sorted(names[0] ^ names[1]))


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(part, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _share(part: float, whole: float) -> float | None:
    return round(part / abs(whole), 6) if whole else None
