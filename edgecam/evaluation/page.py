"""An evaluation as one page that holds everything, the worst errors' pictures too, and loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from edgecam.evaluation.page_plots import confused_classes, heat_map, reliability
from edgecam.evaluation.thumbnails import WorstError
from edgecam.measure.page import document

_STYLE = """
body { max-width: 1180px; }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--soft);
  padding: .1rem 1.25rem .1rem 0; }
.beside { display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: flex-start; }
.beside > div, .wide { max-width: 100%; overflow-x: auto; }
svg { max-width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
svg text.light { fill: #fff; }
.number td { text-align: right; } .number td:first-child { text-align: left; }
.number th { text-align: right; } .number th:first-child { text-align: left; }
.errors { display: grid; grid-template-columns: repeat(auto-fill, minmax(176px, 1fr)); gap: 1rem; }
figure { margin: 0; overflow-wrap: anywhere; font-size: 13px; }
figure img, figure .gone { width: 176px; height: 132px; object-fit: contain;
  background: var(--line); display: block; }
figure b { color: #c2571a; font-weight: 600; }
figure span { color: var(--soft); display: block; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--soft); }
"""
_SURENESS = (
    "<p>Blue, full and pale, reaches up to the share that was right, the black mark to how sure the model "
    "was; on the dashed line both are the same, and thresholds mean what they say. Pale blue: it was right "
    "more often than it said; pale orange: less often. Below: of how many predictions.</p>"
)
_THRESHOLDS = (
    "<p>Values for <code>enter</code>. With ?: there were so few pictures that the true precision may be "
    "lower.</p>"
)
# As many as find room, beside each other or alone.
_MOST_CLASSES, _MOST_OF_TWO = 30, 20
# So many rows are seen at once; the others wait behind a click.
_SHOWN_ROWS = 25

Report = Mapping[str, Any]


def render_page(report: Report, worst: Sequence[Sequence[WorstError]]) -> str:
    """The page of one evaluation.

    Args:
        report: as docs/schemas/eval.schema.json has it; of two models, the page shows them side by side.
        worst: for each model, from `worst_pictures`.
    """
    models = report["models"]
    title = f"edgecam eval: {' and '.join(model['name'] for model in models)}"
    confused = confused_classes(models, _MOST_CLASSES if len(models) == 1 else _MOST_OF_TWO)
    return document(
        title,
        [
            _comparison(report["comparison"]),
            _pictures(report["pictures"]),
            _table(["", *(model["name"] for model in models)], _summary(models)),
            f"<h2>How sure, and how often right</h2>{_SURENESS}",
            _beside(models, reliability),
            f"<h2>What is taken for what</h2>{_key(models, confused)}",
            _beside(models, lambda model: heat_map(model, confused)),
            "<h2>Classes</h2>",
            _folded(models, ("recall", "precision"), list(_classes(models)), "classes"),
            f"<h2>Thresholds for a precision of {models[0]['thresholds']['precision']:.0%}</h2>{_THRESHOLDS}",
            _folded(models, ("enter", "precision", "recall"), list(_thresholds(models)), "names"),
            *(_errors(model, errors) for model, errors in zip(models, worst, strict=True)),
            _unreadable(models),
        ],
        style=_STYLE,
    )


def _comparison(pair: Report | None) -> str:
    if pair is None:
        return ""
    delta, low, high = (100 * pair[key] for key in ("delta", "low", "high"))
    verdict = "more than chance" if pair["significant"] else "this may be chance"
    first, second = escape(pair["first"]), escape(pair["second"])
    return (
        f"<p class=advice><b>{second} less {first}: {delta:+.1f} points top-1</b> ({low:+.1f} to "
        f"{high:+.1f}), p = {pair['p_value']:.2g}: {verdict}. Both right {pair['both_right']}, {first} alone "
        f"{pair['only_first_right']}, {second} alone {pair['only_second_right']}, neither "
        f"{pair['neither_right']}.</p>"
    )


def _pictures(pictures: Report) -> str:
    return (
        f"<p>On {pictures['count']} pictures of {escape(pictures['path'])}. In brackets: the 95 % interval, "
        "in which the true value lies but for one case in twenty.</p>"
    )


def _key(models: Sequence[Report], confused: Sequence[str]) -> str:
    all_of_them = len({one["label"] for model in models for one in model["classes"]})
    which = f" Of {all_of_them} classes those {len(confused)} with the most mistakes."
    return (
        "<p>Rows: what a picture shows; columns: what was said; the deeper, the larger the share of the row."
        f"{which if len(confused) < all_of_them else ''}</p>"
    )


def _summary(models: Sequence[Report]) -> Iterator[list[str]]:
    yield ["pictures scored", *(str(model["scored"]) for model in models)]
    yield ["top-1", *(_with_interval(model["top1"]) for model in models)]
    if any(model["top5"] for model in models):
        yield ["top-5", *(_with_interval(model["top5"]) for model in models)]
    yield ["mean recall of classes", *(f"{model['mean_recall']:.1%}" for model in models)]
    yield ["calibration error (ECE)", *(f"{model['calibration']['ece']:.1%}" for model in models)]
    yield ["surer than right by", *(f"{model['calibration']['overconfidence']:+.1%}" for model in models)]
    yield ["classes", *(str(model["labels"]) for model in models)]
    yield ["engine", *(str(model["engine"]) for model in models)]
    yield ["file", *(model["path"] for model in models)]
    yield ["sha256", *(model["sha256"] for model in models)]


def _beside(models: Sequence[Report], draw: Callable[[Report], str]) -> str:
    drawn = (f"<div><h3>{escape(model['name'])}</h3>{draw(model)}</div>" for model in models)
    return f"<div class=beside>{''.join(drawn)}</div>"


def _classes(models: Sequence[Report]) -> Iterator[list[str]]:
    """Those that are shown, the worst recall of the first model first."""
    shown = [one for one in models[0]["classes"] if one["recall"]["of"]]
    for one in sorted(shown, key=lambda one: one["recall"]["value"]):
        cells: list[str] = []
        for model in models:
            same = _same_class(one, model)
            cells += ["", ""] if same is None else [_share(same["recall"]), _share(same["precision"])]
        yield [one["label"], str(one["recall"]["of"]), *cells]


def _same_class(wanted: Report, model: Report) -> Report | None:
    """By its label, and by its place too where two classes have one label."""
    named = [one for one in model["classes"] if one["label"] == wanted["label"]]
    return next((one for one in named if one["index"] == wanted["index"]), named[0] if named else None)


def _thresholds(models: Sequence[Report]) -> Iterator[list[str]]:
    """Groups first, then the names with the most pictures."""
    of_models = [{one["name"]: one for one in model["thresholds"]["names"]} for model in models]
    names = models[0]["thresholds"]["names"]
    for one in sorted(names, key=lambda one: (not one["group"], -one["pictures"])):
        cells: list[str] = []
        for thresholds in of_models:
            same = thresholds.get(one["name"])
            if same is None or same["enter"] is None:
                cells += ["none", "", ""]
            else:
                enter = f"{same['enter']:.2f}{'' if same['certain'] else '?'}"
                cells += [enter, _share(same["precision"]), _share(same["recall"])]
        name = f"{one['name']} (group)" if one["group"] else one["name"]
        yield [name, str(one["pictures"]), *cells]


def _errors(model: Report, errors: Sequence[WorstError]) -> str:
    if not errors:
        return f"<h2>{escape(model['name'])} made no mistake</h2>"
    figures = "".join(map(_figure, errors))
    return (
        f"<h2>The worst errors of {escape(model['name'])}</h2>"
        "<p>What it shows and what was said, each with the probability that the model gave it.</p>"
        f"<div class=errors>{figures}</div>"
    )


def _figure(error: WorstError) -> str:
    picture = "<div class=gone></div>"
    if error.jpeg is not None:
        data = base64.b64encode(error.jpeg).decode()
        picture = f'<img alt="{escape(error.name)}" src="data:image/jpeg;base64,{data}">'
    return (
        f"<figure>{picture}<figcaption>{escape(error.shown)} ({error.of_truth:.2f}), said "
        f"<b>{escape(error.said)}</b> ({error.probability:.2f})<span>{escape(error.name)}</span>"
        "</figcaption></figure>"
    )


def _unreadable(models: Sequence[Report]) -> str:
    faults = [[one["name"], one["fault"]] for one in models[0]["unreadable"]]
    return f"<h2>Pictures that could not be read</h2>{_table(['', ''], faults)}" if faults else ""


def _folded(
    models: Sequence[Report], columns: Sequence[str], rows: Sequence[Sequence[str]], what: str
) -> str:
    """The same columns for each model; the rows beyond the first wait behind a click."""
    above = [("", 2), *((model["name"], len(columns)) for model in models)] if len(models) > 1 else []
    headings = ["", "pictures", *(column for _ in models for column in columns)]
    shown = _table(headings, rows[:_SHOWN_ROWS], above=above, kind="number")
    if len(rows) <= _SHOWN_ROWS:
        return shown
    more = _table(headings, rows[_SHOWN_ROWS:], above=above, kind="number")
    return f"{shown}<details><summary>{len(rows) - _SHOWN_ROWS} more {what}</summary>{more}</details>"


def _table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    above: Iterable[tuple[str, int]] = (),
    kind: str = "",
) -> str:
    """Args: headings and cells as text; headings above those, and over how many columns; a class of ours."""
    top = "".join(f"<th colspan={columns}>{escape(heading)}</th>" for heading, columns in above)
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class=wide><table class="{kind}">{f"<tr>{top}</tr>" if top else ""}'
        f"<tr>{head}</tr>{body}</table></div>"
    )


def _with_interval(share: Report | None) -> str:
    if share is None or share["value"] is None:
        return ""
    return f"{share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})"


def _share(share: Report) -> str:
    return "" if share["value"] is None else f"{share['value']:.1%} ({share['hits']}/{share['of']})"
