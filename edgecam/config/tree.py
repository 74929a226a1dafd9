"""The configuration before its validation: plain data, and where each part of it was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgecam.errors import Problem

Path = tuple[str | int, ...]
"""The keys, and positions in lists, that lead to a value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: in a file, an environment variable or a flag."""

    name: str
    """The file as the user named it, `--set`, `EDGECAM_MQTT__URL`, or `default`."""
    line: int | None = None
    """From 1; None outside files."""
    column: int | None = None
    """From 1; None outside files."""

    @property
    def origin(self) -> str:
        """`config.yaml:12`, or the name alone."""
        return self.name if self.line is None else f"{self.name}:{self.line}"

    def __str__(self) -> str:
        return self.origin if self.column is None else f"{self.origin}:{self.column}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem that still knows its place."""

    place: Place
    path: Path
    text: str

    def as_problem(self) -> Problem:
        """The same in words."""
        return Problem(where=str(self.place), path=dotted(self.path), text=self.text)


@dataclass(slots=True)
class Tree:
    """Plain data, grown layer by layer; a later layer replaces what an earlier one said."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    """The place of each key and list item in `data`."""
    faults: list[Fault] = field(default_factory=list)

    def place_of(self, path: Path) -> Place:
        """Where the value was written, or the nearest part of the tree that holds it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place("default")

    def put(self, path: tuple[str, ...], value: Any, place: Place) -> None:
        """Set one value; maps on the way are made, anything else on the way is a fault."""
        parent = self.data
        for depth, key in enumerate(path[:-1], start=1):
            if parent.get(key) is None:
                parent[key] = {}
                self.places[path[:depth]] = place
            if not isinstance(parent[key], dict):
                text = f"there is no {path[depth]!r} in it: it is no map; set the whole of it"
                self.faults.append(Fault(place, path[:depth], text))
                return
            parent = parent[key]
        parent[path[-1]] = value
        for below in [known for known in self.places if known[: len(path)] == path]:
            del self.places[below]
        self._mark(path, value, place)

    def _mark(self, path: Path, value: Any, place: Place) -> None:
        self.places[path] = place
        for key, part in _parts(value):
            self._mark((*path, key), part, place)


def _parts(value: Any) -> list[tuple[str | int, Any]]:
    """What a map or list holds, by key or position."""
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def look_up(data: Any, path: Path) -> Any:
    """The value at a path; KeyError, IndexError or TypeError where there is none."""
    for part in path:
        data = data[part]
    return data


def dotted(path: Path) -> str:
    """`cameras.main.fps`; a key that holds a dot or nothing is quoted."""
    return ".".join(f'"{part}"' if part == "" or "." in str(part) else str(part) for part in path)
