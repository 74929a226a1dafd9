"""Accuracy against what it costs: one picture with a field for latency, size, and work."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecam.compress.report import AXES, cost_of
from edgecam.errors import UnusableError

_INK, _SOFT, _LINE = "#1c2430", "#5d6877", "#dfe4ea"
_COLOURS = ("#2b6cb0", "#c05621", "#2f7d4f", "#8b3a8b", "#b7791f", "#c53030", "#2c7a7b", "#4a5568")
_FIELDS = {
    "latency_ms": ("latency, ms", 1.0),
    "bytes": ("file, kB", 1e3),
    "macs": ("multiply-accumulates, millions", 1e6),
}
_MARKERS = {"quantize": "s", "tiny": "D"}
_DPI = 144
# Within a power of ten, from so many times the cheapest on.
_TICKS = (
    (12, (1, 2, 5)),
    (3.5, (1, 2, 3, 5)),
    (2.2, (1, 1.5, 2, 3, 4, 5, 7)),
    (0, (1, 1.2, 1.4, 1.7, 2, 2.5, 3, 4, 5, 6, 8)),
)


def draw(report: Mapping[str, Any], png: Path) -> str:
    """Draw a report's models.

    Args:
        report: as `make_report` makes it.
        png: where the picture is written.

    Returns:
        The same as SVG.

    Raises:
        UnusableError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnusableError(
            f"matplotlib is not installed ({error}): `pip install 'edgecam[compress]'`"
        ) from error
    words = {"font.size": 10, "svg.hashsalt": "edgecam", "text.color": _INK, "axes.labelcolor": _SOFT,
             "xtick.color": _SOFT, "ytick.color": _SOFT, "axes.edgecolor": _LINE}  # fmt: skip
    with mpl.rc_context(words):
        figure = Figure(figsize=(12, 4.8), layout="constrained")
        FigureCanvasAgg(figure)
        figure.get_layout_engine().set(wspace=0.04)
        fields = figure.subplots(1, len(AXES), sharey=True)
        for axis, field in zip(AXES, fields, strict=True):
            _draw_field(report, axis, field)
        fields[0].set_ylabel("accuracy, %")
        handles, labels = fields[-1].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=min(4, len(labels) or 1), frameon=False
        )
        figure.savefig(png, dpi=_DPI, metadata={"Software": None})
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _draw_field(report: Mapping[str, Any], axis: str, field: Any) -> None:
    label, unit = _FIELDS[axis]
    by_name = {step["name"]: step for step in report["steps"]}
    for place, (name, step) in enumerate(by_name.items()):
        if (cost := cost_of(step, axis)) is None:
            continue
        field.errorbar(
            cost / unit,
            100 * step["accuracy"]["mean"],
            yerr=100 * (step["accuracy"]["spread"] or 0),
            fmt=_MARKERS.get(step["kind"], "o"),
            markersize=8,
            color=_COLOURS[place % len(_COLOURS)],
            # A float network is a ring, a quantized one is full.
            markerfacecolor=None if step["kind"] in _MARKERS else "white",
            markeredgewidth=1.8,
            capsize=3,
            label=name,
            zorder=3,
        )
    ends = [
        (cost_of(by_name[name], axis), by_name[name]["accuracy"]["mean"]) for name in report["front"][axis]
    ]
    field.step(
        [cost / unit for cost, _ in ends if cost is not None],
        [100 * accuracy for _, accuracy in ends],
        where="post",
        color=_SOFT,
        linewidth=1,
        linestyle=(0, (4, 3)),
        zorder=2,
    )
    costs = [cost for step in report["steps"] if (cost := cost_of(step, axis))]
    _dress(field, label, ratio=max(costs) / min(costs) if costs else 1.0)


def _dress(field: Any, label: str, *, ratio: float) -> None:
    """Args: `ratio`: of the dearest to the cheapest, by which an axis is divided finely or coarsely."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    field.set_xscale("log")
    field.set_xlabel(label)
    field.xaxis.set_major_locator(LogLocator(subs=next(subs for least, subs in _TICKS if ratio >= least)))
    field.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    field.xaxis.set_minor_formatter(NullFormatter())
    field.margins(0.15, 0.2)
    field.grid(visible=True, color=_LINE, linewidth=0.8)
    field.set_axisbelow(True)
    for side in ("top", "right"):
        field.spines[side].set_visible(False)
