"""YAML text → a tree that knows where each key stands."""

from __future__ import annotations

import math

import pytest

from edgecam.config.document import plain_scalar, read_yaml
from edgecam.config.tree import dotted


def faults(text: str) -> list[str]:
    """What is wrong with the form of a text, as it is shown."""
    return [str(fault.as_problem()) for fault in read_yaml(text, name="c.yaml").faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("none", "none"),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("010", 10),
        ("-3", -3),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("3.1.1", "3.1.1"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("-.inf", -math.inf),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_unquoted_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    """The traps of YAML 1.1 (on, 12:30, octal 010, 1_000) are no traps here."""
    read = plain_scalar(text)
    assert read == value
    assert type(read) is type(value)


def test_a_quoted_scalar_is_a_text() -> None:
    """Quotes keep a number or a boolean a text."""
    assert read_yaml("a: \"1\"\nb: 'true'\n", name="c.yaml").data == {"a": "1", "b": "true"}


def test_every_key_and_item_knows_its_place() -> None:
    """A message can point at the very key or list item that is wrong."""
    tree = read_yaml("a:\n  b: [1, 22]\n  c.d: x\n", name="c.yaml")
    assert {dotted(path): str(place) for path, place in tree.places.items() if path} == {
        "a": "c.yaml:1:1",
        "a.b": "c.yaml:2:3",
        "a.b.0": "c.yaml:2:7",
        "a.b.1": "c.yaml:2:10",
        'a."c.d"': "c.yaml:3:3",
    }


def test_an_alias_stands_for_a_copy_of_its_value() -> None:
    """Aliases work, and changing one copy later does not change the other."""
    data = read_yaml("a: &x {k: [1]}\nb: *x\n", name="c.yaml").data
    assert data == {"a": {"k": [1]}, "b": {"k": [1]}}
    assert data["a"] is not data["b"]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null\n"])
def test_a_file_without_keys_is_an_empty_map(text: str) -> None:
    """An empty file is a legal configuration."""
    tree = read_yaml(text, name="c.yaml")
    assert tree.data == {}
    assert tree.faults == []


def test_a_duplicate_key_is_refused_where_it_stands_the_second_time() -> None:
    """YAML parsers silently take the last one; we name the second and the line of the first."""
    assert faults("a:\n  b: 1\n  c: 2\n  b: 3\n") == [
        "c.yaml:4:3: a.b: this key stands here for the second time (first on line 2); remove one"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a:\n\tb: 1\n",
            "c.yaml:2:1: not valid YAML: found character '\\t' that cannot start any token; indent",
        ),
        (
            "s: pattern:\n",
            "c.yaml:1:11: not valid YAML: mapping values are not allowed here; put a text that",
        ),
        ("a: [1\n", "c.yaml:2:1: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2:1: not valid YAML: expected a single document"),
        ("a: *x\n", "c.yaml:1:4: not valid YAML: found undefined alias 'x'; put a text"),
        ("- a\n", "c.yaml:1:1: expected a map of keys"),
        ("text\n", "c.yaml:1:1: expected a map of keys"),
        ("a: !secret x\n", "c.yaml:1:4: a: tags (!) are not accepted"),
        ("a: !!str 5\n", "c.yaml:1:4: a: tags (!) are not accepted"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "c.yaml:3:3: c: merge keys (<<) are not accepted"),
        ("? [a]\n: 1\n", "c.yaml:1:3: expected a plain text as key"),
        ('a: "x\\0y"\n', "c.yaml:1:4: a: the character U+0000 is not accepted"),
        ('a: "\\ud800"\n', "c.yaml:1:4: a: the character U+D800 is not accepted"),
        ('"a\\e": 1\n', "c.yaml:1:1: the character U+001B is not accepted"),
        ("a: 1\nb: \0\n", "c.yaml:2:4: the character U+0000 is not accepted"),
        ('a: "\\UFFFFFFFF"\n', "c.yaml:1:7: not valid YAML: an escape or directive that means nothing"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    """Each fault of form has one readable line."""
    found = faults(text)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_an_alias_that_holds_itself_is_refused() -> None:
    """It has no end when written out."""
    assert faults("a: &x [1, *x]\n") == ["c.yaml:1:4: a.1: this alias (*) holds itself; write the value out"]


def test_a_billion_laughs_are_refused() -> None:
    """Aliases of aliases grow beyond any memory; the count of values ends it."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    (fault,) = faults("\n".join(lines))
    assert fault.endswith("more than 20000 values when aliases are written out")


@pytest.mark.parametrize(
    "text", ["a: " + "[" * 5000, "a: " + "{a: " * 5000, "\n".join(" " * i + "a:" for i in range(2000))]
)
def test_deep_nesting_is_refused_before_it_exhausts_the_stack(text: str) -> None:
    """No input ends in a RecursionError."""
    (fault,) = faults(text)
    assert fault.endswith("not valid YAML: nested deeper than 32 levels")


def test_too_many_values_are_refused() -> None:
    """A file of the wrong kind is not read to its end."""
    (fault,) = faults("a: [" + "1," * 30_000 + "]")
    assert fault.endswith("not valid YAML: more than 20000 values")
