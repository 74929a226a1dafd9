"""The report: what it says of each step, and that it can be read by programs and people."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edgecam.compress.chain import Outcome, Stop
from edgecam.compress.recipe import Recipe
from edgecam.compress.report import front, make_report
from edgecam.compress.report_page import render_page
from edgecam.compress.report_words import COLUMNS, row, speed
from edgecam.compress.results import Measured, Result
from edgecam.measure.figures import Figure

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "compress.schema.json"
RECIPE = {
    "name": "birds",
    "pictures": {"train": "a", "test": "b"},
    "out": "out",
    "seeds": [1, 2],
    "steps": {
        "base": {"train": {"epochs": 3}},
        "small": {"from": "base", "prune": {"macs": 0.3}, "max_loss_points": 5},
        "small_int8": {"from": "small", "quantize": {}},
    },
}
PICTURES = {name: {"count": 100, "sha256": "ab" * 32} for name in ("train", "test")}


def result(step: str, kind: str, seed: int, accuracy: float, size: int) -> Result:
    """One step with one seed; all that it costs grows with its size."""
    measured = Measured(accuracy, 100, 10 * size, 1000 * size, 40 * size, 30 * size, None)
    notes = (f"{step} is noted", f"{size} of {seed}")
    return Result(step, kind, seed, "key", "digest", 1.5, measured, notes)


def report(stop: Stop | None = None, name: str = "birds") -> dict[str, Any]:
    """A report of three steps."""
    results = {
        "base": (result("base", "train", 1, 0.80, 90), result("base", "train", 2, 0.82, 90)),
        "small": (result("small", "prune", 1, 0.78, 30), result("small", "prune", 2, 0.81, 30)),
        "small_int8": (
            result("small_int8", "quantize", 1, 0.79, 10),
            result("small_int8", "quantize", 2, 0.80, 10),
        ),
    }
    return make_report(
        Recipe.model_validate({**RECIPE, "name": name}),
        Outcome(results, stop),
        latencies={"base": Figure("ms", "lower", (3.0, 3.2, 2.9)), "small": Figure("ms", "lower", (1.0,))},
        models={"base": "models/birds_base"},
        facts={"pictures": PICTURES, "versions": {"torch": "2"}},
        machine={"cpu": "a <fast> one", "cores": 2, "versions": {}},
    )


def step(name: str) -> dict[str, Any]:
    """One step of the report."""
    found: dict[str, Any] = next(step for step in report()["steps"] if step["name"] == name)
    return found


@pytest.mark.parametrize("stop", [None, Stop("small", "base", 6.0, 5.0)])
def test_the_report_is_what_its_schema_says(stop: Stop | None) -> None:
    """Programs rely on docs/schemas/compress.schema.json, also after a stop."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    made = json.loads(json.dumps(report(stop), allow_nan=False))

    jsonschema.Draft202012Validator(schema).validate(made)
    assert made["finished"] == (stop is None)


def test_accuracy_is_the_mean_over_the_seeds_with_its_spread() -> None:
    """The standard deviation of a sample; what was lost is paired by seed."""
    small = step("small")

    assert small["accuracy"]["mean"] == pytest.approx(0.795)
    assert small["accuracy"]["spread"] == pytest.approx(0.0212132, abs=1e-6)
    assert small["lost_points"] == pytest.approx(1.5)
    assert small["lost_spread_points"] == pytest.approx(0.707107, abs=1e-6)
    assert (small["allowed_points"], step("small_int8")["allowed_points"]) == (5, 2)


def test_a_note_that_differs_between_seeds_names_its_seed() -> None:
    """What is the same for all is told once."""
    assert step("base")["notes"] == ["base is noted", "seed 1: 90 of 1", "seed 2: 90 of 2"]


def test_what_is_slower_is_not_infinitely_slow() -> None:
    """A scheme that runs on plain kernels takes dozens of times as long, and not `0.0 x`."""
    slow = {"latency_ms": {"value": 9.7}}
    assert [speed(made, step("base")) for made in (step("small"), slow)] == ["3.0 x", "0.31 x"]


def test_the_first_step_has_lost_nothing_against_nobody() -> None:
    """No loss is told where there is nothing to lose against."""
    base = step("base")

    assert (base["lost_points"], base["lost_spread_points"], base["allowed_points"]) == (None, None, None)
    assert row(base, base)[COLUMNS.index("lost, points")] == ""


def test_the_front_has_whom_no_other_beats() -> None:
    """Cheapest first, each further one more accurate; what was not measured is left out."""
    made = report()

    # small and small_int8 are equally good, and small_int8 is cheaper.
    assert made["front"]["bytes"] == ["small_int8", "base"]
    assert made["front"]["latency_ms"] == ["small", "base"]
    assert front([], "macs") == []


def test_a_row_is_readable() -> None:
    """Units stand at the figures, and large numbers are short."""
    accuracy, lost = "81.0 ± 1.4 %", ""
    sizes = ("900 ", "90 k", "3.6 kB", "2.7 kB", "not known")

    assert row(step("base"), step("base")) == (
        "base", "train", accuracy, lost, *sizes, "3 ms (2.9 to 3.2)", "1.0 x"
    )  # fmt: skip
    assert row(step("small"), step("base"))[-1] == "3.0 x"
    assert row(step("small_int8"), step("base"))[-2:] == ("not measured", "")


def test_the_page_holds_everything_and_loads_nothing() -> None:
    """One file that a browser shows offline; whatever comes from outside is text in it."""
    page = render_page(report(Stop("small", "base", 6.0, 5.0)), "<svg/>")

    assert "small lost 6.00 points of accuracy against base" in page
    assert "a &lt;fast&gt; one" in page
    assert "small_int8 is noted" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "script" not in page


def test_the_plot_is_drawn_as_png_and_svg(tmp_path: Path) -> None:
    """Every step that was measured is in the legend; drawn twice, it is the same."""
    pytest.importorskip(
        "matplotlib", reason="the extra compress is not installed: scripts/check-compress runs this"
    )
    from edgecam.compress.plot import draw

    svg = draw(report(), tmp_path / "report.png")

    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert svg == draw(report(), tmp_path / "again.png")
    assert (tmp_path / "report.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert all(f"<!-- {name} -->" in svg for name in ("base", "small", "small_int8", "latency, ms"))
