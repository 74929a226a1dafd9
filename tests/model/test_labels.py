"""Labels and groups: one label per output, groups by output index."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.errors import ModelError
from edgecam.model.groups import read_groups
from edgecam.model.labels import fit_labels, parse_labels, read_labels

HERE = Path("labels.txt")


def test_labels_are_lines_of_utf8(tmp_path: Path) -> None:
    """Blank space round a label and blank lines at the end do not count; a byte order mark neither."""
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufefftench\r\n  größte Katze \ncup\n\n\n".encode())
    assert read_labels(path) == ("tench", "größte Katze", "cup")


def test_only_a_newline_ends_a_label() -> None:
    """A line separator inside a label must not shift every label after it."""
    assert parse_labels("a\u2028b\nc\x0bd\n".encode(), name="x") == ("a\u2028b", "c\x0bd")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "x: is empty; expected one label a line"),
        (b"\n \n", "x: is empty; expected one label a line"),
        (b"cat\n\ndog\n", "x:2: is empty; every output needs a label"),
        (b"cat\nd\xf6g\n", "x:2: is not UTF-8 text"),
    ],
)
def test_a_faulty_labels_file_is_refused_by_line(content: bytes, said: str) -> None:
    """A shifted or unreadable list would put wrong names to pictures."""
    with pytest.raises(ModelError) as caught:
        parse_labels(content, name="x")
    assert str(caught.value).startswith(said)


def test_a_missing_labels_file_is_named(tmp_path: Path) -> None:
    """The path is what a user needs to know."""
    with pytest.raises(ModelError, match=r"nowhere.txt: no such labels file"):
        read_labels(tmp_path / "nowhere.txt")


def test_a_background_offset_puts_background_first() -> None:
    """1001 outputs with 1000 labels fit only when the card says so."""
    assert fit_labels(("a", "b"), 3, offset=1, path=HERE) == ("background", "a", "b")
    assert fit_labels(("a", "b"), 2, offset=0, path=HERE) == ("a", "b")


@pytest.mark.parametrize(
    ("labels", "classes", "offset", "said"),
    [
        (("a", "b"), 3, 0, "set `output.background_offset: 1` in the card"),
        (("a", "b"), 3, 0, "put a first line `background`"),
        (("background", "a", "b"), 2, 0, "remove line 1, 'background'"),
        (("a", "b", "c"), 2, 0, "remove line 3 ('c')"),
        (("a", "b", "c", "d"), 2, 0, "remove line 3 ('c') and what follows"),
        (("a", "b", "c"), 3, 1, "remove output.background_offset"),
        (("a",), 5, 0, "4 are missing"),
        (("a",), 5, 1, "3 are missing"),
    ],
)
def test_a_wrong_number_of_labels_says_what_to_change(
    labels: tuple[str, ...], classes: int, offset: int, said: str
) -> None:
    """Each way of miscounting has its own remedy, and both counts are told."""
    with pytest.raises(ModelError) as caught:
        fit_labels(labels, classes, offset=offset, path=HERE)
    assert f"has {len(labels)} labels, but the model has {classes} outputs" in str(caught.value)
    assert said in str(caught.value)


def _groups(folder: Path, text: str) -> Path:
    path = folder / "groups.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_groups_are_output_indices_with_the_offset_applied(tmp_path: Path) -> None:
    """One groups.yaml serves a network with a background class and one without."""
    path = _groups(tmp_path, "cat: {about: House cats, classes: [2, 0]}\n'no': {classes: [1]}\n")
    assert read_groups(path, classes=3, offset=0) == {"cat": (2, 0), "no": (1,)}
    assert read_groups(path, classes=4, offset=1) == {"cat": (3, 1), "no": (2,)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "cat: {classes: [3]}",
            ":1: cat.classes: expected a list of class indices, each from 0 to 2, found 3",
        ),
        ("cat: {classes: []}", ":1: cat.classes: expected a list"),
        ("cat: {classes: [1, 1]}", ":1: cat.classes: has 1 twice; remove one"),
        ("dog: {classes: [0]}\ncat: {clases: [1]}", ":2: cat.clases: is not known; did you mean 'classes'?"),
        ("cat: [1]", ":1: cat: expected keys and values"),
        ("cat: {about: Cats}", ":1: cat.classes: is missing"),
    ],
)
def test_a_faulty_group_is_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    """An index without a label would silently never be seen."""
    path = _groups(tmp_path, text)
    with pytest.raises(ModelError) as caught:
        read_groups(path, classes=3, offset=0)
    assert str(caught.value).startswith(f"{path}{said}")
