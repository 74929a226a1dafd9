"""A report's figures as people read them, the same on the page, in a terminal and in a model's README."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

COLUMNS = (
    "step", "from", "accuracy", "lost, points", "parameters", "MACs", "file", "gzip", "arena", "latency",
    "speed",
)  # fmt: skip
"""What `row` says of a step."""
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def row(step: Mapping[str, Any], first: Mapping[str, Any]) -> tuple[str, ...]:
    """A step of a report in words, one for each of `COLUMNS`; its speed is told by that of the first step."""
    return (
        step["name"],
        step["from"] or step["kind"],
        accuracy(step),
        lost(step),
        scaled(step["parameters"]),
        scaled(step["macs"]),
        f"{scaled(step['bytes'])}B",
        f"{scaled(step['gz_bytes'])}B",
        "not known" if step["arena_bytes"] is None else f"{scaled(step['arena_bytes'])}B",
        latency(step),
        speed(step, first),
    )


def accuracy(step: Mapping[str, Any]) -> str:
    """`71.3 ± 0.4 %`."""
    mean, spread = step["accuracy"]["mean"], step["accuracy"]["spread"]
    return f"{100 * mean:.1f} %" if spread is None else f"{100 * mean:.1f} ± {100 * spread:.1f} %"


def lost(step: Mapping[str, Any]) -> str:
    """`0.42 ± 0.10 of 1`: of what it may; a gain has a minus."""
    if step["lost_points"] is None:
        return ""
    spread = step["lost_spread_points"]
    shown = f"{step['lost_points']:.2f}" if spread is None else f"{step['lost_points']:.2f} ± {spread:.2f}"
    return f"{shown} of {step['allowed_points']:g}"


def latency(step: Mapping[str, Any]) -> str:
    """`0.093 ms (0.091 to 0.102)`: the median of the rounds, the lowest and the highest."""
    figure = step["latency_ms"]
    if figure is None:
        return "not measured"
    return f"{figure['value']:.3g} ms ({figure['low']:.3g} to {figure['high']:.3g})"


def speed(step: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """`2.1 x`: how many times as fast as the first step's model."""
    if step["latency_ms"] is None or first["latency_ms"] is None:
        return ""
    times = first["latency_ms"]["value"] / step["latency_ms"]["value"]
    return f"{times:.1f} x" if times >= 1 else f"{times:.2g} x"


def scaled(value: float) -> str:
    """`3.49 M`."""
    for size, prefix in _PREFIXES:
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g} "


def settings(step: Mapping[str, Any]) -> str:
    """`epochs: 12, flip: true`, as a recipe has them."""
    return ", ".join(f"{key}: {_yaml(value)}" for key, value in step["settings"].items()) or "none"


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
