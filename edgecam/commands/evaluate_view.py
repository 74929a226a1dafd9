"""The tables of `edgecam eval`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgecam.commands.consoles import result_console

_MOST_CLASSES = 12
_MOST_THRESHOLDS = 20
# Below that, what the model says and how often it is right are as good as the same.
_CALIBRATED = 0.02

Report = Mapping[str, Any]


def show_evaluation(report: Report) -> None:
    """Print a result of `edgecam eval --json` for people."""
    console = result_console()
    for number, model in enumerate(report["models"]):
        if number:
            console.print()
        _show_model(console, model, report["pictures"])
    if report["comparison"] is not None:
        console.print()
        _say(console, _comparison(report["comparison"]))


def _show_model(console: Console, model: Report, pictures: Report) -> None:
    missing = len(model["unreadable"])
    scored = "1 picture" if model["scored"] == 1 else f"{model['scored']} pictures"
    scored += f" ({missing} more could not be read)" if missing else ""
    kinds = f"{model['labels']} {'groups and labels' if model['groups'] else 'labels'}"
    _say(console, f"{model['name']} on {scored} of {pictures['path']}: {kinds}, {model['engine']}")
    console.print()
    console.print(_figures(model))
    console.print()
    console.print(_classes(console, model))
    console.print()
    console.print(_thresholds(model["thresholds"]))
    if any(one["enter"] is not None and not one["certain"] for one in model["thresholds"]["names"]):
        console.print(
            "?: with so few pictures, the true precision may be lower", style="dim", highlight=False
        )


def _figures(model: Report) -> Table:
    table = _table("", "", "95 % interval")
    table.add_row("top-1", _percent(model["top1"]), _interval(model["top1"]))
    if model["top5"] is not None:
        table.add_row("top-5", _percent(model["top5"]), _interval(model["top5"]))
    table.add_row("mean recall of classes", _points(model["mean_recall"]), "")
    calibration = model["calibration"]
    sureness = calibration["overconfidence"]
    how = "as sure as it may be"
    if abs(sureness) > _CALIBRATED:
        how = f"{100 * abs(sureness):.1f} points too {'sure' if sureness > 0 else 'unsure'}"
    table.add_row("calibration error", _points(calibration["ece"]), how)
    return table


def _classes(console: Console, model: Report) -> Table:
    """Those that are shown, with the most mistakes first."""
    mistakes = {one["label"]: 0 for one in model["classes"]}
    taken_for: dict[str, list[str]] = {}
    for pair in model["confusion"]:
        mistakes[pair["shown"]] += pair["count"]
        mistakes[pair["said"]] += pair["count"]
        taken_for.setdefault(pair["shown"], []).append(f"{pair['said']} {pair['count']}")
    shown = (one for one in model["classes"] if one["recall"]["of"])
    rows = sorted(shown, key=lambda one: (-mistakes[one["label"]], one["index"]))
    table = _table("class", "pictures", "right", "recall", "precision", "taken for")
    table.columns[-1].justify = "left"
    table.columns[-1].no_wrap = not console.is_terminal
    for one in rows[:_MOST_CLASSES]:
        recall = one["recall"]
        table.add_row(
            escape(one["label"]),
            str(recall["of"]),
            str(recall["hits"]),
            _percent(recall),
            _percent(one["precision"]),
            escape(", ".join(taken_for.get(one["label"], [])[:3])),
        )
    _more(table, len(rows) - _MOST_CLASSES, "classes with fewer mistakes")
    return table


def _thresholds(thresholds: Report) -> Table:
    """The names with the most pictures first, groups before labels."""
    rows = sorted(thresholds["names"], key=lambda one: (not one["group"], -one["pictures"]))
    table = _table(
        f"right in {100 * thresholds['precision']:g} %",
        "pictures",
        "enter",
        "precision",
        "95 % interval",
        "recall",
    )
    for one in rows[:_MOST_THRESHOLDS]:
        name = f"{escape(one['name'])} (group)" if one["group"] else escape(one["name"])
        if one["enter"] is None:
            table.add_row(name, str(one["pictures"]), "none ")
            continue
        table.add_row(
            name,
            str(one["pictures"]),
            f"{one['enter']:.2f}{' ' if one['certain'] else '?'}",
            _percent(one["precision"]),
            _interval(one["precision"]),
            _percent(one["recall"]),
        )
    _more(table, len(rows) - _MOST_THRESHOLDS, "names with fewer pictures")
    return table


def _comparison(pair: Report) -> str:
    delta, low, high = (100 * pair[key] for key in ("delta", "low", "high"))
    how = "more than chance" if pair["significant"] else "this may be chance"
    return (
        f"{pair['second']} less {pair['first']}: {delta:+.1f} points top-1 (95 % interval {low:+.1f} to "
        f"{high:+.1f}), p = {pair['p_value']:.2g}: {how}\n"
        f"both right {pair['both_right']}, {pair['first']} alone {pair['only_first_right']}, "
        f"{pair['second']} alone {pair['only_second_right']}, neither {pair['neither_right']}"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _more(table: Table, count: int, what: str) -> None:
    if count > 0:
        table.add_row(f"[dim]and {count} {what}: --json[/]")


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def _percent(share: Report) -> str:
    return "" if share["value"] is None else _points(share["value"])


def _points(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(share: Report) -> str:
    return f"{100 * share['low']:.1f} to {100 * share['high']:.1f} %"
