"""The page: everything inside, nothing from outside, and no text that becomes markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np

from edgecam.measure.figures import figures_json
from edgecam.measure.page import render_page
from edgecam.measure.plots import distribution, over_time, skips_over_time

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u2028"


class Reader(HTMLParser):
    """What a browser would find."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.data = ""
        self._in_data = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._in_data = tag == "script" and ("id", "data") in attrs

    def handle_data(self, data: str) -> None:
        """Remember what the page draws."""
        if self._in_data:
            self.data += data

    def handle_endtag(self, tag: str) -> None:
        """The data have ended."""
        self._in_data = self._in_data and tag != "script"


def made_page(name: str) -> str:
    """A page of one part of this name."""
    figures = figures_json({"age_p50_ms": [1.5, 2.5, 3.5]})
    report: dict[str, Any] = {
        "kind": "pipeline",
        "machine": {"cpu": name},
        "models": {name: {"sha256": "0"}},
        "settings": {"cameras": {name: {"fps": 30.0}}},
        "board": {"before": {"temperature_c": None}},
        "parts": [{"name": name, "facts": {name: 1}, "figures": figures}],
    }
    return render_page(report, [distribution(name, {name: [1_000_000, 3_000_000]})])


def test_the_page_holds_its_data_and_what_draws_them() -> None:
    """Opened years later on a machine without a network, it still shows everything."""
    reader = Reader(made_page("main"))
    data = json.loads(reader.data)
    assert data["report"]["parts"][0]["figures"]["age_p50_ms"]["value"] == 2.5
    assert data["plots"][0]["series"][0]["label"] == "main"
    assert "uPlot" in made_page("main")
    assert "Permission is hereby granted" in made_page("main")


def test_the_page_loads_nothing() -> None:
    """No element that fetches, no address but the one in uPlot's own comment, and a policy besides."""
    page = made_page("main")
    reader = Reader(page)
    assert not {"link", "img", "iframe", "object", "base"} & set(reader.tags)
    assert not {"src", "href"} & {name for name, _ in reader.attributes}
    assert any("default-src 'none'" in value for _, value in reader.attributes)
    assert set(re.findall(r"https?://[^\s\"')]+", page)) == {"https://github.com/leeoniya/uPlot"}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", page)


def test_no_name_of_a_configuration_becomes_markup() -> None:
    """A model's or camera's name is shown as it is, in tables, titles and data."""
    page = made_page(EVIL)
    reader = Reader(page)
    assert sorted(reader.tags) == sorted(Reader(made_page("main")).tags)
    assert json.loads(reader.data)["plots"][0]["title"] == EVIL
    assert "alert(1)</script>" not in page


def test_a_distribution_rises_from_nothing_to_all() -> None:
    """The share at or below each duration, on an axis that both series have."""
    plot = distribution("x", {"fast": np.arange(1, 101) * 10_000, "slow": [2_000_000] * 5, "none": []})
    assert [series["label"] for series in plot["series"]] == ["fast", "slow"]
    for series in plot["series"]:
        assert series["y"] == sorted(series["y"])
        assert len(series["y"]) == len(plot["x"])
    assert plot["series"][0]["y"][-1] == plot["series"][1]["y"][-1] == 100
    assert plot["series"][1]["y"][0] == 0


def test_of_too_many_points_the_highest_stay() -> None:
    """A page of a long run stays small, and no outlier vanishes from it."""
    values = np.full(50_000, 1_000_000)
    values[[7, 31_111]] = 77_000_000
    plot = over_time("x", "ms", {"a": (np.arange(50_000), values)}, start_ns=0)
    assert len(plot["x"]) <= 5_000
    assert plot["series"][0]["y"].count(77.0) == 2


def test_series_with_other_moments_share_an_axis() -> None:
    """Where one has no point it has none, and nothing is invented."""
    plot = over_time("x", "ms", {"a": ([10, 30], [1e6, 3e6]), "b": ([20], [2e6])}, start_ns=10)
    assert [series["y"] for series in plot["series"]] == [[1.0, None, 3.0], [None, 2.0, None]]


def test_skips_are_told_as_a_rate_for_the_whole_of_each_block() -> None:
    """Ten skips in each half of a block of one second are 20 a second; between blocks stands nothing."""
    spans = [(0, 1_000_000_000), (5_000_000_000, 6_000_000_000)]
    at_ns = [*range(0, 1_000_000_000, 50_000_000)]
    plot = skips_over_time({"main: stale": at_ns}, spans)
    assert plot["x"] == [0.0, 0.5, 1.0, 1.001, 5.0, 5.5, 6.0, 6.001]
    assert plot["series"][0]["y"] == [20.0, 20.0, 20.0, None, 0.0, 0.0, 0.0, None]
