"""`edgecam compress run`: does a recipe, and leaves models, a report, and a page to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from edgecam.commands.compress_progress import Teller, teller
from edgecam.commands.consoles import result_console
from edgecam.commands.proving import prove
from edgecam.compress.chain import Outcome, folder_of, run_chain
from edgecam.compress.extra import require_compress, require_for
from edgecam.compress.recipe_file import LoadedRecipe, load_recipe
from edgecam.errors import EdgecamError, UnusableError
from edgecam.model.staging import locked

REPORT = "report.json"
PAGE = "report.html"
PLOT = "report.png"


def run_recipe(
    path: Path, *, sets: Sequence[str] = (), out: Path | None = None, as_json: bool = False
) -> None:
    """Do what is not done yet of a recipe; print the report, and write it beside the models.

    Args:
        path: the recipe.
        sets: `key=value` texts that stand above it.
        out: the folder for results; None: the recipe's.
        as_json: print docs/schemas/compress.schema.json.

    Raises:
        ConfigError: the recipe is wrong.
        UnusableError: a library is missing, or pictures or weights cannot be used.
        EdgecamError: a step lost more accuracy than it may; the report tells of those before it.
    """
    loaded = load_recipe(path, sets=sets, out=out)
    require_compress()
    require_for(loaded.recipe.steps.values())
    _make(loaded.out)
    with locked(loaded.out), teller() as told:
        try:
            report, stop = _do(loaded, told)
        except KeyboardInterrupt:
            told.say("interrupted; the same command goes on with the step that was not finished")
            raise
    if as_json:
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        _show(report, loaded.out)
    if stop is not None:
        raise EdgecamError(stop)


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableError(
            f"{out}: cannot be made: {error.strerror}; name another place by --out"
        ) from error


def _do(loaded: LoadedRecipe, told: Teller) -> tuple[dict[str, Any], str | None]:
    # What follows loads torch.
    from edgecam.compress.workshop import RealWorkshop

    workshop = RealWorkshop(loaded, prove)
    for line in workshop.words():
        told.say(line)
    facts = workshop.facts()
    work = loaded.out / "work"
    outcome = run_chain(loaded.recipe, workshop, work=work, facts=facts, listener=told)
    report = _report(loaded, outcome, facts, work=work, told=told)
    return report, None if outcome.stop is None else str(outcome.stop)


def _report(
    loaded: LoadedRecipe, outcome: Outcome, facts: dict[str, Any], *, work: Path, told: Teller
) -> dict[str, Any]:
    """Measure all models in turns, and write down what came of it."""
    from edgecam.compress.latency import measure_latencies
    from edgecam.compress.network_model import history_of
    from edgecam.compress.plot import draw
    from edgecam.compress.publishing import left_behind, publish_model
    from edgecam.compress.report import make_report
    from edgecam.compress.report_page import render_page
    from edgecam.compress.workshop import MODEL_FOLDER
    from edgecam.measure.machine import describe_machine
    from edgecam.measure.whole_file import write_whole

    recipe = loaded.recipe
    places = {name: folder_of(work, name, recipe.seeds[0]) / MODEL_FOLDER for name in outcome.results}
    latencies = measure_latencies(
        {name: place for name, place in places.items() if recipe.steps[name].kind != "tiny"},
        recipe.timing,
        told=lambda done, count: told.progress(done, count, "measuring latency"),
    )
    report = make_report(
        recipe,
        outcome,
        latencies=latencies,
        models={name: f"models/{recipe.name}_{name}" for name in places},
        facts=facts,
        machine=describe_machine(),
    )
    for name, place in places.items():
        history = history_of(places[recipe.network_of(name)])
        publish_model(place, loaded.out / "models", report, name, history=history)
    for old in left_behind(loaded.out / "models", report):
        told.say(f"{old}: is of an earlier run, and the report does not tell of it")
    svg = draw(report, loaded.out / PLOT)
    write_whole(loaded.out / PAGE, render_page(report, svg).encode())
    text = json.dumps(report, indent=2, allow_nan=False)
    write_whole(loaded.out / REPORT, f"{text}\n".encode())
    return report


def _show(report: dict[str, Any], out: Path) -> None:
    from edgecam.compress.report_words import COLUMNS, row

    console = result_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in COLUMNS[:2] else "right", no_wrap=True)
    for step in report["steps"]:
        table.add_row(*row(step, report["steps"][0]))
    console.print(table)
    for name in (PAGE, PLOT, REPORT, "models"):
        console.print(out / name, markup=False, highlight=False, soft_wrap=True)
