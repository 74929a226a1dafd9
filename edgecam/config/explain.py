"""Pydantic's errors → faults in the user's words: `expected …, got …`, at the place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from edgecam.config.tree import Fault, Path, Tree, look_up
from edgecam.config.words import Schema, expected, keys_at, schema_at, shown

# Keys that a user may well write, and that must not stand in the file.
_REFUSED: Mapping[Path, str] = {
    ("mqtt", "password"): (
        "a password does not belong in this file; write it into a file of its own and name that in "
        "password_file, or use the systemd credential mqtt-password"
    ),
}


def faults_of(error: ValidationError, tree: Tree, *, root: Schema | None = None) -> list[Fault]:
    """One fault per wrong value, in the order of pydantic's errors.

    Args:
        error: what pydantic says.
        tree: what it looked at.
        root: the schema of the whole, made by `inlined`; None: the configuration's.
    """
    faults: dict[Path, Fault] = {}
    ruled: set[Path] = set()
    for detail in error.errors(include_url=False):
        if detail["type"] == "several":
            for path, text in detail["ctx"]["problems"]:
                faults[path, text] = Fault(tree.place_of(path), path, text)
            continue
        path = _path(detail, tree.data, root)
        # The branches of a union fail one by one: the first that broke a rule of ours speaks for all, else
        # the first.
        if path not in faults or (detail["type"] == "value_error" and path not in ruled):
            faults[path] = Fault(tree.place_of(path), path, _text(detail, path, root))
        if detail["type"] == "value_error":
            ruled.add(path)
    return list(faults.values())


def _path(detail: ErrorDetails, data: Any, root: Schema | None) -> Path:
    """Where in the data the error is: pydantic's location without the names of union branches."""
    path: Path = ()
    for part in detail["loc"]:
        try:
            look_up(data, (*path, part))
        except (KeyError, IndexError, TypeError):
            # A key that should be there, or one with a default that its neighbours do not allow. (A list that
            # is too short is wrong as a whole.)
            return (*path, part) if part in keys_at(path, root) else path
        path = (*path, part)
    return path


def _text(detail: ErrorDetails, path: Path, root: Schema | None) -> str:
    got = detail["input"]
    if detail["type"] == "extra_forbidden":
        return _unknown(path, root)
    if detail["type"] == "missing" and isinstance(got, dict):
        return f"this key is missing; expected {_expected(path, root)}"
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "string_too_long":
        return f"expected at most {detail['ctx']['max_length']} characters, got {len(got)}"
    if detail["type"] in ("too_short", "too_long") and not got:
        return f"expected at least one entry, got {shown(got)}"
    return f"expected {_expected(path, root)}, got {shown(got)}{_hint(got, path, root)}"


def _hint(got: Any, path: Path, root: Schema | None) -> str:
    """How to write what YAML takes for true or false, where a text may stand."""
    takes_text = isinstance(got, bool) and "a text" in expected(schema_at(path, root)).split(", or ")
    return f'; as a text it is written in quotes: "{shown(got)}"' if takes_text else ""


def _expected(path: Path, root: Schema | None) -> str:
    schema = schema_at(path, root)
    examples = schema.get("examples", [])
    text = expected(schema)
    return f"{text} such as {examples[0]}" if text == "a text" and examples else text


def _unknown(path: Path, root: Schema | None) -> str:
    if path in _REFUSED:
        return _REFUSED[path]
    known = keys_at(path[:-1], root)
    head, dot, rest = str(path[-1]).partition(".")
    if dot and head in known:
        nested = rest.replace(".", ": {") + ": …" + "}" * rest.count(".")
        return f"unknown key; in the file it is nested: {head}: {{{nested}}}"
    near = get_close_matches(str(path[-1]), known, n=1)
    if near:
        return f'unknown key; did you mean "{near[0]}"?'
    return f"unknown key; expected one of {', '.join(known)}"
