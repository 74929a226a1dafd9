"""One node of an `.onnx` file as the rules of shapes see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgecam.model.onnx_tensors import Values

Shape = tuple[int, ...]


class Unknown(Exception):
    """A shape cannot be told: no failure, the file leaves it open."""


@dataclass(frozen=True, slots=True)
class Call:
    """One node, with what is known of its inputs."""

    operator: str
    shapes: Sequence[Shape | None]
    values: Sequence[Values | None]
    """Of its inputs that are short constants."""
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Its attributes of one integer or several."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Its attributes of text."""
    absent: frozenset[int] = frozenset()
    """Inputs that are left out though later ones are there."""
    outputs: int = 1

    def shape(self, place: int = 0) -> Shape:
        """Of an input."""
        found = self.shapes[place] if place < len(self.shapes) else None
        if found is None:
            raise Unknown
        return found

    def listed(self, name: str, place: int) -> tuple[int, ...] | None:
        """What older files have as an attribute and newer ones as an input; None: it is left out."""
        if name in self.numbers:
            return self.numbers[name]
        if place >= len(self.shapes) or place in self.absent:
            return None
        return self.integers(place)

    def integers(self, place: int) -> tuple[int, ...]:
        """The values of an input."""
        return tuple(int(value) for value in self.value(place).flat)

    def value(self, place: int) -> Values:
        """The values of an input in its shape."""
        found = self.values[place] if place < len(self.values) else None
        if found is None:
            raise Unknown
        return found

    def number(self, name: str, default: int) -> int:
        """An attribute of one integer."""
        return self.numbers.get(name, (default,))[0]
