"""A report as one page that holds everything and loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from edgecam.compress.report_words import COLUMNS, row, settings
from edgecam.measure.page import asset, table

# The browser itself then refuses whatever would reach out.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
body { max-width: 1280px; }
img { width: 100%; height: auto; margin: .5rem 0 1rem; }
.figures { font-size: 14px; }
.figures td, .figures th { text-align: right; white-space: nowrap; padding: .25rem 0 .25rem 1rem; }
.figures th { font-weight: 600; color: var(--soft); font-size: 13px; }
.figures th:first-child, .figures td:first-child { text-align: left; padding-left: 0; color: var(--ink); }
.figures th:nth-child(2), .figures td:nth-child(2) { text-align: left; }
.stop { color: var(--ink); border-left: 4px solid #c53030; padding-left: .75rem; }
.wide { overflow-x: auto; }
"""
_KEY = (
    "Rings are float networks, squares are quantized, diamonds are for microcontrollers. The dashed line "
    "joins those that no other beats in both; the whiskers are the standard deviation over the seeds."
)
_LEGEND = (
    "Accuracy: on the test pictures, by the path that a camera's frames take; the mean over the seeds, and "
    "its standard deviation. Lost: against the step that it goes on from, of what it may lose; below 0 it "
    "gained. All else is of the first seed's model. Gzip: the file, packed. Arena: memory for tensors by "
    "TFLite Micro's plan. Latency: the median of the rounds, in brackets the lowest and the highest, all "
    "models in turns. Speed: times as fast as the first step."
)


def render_page(report: Mapping[str, Any], svg: str) -> str:
    """The page of a report, with the picture that `plot.draw` made."""
    title = f"edgecam compress: {escape(report['recipe'])}"
    picture = base64.b64encode(svg.encode()).decode()
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{asset('page.css')}{_STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            _stop(report["stop"]),
            f'<img alt="Accuracy against latency, size and work" src="data:image/svg+xml;base64,{picture}">',
            f"<p>{_KEY}</p>",
            "<h2>What each step cost and gained</h2>",
            _figures(report["steps"]),
            f"<p>{_LEGEND}</p>",
            "<h2>Accuracy of each seed</h2>",
            table(_seeds(report)),
            "<h2>How it was made</h2>",
            table(_making(report["steps"])),
            "<h2>Of what, and where</h2>",
            table(_origin(report)),
            "</body></html>",
        ]
    )


def _stop(stop: Mapping[str, Any] | None) -> str:
    return "" if stop is None else f"<p class=stop>{escape(stop['text'])}</p>"


def _figures(steps: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in COLUMNS)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row(step, steps[0])) for step in steps)
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    return f'<div class=wide><table class="figures"><tr>{head}</tr>{body}</table></div>'


def _seeds(report: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    yield "", *(f"seed {seed}" for seed in report["seeds"])
    for step in report["steps"]:
        yield step["name"], *(f"{100 * seed['value']:.1f} %" for seed in step["accuracy"]["seeds"])


def _making(steps: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    for step in steps:
        teacher = f", teacher {step['teacher']}" if step["teacher"] else ""
        said = [f"{step['kind']} ({settings(step)}){teacher}; took {step['took_s']:g} s", *step["notes"]]
        yield step["name"], "; ".join(said)


def _origin(report: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for name, pictures in report["pictures"].items():
        yield f"{name} pictures", f"{pictures['count']}, sha256 {pictures['sha256']}"
    for name, digest in report.get("weights", {}).items():
        yield f"weights of {name}", f"sha256 {digest}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    timing = report["timing"]
    yield "timing", f"{timing['rounds']} rounds of {timing['seconds']:g} s, threads: {timing['threads']}"
    for name, value in report["machine"].items():
        if not isinstance(value, Mapping):
            yield name, "not told" if value is None else str(value)
