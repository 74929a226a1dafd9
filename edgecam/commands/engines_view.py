"""The table of `edgecam bench --engines`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLUMNS = (
    "engine", "p50 ms", "p99 ms", "of the rounds", "first ms", "open ms", "MB", "of it edgecam",
    "on an accelerator", "same best class",
)  # fmt: skip


def show_engines(console: Console, report: Mapping[str, Any]) -> None:
    """Print a result of kind `engines`."""
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(_COLUMNS):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for part in report["parts"]:
        table.add_row(*_row(part))
    console.print(table)
    settings, machine = report["settings"], report["machine"]
    said = [
        f"{settings['rounds']} rounds of {settings['seconds']:g} s, in turn, each engine in its own process",
        f"{settings['pictures']} pictures, compared with {settings['reference']}"
        if settings["pictures"]
        else "no pictures: --images FOLDER compares what the engines say of some",
        f"{machine['cpu'] or machine['arch']}, {machine['cores']} cores",
    ]
    _say(console, "; ".join(said))
    for absent in report["absent"]:
        _say(console, f"not measured: {absent['name']}: {absent['why']}")


def _row(part: Mapping[str, Any]) -> tuple[str, ...]:
    facts, figures = part["facts"], part["figures"]
    median, memory = figures["invoke_p50_ms"], figures.get("memory_mb")
    return (
        escape(part["name"]),
        _number(median["value"]),
        _number(figures["invoke_p99_ms"]["value"]),
        f"{_number(median['low'])} to {_number(median['high'])}",
        _number(facts["first_invoke_ms"]),
        _number(facts["open_ms"]),
        "" if memory is None else f"{memory['value']:.0f}",
        "" if facts["memory_before_mb"] is None else f"{facts['memory_before_mb']:.0f}",
        "" if facts["operators"] is None else f"{facts['delegated']} of {facts['operators']}",
        "" if facts["compared"] is None else f"{facts['agreed']} of {facts['compared']}",
    )


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"  # noqa: PLR2004 - three digits


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
