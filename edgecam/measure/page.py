"""One page that holds everything: figures, plots and what draws them. It loads nothing from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from edgecam.measure.plots import Plot

# The browser itself then refuses whatever would reach out.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_POLICY_WITH_SCRIPTS = f"{_POLICY}; script-src 'unsafe-inline'"


def document(
    title: str, parts: Iterable[str], *, style: str = "", comment: str = "", runs_scripts: bool = False
) -> str:
    """A whole page in the house's style, which may load nothing.

    Args:
        title: as text; also the first heading.
        parts: markup, in which all that is not ours was escaped.
        style: rules after those of every page.
        comment: about what is inside, such as a licence.
        runs_scripts: those that are inside; else none runs.
    """
    policy = _POLICY_WITH_SCRIPTS if runs_scripts else _POLICY
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<!-- {comment}-->" if comment else "",
            f"<style>{asset('page.css')}{style}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            *parts,
            "</body></html>",
        ]
    )


def render_page(report: Mapping[str, Any], plots: Sequence[Plot]) -> str:
    """The page of one result.

    Args:
        report: as docs/schemas/bench.schema.json has it, kind `model` or `pipeline`.
        plots: of the same run.
    """
    title = f"edgecam bench: {'the pipeline' if report['kind'] == 'pipeline' else 'a model'}"
    return document(
        title,
        [
            _advice(report.get("advice")),
            '<div id="plots"></div>',
            "<h2>Figures</h2><p>The median of the rounds; in brackets the lowest and the highest round.</p>",
            *(_part(part) for part in report["parts"]),
            *(_facts(name.capitalize(), report[name]) for name in ("models", "settings", "board", "machine")),
            f'<script type="application/json" id="data">{_json({"report": report, "plots": plots})}</script>',
            f"<script>{asset('uplot.iife.min.js')}</script><script>{asset('page.js')}</script>",
        ],
        style=asset("uplot.min.css"),
        comment=f"uPlot, which draws the plots:\n{asset('uplot.LICENSE')}",
        runs_scripts=True,
    )


def _advice(advice: Mapping[str, Any] | None) -> str:
    if advice is None:
        return ""
    what = "" if advice["threads"] is None else f"<b>threads: {advice['threads']}</b>, "
    return f"<p class=advice>{what}{escape(advice['why'])}</p>"


def _part(part: Mapping[str, Any]) -> str:
    rows = [
        (name, _number(f["value"]), f["unit"], f"({_number(f['low'])} to {_number(f['high'])})")
        for name, f in part["figures"].items()
    ]
    return _facts(part["name"], part["facts"]) + table(rows)


def _facts(title: str, facts: Mapping[str, Any]) -> str:
    return f"<h3>{escape(title)}</h3>" + table([(key, _plain(value)) for key, value in facts.items()])


def table(rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, which are escaped."""
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        shown = ", ".join(f"{key}: {_plain(part)}" for key, part in value.items())
        return f"{{{shown}}}" if shown else "none"
    return "not told" if value is None else str(value)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _json(data: Any) -> str:
    """JSON that cannot end its own element, whatever a configuration holds."""
    text = json.dumps(data, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def asset(name: str) -> str:
    """The text of a file in `assets`."""
    return (files("edgecam.measure") / "assets" / name).read_text(encoding="utf-8")
