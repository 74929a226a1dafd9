"""The tables of `edgecam eval --replay`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgecam.commands.consoles import result_console

_MOST_EPISODES = 40
_MOST_LABELS = 3

Report = Mapping[str, Any]


def show_replay(report: Report) -> None:
    """Print a result of `edgecam eval --replay --json` for people."""
    console = result_console()
    recording, settings = report["recording"], report["settings"]
    console.print(
        f"{recording['path']}: {recording['frames']} frames, {recording['seconds']:.1f} s, "
        f"through the settings of camera {report['camera']}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
    console.print()
    if len(settings) == 1:
        _show_episodes(console, settings[0])
    console.print(_comparison(report))


def _show_episodes(console: Console, setting: Report) -> None:
    table = _table("episode", "start s", "end s", "lasts s", "peak")
    for episode in setting["episodes"][:_MOST_EPISODES]:
        table.add_row(
            escape(episode["label"]),
            f"{episode['start_s']:.2f}",
            f"{episode['end_s']:.2f}{'+' if episode['open'] else ' '}",
            f"{episode['end_s'] - episode['start_s']:.2f}",
            f"{episode['peak_score']:.2f}",
        )
    more = len(setting["episodes"]) - _MOST_EPISODES
    if more > 0:
        table.add_row(f"[dim]and {more} more: --json[/]")
    if setting["episodes"]:
        console.print(table)
        console.print()


def _comparison(report: Report) -> Table:
    """A row for each setting."""
    settings = report["settings"]
    keys = list(settings[0]["set"])
    judged = report["intervals"] is not None
    of_truth = ("precision", "recall", "delay s", "longest s", "time right", "time found") if judged else ()
    table = _table(*map(_short, keys), "episodes", "changes/min", *of_truth, "labels")
    table.columns[-1].justify = "left"
    for setting in settings:
        rate = setting["changes_per_minute"]
        table.add_row(
            *(escape(setting["set"][key]) for key in keys),
            str(len(setting["episodes"])),
            "" if rate is None else f"{rate:.1f}",
            *(_judged(setting["truth"]) if judged else ()),
            escape(_labels(setting["labels"])),
        )
    return table


def _judged(verdict: Report) -> list[str]:
    shares = [
        "" if share["value"] is None else f"{share['value']:.0%} ({share['hits']}/{share['of']})"
        for share in (verdict["precision"], verdict["recall"])
    ]
    delays = [verdict["delay_s"][which] for which in ("median", "longest")]
    times = [verdict["time"][which] for which in ("precision", "recall")]
    return [
        *shares,
        *("" if delay is None else f"{delay:.2f}" for delay in delays),
        *("" if time is None else f"{time:.0%}" for time in times),
    ]


def _labels(counts: Mapping[str, int]) -> str:
    said = [f"{label} {count}" for label, count in list(counts.items())[:_MOST_LABELS]]
    return ", ".join(said) + (", …" if len(counts) > _MOST_LABELS else "")


def _short(key: str) -> str:
    """Without the words that are the same for all: `watch.cat.enter`."""
    parts = key.split(".")
    return ".".join(parts[2:]) if parts[0] == "cameras" and len(parts) > 2 else key  # noqa: PLR2004 - cameras.NAME


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(escape(column), justify="right" if number else "left", no_wrap=True)
    return table
