"""The layers above the file: `EDGECAM_…` variables and `--set`.

A value is read as an unquoted YAML scalar (`10`, `true`, `null`, `rtsp://host/a`); one that begins with a
bracket, a brace or a quote is read as YAML (`[640, 480]`, `{cat: {enter: 0.7}}`, `"5"`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgecam.config.document import plain_scalar, read_value
from edgecam.config.schema import Block, Config
from edgecam.config.tree import Fault, Place, Tree
from edgecam.errors import UsageError

PREFIX = "EDGECAM_"
CONFIG_VARIABLE = "EDGECAM_CONFIG"
_SEPARATOR = "__"


def apply_environment(tree: Tree, environ: Mapping[str, str]) -> None:
    """Set what the environment says: `EDGECAM_MQTT__URL` is `mqtt.url`, in upper or lower case.

    A variable without `__` counts if it names a single value at the top (`EDGECAM_BUDGET_MS`); any other is
    not ours. One with `__` always counts, so that a misspelt one is found.
    """
    for name in sorted(environ):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper == CONFIG_VARIABLE:
            continue
        key = upper.removeprefix(PREFIX).lower()
        if _SEPARATOR in key or key in _top_values():
            _put(tree, tuple(key.split(_SEPARATOR)), environ[name], place=Place(name))


def apply_sets(tree: Tree, sets: Sequence[str]) -> None:
    """Set what the flags say, each `key=value`, such as `cameras.main.fps=10`.

    Raises:
        UsageError: one of them is not of that form.
    """
    for text in sets:
        key, equals, value = text.partition("=")
        path = tuple(key.strip().split("."))
        if not equals or not all(path):
            raise UsageError(f'--set: expected key=value, such as cameras.main.fps=10, got "{key}{equals}"')
        _put(tree, path, value, place=Place("--set"))


def _top_values() -> set[str]:
    """The keys at the top that hold one value: neither a block nor a map."""
    defaults = Config()
    return {key for key in Config.model_fields if not isinstance(getattr(defaults, key), Block | dict)}


def _put(tree: Tree, path: tuple[str, ...], text: str, *, place: Place) -> None:
    value, faults = _read(text.strip(), place=place)
    if faults:
        tree.faults += [Fault(place, path + fault.path, fault.text) for fault in faults]
    else:
        tree.put(path, value, place)


def _read(text: str, *, place: Place) -> tuple[Any, list[Fault]]:
    if text.startswith(("[", "{", '"', "'")):
        value, read = read_value(text, name=place.name)
        return value, read.faults
    if not text.isprintable():
        return None, [Fault(place, (), "expected printable characters")]
    return plain_scalar(text), []
