"""The tables of `edgecam bench`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from edgecam.commands.consoles import result_console
from edgecam.commands.engines_view import show_engines
from edgecam.measure.compare import Comparison, Verdict

_STYLES = {Verdict.BETTER: "green", Verdict.WORSE: "bold red", Verdict.DIFFERENT: "yellow"}
_ENGINE_COLUMNS = {
    "p50 ms": "invoke_p50_ms",
    "p90 ms": "invoke_p90_ms",
    "p99 ms": "invoke_p99_ms",
    "CPU ms": "cpu_per_invoke_ms",
    "runs/s": "runs_per_s",
}
_AGE_ROWS = {
    "age at the decision": "age",
    "age at the broker's socket": "sent_age",
    "preprocess": "preprocess",
    "infer": "infer",
    "postprocess": "postprocess",
    "decide": "decide",
    "publish": "publish",
}


def show_report(report: Mapping[str, Any]) -> None:
    """Print a result of kind `model`, `engines` or `pipeline`."""
    console = result_console()
    if report["kind"] == "engines":
        show_engines(console, report)
        return
    engines = [part for part in report["parts"] if part["kind"] == "engine"]
    for part in report["parts"]:
        if part["kind"] == "camera":
            console.print(_accounts(part))
            console.print(_ages(part))
        elif part["kind"] == "process":
            console.print(_process(part))
    console.print(_engines(engines))
    console.print(_how(report), soft_wrap=True, markup=False, highlight=False)
    if "advice" in report:
        threads, why = report["advice"]["threads"], report["advice"]["why"]
        said = f"threads: {threads}, {why}" if threads is not None else why
        console.print(said, soft_wrap=True, markup=False, highlight=False)


def show_comparison(comparison: Comparison) -> None:
    """Print a row per figure."""
    table = _table("figure", "before", "after", "change", "noise", "verdict")
    part = None
    for difference in comparison.differences:
        if difference.part != part:
            part = difference.part
            table.add_row(f"[bold]{escape(part)}[/]")
        table.add_row(
            f"  {escape(difference.name)}",
            _number(difference.before.value),
            _number(difference.after.value),
            _percent(difference.change, sign="+"),
            _percent(difference.noise, sign="±"),
            difference.verdict.value,
            style=_STYLES.get(difference.verdict),
        )
    result_console().print(table)


def _engines(parts: list[Mapping[str, Any]]) -> Table:
    table = _table("invoke() alone", "threads", *_ENGINE_COLUMNS, "p50 of the rounds", "first run ms")
    for part in parts:
        figures, facts = part["figures"], part["facts"]
        first = facts.get("first_run_ms")
        table.add_row(
            escape(part["name"]),
            str(facts["threads"]),
            *(_number(figures[name]["value"]) for name in _ENGINE_COLUMNS.values()),
            _range(figures["invoke_p50_ms"]),
            "" if first is None else f"{first:.0f}",
        )
    return table


def _accounts(part: Mapping[str, Any]) -> Table:
    facts, figures = part["facts"], part["figures"]
    table = _table(escape(part["name"]), "captured", "in time", "late", "skipped", "fps in", "fps out")
    causes = ", ".join(f"{cause} {count}" for cause, count in facts["skipped"].items() if count)
    engines = ", ".join(f"{engine} {count}" for engine, count in facts.get("engines", {}).items())
    table.add_row(
        escape(engines),
        *(str(facts[name]) for name in ("captured", "results", "late")),
        causes or "none",
        *(_number(figures[name]["value"]) if name in figures else "" for name in ("fps_in", "fps_out")),
    )
    return table


def _ages(part: Mapping[str, Any]) -> Table:
    figures = part["figures"]
    table = _table("", "p50 ms", "p90 ms", "p99 ms", "p50 of the rounds", "x bare invoke()")
    for shown, name in _AGE_ROWS.items():
        if f"{name}_p50_ms" not in figures:
            continue
        ratio = figures.get(f"{name}_ratio")
        table.add_row(
            shown,
            *(_number(figures[f"{name}_p{percent}_ms"]["value"]) for percent in (50, 90, 99)),
            _range(figures[f"{name}_p50_ms"]),
            f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "",
        )
    return table


def _process(part: Mapping[str, Any]) -> Table:
    rows = {
        "CPU a classified frame, the whole process": "cpu_per_frame_ms",
        "  of it the pattern itself, a captured frame": "source_cpu_per_capture_ms",
        "CPU a classified frame without the pattern": "pipeline_cpu_per_frame_ms",
        "  to that of a bare invoke()": "cpu_ratio",
        "resident memory": "memory_mb",
    }
    table = _table("process", "median", "", "of the rounds")
    for shown, name in rows.items():
        figure = part["figures"].get(name)
        if figure is not None:
            table.add_row(shown, _number(figure["value"]), figure["unit"], _range(figure))
    return table


def _how(report: Mapping[str, Any]) -> str:
    """How it was measured, in a line or two."""
    settings, board, machine = report["settings"], report["board"], report["machine"]
    temperatures = [board[when]["temperature_c"] for when in ("before", "after")]
    throttled = board["after"]["throttled"]
    said = [
        f"{settings['rounds']} rounds of {settings['seconds']:g} s a block, in turn",
        f"{settings['warm_up_invokes']} warm-up invokes before each",
        f"{machine['cpu'] or machine['arch']}, {machine['cores']} cores",
        "temperature not told"
        if None in temperatures
        else f"{temperatures[0]:.0f} °C before, {temperatures[1]:.0f} °C after",
        "throttling not told" if throttled is None else f"throttled: {throttled:#x}",
    ]
    if settings.get("load"):
        said.append(f"{settings['load']} processes burnt CPU beside the pipeline, none beside invoke() alone")
    return "; ".join(said)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _range(figure: Mapping[str, Any]) -> str:
    return f"{_number(figure['low'])} to {_number(figure['high'])}"


def _percent(share: float | None, *, sign: str) -> str:
    if share is None:
        return ""
    # No minus before a zero.
    share = round(share, 3) + 0.0
    return f"{share:+.1%}" if sign == "+" else f"{sign}{share:.1%}"


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"  # noqa: PLR2004 - three digits
