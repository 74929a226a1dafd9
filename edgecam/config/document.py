"""YAML text → a tree of plain data that knows where each key stands.

Scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema): only `true` and
`false` are booleans, `1e3` is a number, `12:30` and `on` are texts. Aliases are expanded. Duplicate keys,
tags, merge keys, and documents too deep or too large are refused, so that no input can crash or hang it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from edgecam.config.tree import Fault, Path, Place, Tree

_MAX_DEPTH = 32
# Far above any configuration (a camera has about 30 values), and read in a second.
_MAX_VALUES = 20_000

_INT = re.compile(r"[-+]?[0-9]+")
_INT_PREFIXED = re.compile(r"0o[0-7]{1,16}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
# Escapes such as "\0" and "\ud800" can bring in what no path, topic or terminal should see.
_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_REMEDIES = {
    "mapping values are not allowed": (
        'put a text that holds ": " or ends in ":" in quotes, and check the indentation'
    ),
    r"'\t'": "indent with spaces, not tabs",
    "expected <block end>": "check the indentation",
    "could not find expected ':'": "check the line above for a missing colon or quote",
    "undefined alias": 'put a text that begins with "*" in quotes',
}
_PLAIN = "plain"


def plain_scalar(text: str) -> bool | int | float | str | None:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        if _INT.fullmatch(text):
            return int(text)
        if _INT_PREFIXED.fullmatch(text):
            return int(text, 0)
    except ValueError:  # more digits than Python converts
        return text
    return float(text) if _FLOAT.fullmatch(text) else text


def read_yaml(text: str, *, name: str) -> Tree:
    """The tree of a whole file; what is wrong with its form is in `faults`, and the rest is still read."""
    value, tree = read_value(text, name=name)
    if value is not None and not isinstance(value, dict):
        text = 'expected a map of keys, such as "budget_ms: 200"'
        tree.faults.append(Fault(tree.places[()], (), text))
    tree.data = value if isinstance(value, dict) else {}
    return tree


def read_value(text: str, *, name: str) -> tuple[Any, Tree]:
    """One YAML value, and a tree with its places and faults but without data."""
    tree = Tree(places={(): Place(name, 1, 1)})
    reader = _Reader(tree, name=name)
    try:
        composer = _Composer(text)
    except ReaderError as error:
        tree.faults.append(Fault(_place_in(text, error.position, name=name), (), _character(error.character)))
        return None, tree
    try:
        node = composer.get_single_node()
        return (None if node is None else reader.value(node, path=())), tree
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark or composer.get_mark()
        tree.faults.append(Fault(_place_at(mark, name=name), (), _syntax(error)))
    except (ValueError, OverflowError):
        # PyYAML lets these out for an escape such as "\UFFFFFFFF" and for an impossible %-line.
        place = _place_at(composer.get_mark(), name=name)
        tree.faults.append(Fault(place, (), "not valid YAML: an escape or directive that means nothing"))
    return None, tree


class _Composer(Reader, Scanner, Parser, Composer, BaseResolver):
    """Text → nodes; tells unquoted scalars from quoted ones, and stops at documents too deep or large."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = self._count = 0

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        del value
        return _PLAIN if kind is yaml.ScalarNode and implicit[0] else ""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {_MAX_DEPTH} levels", problem_mark=self.get_mark()
            )
        if self._count > _MAX_VALUES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {_MAX_VALUES} values", problem_mark=self.get_mark()
            )
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Reader:
    """Nodes → plain data, noting places and faults."""

    def __init__(self, tree: Tree, *, name: str) -> None:
        self._tree = tree
        self._name = name
        self._open: list[yaml.Node] = []
        self._count = 0

    def value(self, node: yaml.Node, *, path: Path) -> Any:
        """The plain value of a node; None after a fault."""
        self._count += 1
        if self._count > _MAX_VALUES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {_MAX_VALUES} values when aliases are written out",
                problem_mark=node.start_mark,
            )
        if any(node is parent for parent in self._open):
            return self._fault(node, path, "this alias (*) holds itself; write the value out")
        if node.tag not in (_PLAIN, ""):
            return self._fault(node, path, "tags (!) are not accepted; for a text use quotes")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path=path)
        self._open.append(node)
        try:
            return (
                self._map(node, path=path) if isinstance(node, yaml.MappingNode) else self._list(node, path)
            )
        finally:
            self._open.pop()

    def _scalar(self, node: yaml.ScalarNode, *, path: Path) -> Any:
        text: str = node.value
        if unwanted := _UNWANTED.search(text):
            return self._fault(node, path, _character(ord(unwanted.group())))
        return plain_scalar(text) if node.tag == _PLAIN else text

    def _list(self, node: yaml.Node, path: Path) -> list[Any]:
        values = []
        for index, item in enumerate(node.value):
            self._tree.places[(*path, index)] = _place_at(item.start_mark, name=self._name)
            values.append(self.value(item, path=(*path, index)))
        return values

    def _map(self, node: yaml.MappingNode, *, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in (_PLAIN, ""):
                self._fault(key_node, path, "expected a plain text as key")
            elif _UNWANTED.search(key_node.value):
                self._scalar(key_node, path=path)
            elif key_node.value == "<<" and key_node.tag == _PLAIN:
                self._fault(key_node, path, "merge keys (<<) are not accepted; write the keys out")
            elif key_node.value in values:
                first = lines[key_node.value]
                text = f"this key stands here for the second time (first on line {first}); remove one"
                self._fault(key_node, (*path, key_node.value), text)
            else:
                below = (*path, key_node.value)
                lines[key_node.value] = key_node.start_mark.line + 1
                self._tree.places[below] = _place_at(key_node.start_mark, name=self._name)
                values[key_node.value] = self.value(value_node, path=below)
        return values

    def _fault(self, node: yaml.Node, path: Path, text: str) -> None:
        self._tree.faults.append(Fault(_place_at(node.start_mark, name=self._name), path, text))


def _place_at(mark: Any, *, name: str) -> Place:
    return Place(name, mark.line + 1, mark.column + 1)


def _place_in(text: str, index: int, *, name: str) -> Place:
    """The place of a character, for errors that carry no mark."""
    before = text[:index]
    return Place(name, before.count("\n") + 1, index - before.rfind("\n"))


def _character(code: Any) -> str:
    return f"the character U+{int(code):04X} is not accepted; remove it"


def _syntax(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "cannot be read"
    if problem.startswith("but "):
        problem = f"{error.context}, {problem}"
    remedies = [remedy for sign, remedy in _REMEDIES.items() if sign in problem]
    return "; ".join([f"not valid YAML: {problem}", *remedies[:1]])
