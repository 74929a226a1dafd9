"""The pictures of an evaluation's page, as SVG: how sure against how right, and what is taken for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

_RIGHT, _WRONG, _LINE, _SOFT, _INK = "#2563a8", "#c2571a", "#dfe4ea", "#5d6877", "#1c2430"
_PLOT_PX, _MARGIN_PX, _COUNTS_PX, _AXIS_PX = 300, 44, 60, 40
# With more, numbers would be too small to read; the pointer still shows them.
_MOST_NUMBERED = 16
_LABEL_CHARS = 18
_CELL_PX, _SMALL_CELL_PX = 30, 18

Report = Mapping[str, Any]


def reliability(model: Report) -> str:
    """Bars: how often the model was right; marks: how sure it was; below: of how many predictions."""
    bins = model["calibration"]["bins"]
    most = max((one["count"] for one in bins), default=0) or 1
    width, height = _PLOT_PX + 2 * _MARGIN_PX, _y(0) + _AXIS_PX + _COUNTS_PX + 4
    diagonal = f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="{_SOFT}" stroke-dasharray="4 4"/>'
    turned = f'<g transform="translate(11 {_y(0.5)}) rotate(-90)">'
    return _svg(
        width,
        height,
        f"How sure {model['name']} was, and how often it was right",
        [
            *_grid(),
            *(_bar(one, most) for one in bins if one["count"]),
            diagonal,
            _text(_x(0.5), _y(0) + _AXIS_PX - 8, "how sure it was", anchor="middle"),
            f"{turned}{_text(0, 0, 'how often it was right', anchor='middle')}</g>",
        ],
    )


def heat_map(model: Report, labels: Sequence[str]) -> str:
    """Rows: what is shown; columns: what was said; the deeper, the larger the share of the row.

    Args:
        model: as docs/schemas/eval.schema.json has it.
        labels: which classes, from `confused_classes`.
    """
    nothing = {"hits": 0, "of": 0}
    shown = dict.fromkeys(labels, nothing) | {one["label"]: one["recall"] for one in model["classes"]}
    counts = {(label, label): shown[label]["hits"] for label in labels}
    counts |= {(pair["shown"], pair["said"]): pair["count"] for pair in model["confusion"]}
    cell = _CELL_PX if len(labels) <= _MOST_NUMBERED else _SMALL_CELL_PX
    left = 12 + 7 * min(_LABEL_CHARS, max((len(label) for label in labels), default=1))
    side = cell * len(labels)
    parts = [_label(label, place, left, cell) for place, label in enumerate(labels)]
    for row, truth in enumerate(labels):
        for column, said in enumerate(labels):
            if count := counts.get((truth, said), 0):
                square = _square(
                    truth, said, count, shown[truth]["of"], numbered=len(labels) <= _MOST_NUMBERED
                )
                at = f"translate({left + column * cell} {left + row * cell}) scale({cell / _CELL_PX})"
                parts.append(f'<g transform="{at}">{square}</g>')
    frame = f'<rect x="{left}" y="{left}" width="{side}" height="{side}" fill="none" stroke="{_LINE}"/>'
    return _svg(left + side + 8, left + side + 8, f"What {model['name']} takes for what", [*parts, frame])


def confused_classes(models: Sequence[Report], most: int) -> list[str]:
    """At most so many classes, those with the most mistakes of all models, in the order of the labels."""
    mistakes = {one["label"]: 0 for model in models for one in model["classes"]}
    places = {one["label"]: one["index"] for model in models for one in model["classes"]}
    for model in models:
        for pair in model["confusion"]:
            mistakes[pair["shown"]] += pair["count"]
            mistakes[pair["said"]] += pair["count"]
    chosen = sorted(mistakes, key=lambda label: -mistakes[label])[:most]
    return sorted(chosen, key=lambda label: places[label])


def _bar(one: Report, most: int) -> str:
    x, width = _x(one["low"]) + 1, _x(one["high"]) - _x(one["low"]) - 2
    right, sure = _y(one["accuracy"]), _y(one["confidence"])
    count_px = max(1.0, _COUNTS_PX * one["count"] / most)
    words = (
        f"{one['count']} predictions from {one['low']:.2f} to {one['high']:.2f}: "
        f"{one['confidence']:.3f} sure, {one['accuracy']:.3f} right"
    )
    place = f'x="{x:.1f}" width="{width:.1f}"'
    gap = f'y="{min(right, sure):.1f}" height="{abs(right - sure):.1f}"'
    # Upwards, y falls: what is below both is full, what is above one of them pale.
    color, full = (_WRONG, right) if sure < right else (_RIGHT, sure)
    return (
        f"<g><title>{words}</title>"
        f'<rect {place} y="{full:.1f}" height="{_y(0) - full:.1f}" fill="{_RIGHT}"/>'
        f'<rect {place} {gap} fill="{color}" fill-opacity=".35"/>'
        f'<rect {place} y="{sure - 1:.1f}" height="2" fill="{_INK}"/>'
        f'<rect {place} y="{_y(0) + _AXIS_PX:.1f}" height="{count_px:.1f}" fill="{_SOFT}"/></g>'
    )


def _grid() -> Iterator[str]:
    for step in range(6):
        share = step / 5
        yield f'<line x1="{_x(0)}" x2="{_x(1)}" y1="{_y(share)}" y2="{_y(share)}" stroke="{_LINE}"/>'
        yield _text(_x(0) - 6, _y(share) + 4, f"{share:.1f}", anchor="end")
        yield _text(_x(share), _y(0) + 16, f"{share:.1f}", anchor="middle")


def _label(label: str, place: int, left: int, cell: int) -> str:
    middle = left + place * cell + cell / 2
    short = escape(label if len(label) <= _LABEL_CHARS else label[: _LABEL_CHARS - 1] + "…")
    row = f'<text x="{left - 6}" y="{middle + 4:.1f}" text-anchor="end">{short}</text>'
    column = f'<text transform="translate({middle + 4:.1f} {left - 6}) rotate(-90)">{short}</text>'
    return f"<g><title>{escape(label)}</title>{row}{column}</g>"


def _square(truth: str, said: str, count: int, of: int, *, numbered: bool) -> str:
    """One pair of the heat map, `_CELL_PX` a side."""
    share = count / of if of else 1.0
    words = (
        f"{truth} taken for {said}: {count} of {of}" if truth != said else f"{truth}: {count} of {of} right"
    )
    color = _RIGHT if truth == said else _WRONG
    deep = f'fill="{color}" fill-opacity="{0.12 + 0.88 * share:.2f}"'
    number = ""
    if numbered:
        ink = "light" if share > 0.5 else "dark"  # noqa: PLR2004 - deep enough for white
        middle = _CELL_PX / 2
        number = f'<text class="{ink}" x="{middle}" y="{middle + 4}" text-anchor="middle">{count}</text>'
    square = f'<rect width="{_CELL_PX}" height="{_CELL_PX}" {deep}/>'
    return f"<title>{escape(words)}</title>{square}{number}"


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, *, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _x(share: float) -> float:
    return _MARGIN_PX + share * _PLOT_PX


def _y(share: float) -> float:
    return 12 + (1 - share) * _PLOT_PX
