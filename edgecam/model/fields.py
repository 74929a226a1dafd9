"""A YAML mapping, read strictly: nothing unknown, nothing twice, every fault with its line and remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from edgecam.errors import ModelError
from edgecam.model.text_file import find_command, read_text_file

# The groups of ImageNet's classes have 11 kB.
_MOST_BYTES = 1_000_000
_Choice = TypeVar("_Choice", bound=StrEnum)


def read_fields(path: Path) -> Fields:
    """Open `path` (UTF-8) as one YAML mapping.

    Raises:
        ModelError: it cannot be read, is no YAML, or is no mapping.
    """
    try:
        text = read_text_file(path, most_bytes=_MOST_BYTES).decode("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ModelError(f"{path}{line}: is not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ModelError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error
    if node is None:
        raise ModelError(f"{path}: is empty; expected keys and values")
    return Fields(path, node)


class Fields:
    """One mapping of a YAML file; each value is taken by the type that it must have."""

    def __init__(self, path: Path, node: yaml.Node, *, prefix: str = "", line: int = 1) -> None:
        self._path = path
        self._prefix = prefix
        self._line = line
        if not isinstance(node, yaml.MappingNode):
            raise self._error(self._line, prefix.rstrip("."), "expected keys and values")
        self._nodes: dict[str, yaml.Node] = {}
        self._lines: dict[str, int] = {}
        for key_node, value in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in self._nodes:
                raise self._error(line, prefix + key, f"is given twice, first in line {self._lines[key]}")
            self._nodes[key], self._lines[key] = value, line

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __contains__(self, key: str) -> bool:
        return key in self._nodes

    def only(self, known: Iterable[str]) -> None:
        """Refuse a key that is not `known`, with the nearest known one.

        Raises:
            ModelError: an unknown key.
        """
        names = list(known)
        for key in self._nodes:
            if key not in names:
                near = difflib.get_close_matches(key, names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(names)}"
                raise self.error(key, f"is not known; {hint}")

    def error(self, key: str, text: str) -> ModelError:
        """A fault of `key`, with file, line and dotted path; the caller raises it."""
        return self._error(self._lines.get(key, self._line), self._prefix + key, text)

    def section(self, key: str) -> Fields:
        """The mapping under `key`, which must be there."""
        node = self._node(key)
        return Fields(self._path, node, prefix=f"{self._prefix}{key}.", line=self._lines[key])

    def text(self, key: str, default: str | None = None) -> str:
        """A string; `default` when the key is absent."""
        if default is not None and key not in self:
            return default
        value = self._value(key)
        if not isinstance(value, str) or not value.strip():
            raise self._expected(key, "text", value)
        if find_command(value) is not None:
            raise self._expected(key, "text without control characters", value)
        return value.strip()

    def integer(self, key: str, default: int | None = None, *, least: int = 0) -> int:
        """A whole number of at least `least`; `default` when the key is absent."""
        if default is not None and key not in self:
            return default
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._expected(key, f"a whole number of at least {least}", value)
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number; `default` when the key is absent."""
        if key not in self:
            return default
        value = self._value(key)
        if not _is_number(value):
            raise self._expected(key, "a number", value)
        return float(value)

    def numbers(self, key: str, *, lengths: tuple[int, ...]) -> tuple[float, ...]:
        """A list of finite numbers of a permitted length (a single number is a list of one)."""
        value = self._value(key)
        items = value if isinstance(value, list) else [value]
        if len(items) not in lengths or not all(_is_number(item) for item in items):
            raise self._expected(key, f"{' or '.join(map(str, lengths))} numbers", value)
        return tuple(float(item) for item in items)

    def integers(self, key: str, *, below: int | None = None) -> tuple[int, ...]:
        """A list of whole numbers, 0 <= n < `below`, at least one, none of them twice."""
        value = self._value(key)
        wanted = "a list of class indices" + (f", each from 0 to {below - 1}" if below is not None else "")
        if not isinstance(value, list) or not value:
            raise self._expected(key, wanted, value)
        for item in value:
            whole = isinstance(item, int) and not isinstance(item, bool)
            if not whole or item < 0 or (below is not None and item >= below):
                raise self._expected(key, wanted, item)
        if len(set(value)) != len(value):
            twice = next(item for item in value if value.count(item) > 1)
            raise self.error(key, f"has {twice} twice; remove one")
        return tuple(value)

    def choice(self, key: str, kind: type[_Choice], default: _Choice | None = None) -> _Choice:
        """A member of `kind`, by its value; `default` when the key is absent."""
        if default is not None and key not in self:
            return default
        value = self._value(key)
        try:
            return kind(value)
        except ValueError:
            raise self._expected(key, f"one of {', '.join(kind)}", value) from None

    def _node(self, key: str) -> yaml.Node:
        if key not in self._nodes:
            raise self._error(self._line, self._prefix + key, "is missing; add it")
        return self._nodes[key]

    def _value(self, key: str) -> Any:
        try:
            return yaml.SafeLoader("").construct_object(self._node(key), deep=True)
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            raise self.error(key, f"cannot be read: {' '.join(str(error).split())}") from error

    def _expected(self, key: str, wanted: str, found: object) -> ModelError:
        return self.error(key, f"expected {wanted}, found {found!r}")

    def _error(self, line: int, key: str, text: str) -> ModelError:
        return ModelError(": ".join(part for part in (f"{self._path}:{line}", key, text) if part))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
