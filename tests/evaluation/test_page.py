"""The page of an evaluation: everything inside, nothing from outside, and no name that becomes markup."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hypothesis import given
from made_scores import drawn, made

from edgecam.evaluation.page import render_page
from edgecam.evaluation.page_plots import confused_classes, heat_map
from edgecam.evaluation.pictures import PictureSet, read_picture_set
from edgecam.evaluation.report import Evaluated, evaluation_report
from edgecam.evaluation.scores import Scores, Unreadable
from edgecam.evaluation.thumbnails import WorstError, worst_pictures
from edgecam.model.card import Card, InputCard, OutputCard, OutputKind
from edgecam.model.model import Model

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\"'\u2028"
JPEG = b"\xff\xd8 a picture"


class Reader(HTMLParser):
    """What a browser would find."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Remember what is read."""
        self.text += data


def report_of(*scores: Scores, name: str = "made") -> dict[str, Any]:
    """As `edgecam eval --json` has it, of models with these scores."""
    evaluated = [Evaluated(model_of(one, name), PictureSet(Path(), one.labels, ()), one) for one in scores]
    return evaluation_report(name, evaluated, precision=0.9)


def model_of(scores: Scores, name: str) -> Model:
    """A model with these labels, and a group of its first two."""
    card = Card(
        name=name,
        description="",
        file="made.tflite",
        sha256="0" * 64,
        input=InputCard(width_px=4, height_px=4, mean=(0.0,), std=(1.0,)),
        output=OutputCard(kind=OutputKind.PROBABILITIES),
        licence="CC0-1.0",
        source="made",
        parameters=None,
        macs=None,
        self_test=None,
    )
    return Model(name, Path(name), "0" * 64, card, scores.labels, {f"some {name}": (0, 1)})


def made_page(name: str, models: int = 1) -> str:
    """A page on which everything that others chose is called so."""
    scores = made([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [0, 1, 1], [name, "dog"])
    scores = replace(scores, unreadable=(Unreadable(name, name),))
    errors = [
        WorstError(name, shown="dog", said=name, probability=0.8, of_truth=0.2, jpeg=JPEG),
        WorstError(name, shown="dog", said=name, probability=0.8, of_truth=0.2, jpeg=None),
    ]
    return render_page(report_of(*[scores] * models, name=name), [errors] * models)


def test_the_page_holds_what_was_found() -> None:
    """Summary, classes, thresholds, both plots, and the errors' pictures, of one model and of two."""
    page = made_page("cat")
    reader = Reader(page)
    for text in (
        "66.7% (20.8% to ",
        "calibration error (ECE)",
        "some cat (group)",
        "could not be read",
    ):
        assert text in reader.text
    assert reader.tags.count("svg") == 2
    assert f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}" in page
    both = Reader(made_page("cat", models=2))
    assert both.tags.count("svg") == 4
    assert "cat less cat: +0.0 points top-1" in both.text


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    """No element that fetches, no address, no script, and a policy besides."""
    page = made_page("cat", models=2)
    reader = Reader(page)
    assert not {"link", "iframe", "object", "base", "script"} & set(reader.tags)
    assert all(
        value.startswith("data:image/jpeg;base64,") for name, value in reader.attributes if name == "src"
    )
    assert "href" not in {name for name, _ in reader.attributes}
    policy = next(value for name, value in reader.attributes if "default-src" in value)
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert not re.search(r"https?:|@import|url\(", page)


def test_no_name_becomes_markup() -> None:
    """Names of files, labels, models and groups are shown as they are, in texts and attributes."""
    for models in (1, 2):
        page = made_page(EVIL, models)
        reader, plain = Reader(page), Reader(made_page("cat", models))
        assert sorted(reader.tags) == sorted(plain.tags)
        assert sorted(name for name, _ in reader.attributes) == sorted(name for name, _ in plain.attributes)
        assert EVIL in reader.text
        assert ("alt", EVIL) in reader.attributes


def test_a_model_without_mistakes_is_told_so() -> None:
    """Nothing to show is no empty heading."""
    page = render_page(report_of(made([[0.9, 0.1], [0.1, 0.9]], [0, 1])), [[]])
    assert "made made no mistake" in page


def test_two_classes_of_one_label_keep_their_figures() -> None:
    """ImageNet has two cranes: one that flies and one that lifts."""
    scores = made([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.6, 0.4, 0.0]], [0, 1, 1], ["crane", "crane", "cat"])
    page = render_page(report_of(scores), [[]])
    assert "<td>crane</td><td>1</td><td>100.0% (1/1)</td>" in page
    assert "<td>crane</td><td>2</td><td>50.0% (1/2)</td>" in page


def test_of_many_classes_those_with_most_mistakes_are_drawn() -> None:
    """A heat map of a thousand classes would show nothing."""
    rows = np.full((90, 40), 0.01)
    said: Sequence[int] = [*range(40), *[3] * 50]
    truth = [*range(40), *[7] * 30, *[9] * 20]
    rows[np.arange(90), said] = 0.9
    report = report_of(made(rows.tolist(), truth))["models"]
    labels = confused_classes(report, 3)
    assert labels == ["class 3", "class 7", "class 9"]
    drawn_map = heat_map(report[0], labels)
    assert "class 7 taken for class 3: 30 of 31" in drawn_map
    assert drawn_map.count("taken for class") == 2
    assert len(confused_classes(report, 100)) == 40


@given(drawn())
def test_whatever_was_found_makes_a_page(scores: Scores) -> None:
    """Also one class never shown, nothing right, or a single picture; and two models beside each other."""
    page = render_page(report_of(scores, scores), [[], []])
    reader = Reader(page)
    assert reader.tags.count("svg") == 4
    assert "nan" not in reader.text.lower().split()


def test_the_worst_errors_come_with_small_pictures(tmp_path: Path) -> None:
    """The surest first, each a JPEG of 176 pixels at most; one that is gone by then is left without."""
    folder = tmp_path / "dog"
    folder.mkdir()
    for number, size in enumerate([(300, 600), (40, 20), (50, 50)]):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((*size, 3), 99, np.uint8))
    pictures = read_picture_set(tmp_path, labels=["cat", "dog"])
    names = tuple(pictures.name_of(picture) for picture in pictures.pictures)
    scores = replace(made([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]], [1, 1, 1], ["cat", "dog"]), names=names)
    first, second = worst_pictures(scores, pictures)
    assert (first.name, first.shown, first.said) == ("dog/1.png", "dog", "cat")
    assert (round(first.probability, 4), round(first.of_truth, 4)) == (0.9, 0.1)
    assert first.jpeg is not None
    assert second.jpeg is not None
    shapes = [
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in (first.jpeg, second.jpeg)
    ]
    assert [picture is not None and picture.shape for picture in shapes] == [(40, 20, 3), (88, 176, 3)]
    (folder / "1.png").unlink()
    assert worst_pictures(scores, pictures)[0].jpeg is None
