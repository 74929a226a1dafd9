"""Which class somebody means by a name or a number."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class Naming:
    """Finds the class that a folder or a line of a CSV names.

    Args:
        labels: one per class.
        offset: a number counts the lines of labels.txt from 0; so many classes come before them.
    """

    def __init__(self, labels: Sequence[str], *, offset: int = 0) -> None:
        self._labels = tuple(labels)
        self._offset = offset
        self._indices: dict[str, list[int]] = {}
        for index, label in enumerate(labels):
            self._indices.setdefault(label, []).append(index)

    def index_of(self, text: str) -> int:
        """The class of a label's name, exactly as the model writes it, or else of a number.

        Raises:
            ValueError: no class is meant, or two are; with what to write instead.
        """
        found = self._indices.get(text, [])
        if len(found) == 1:
            return found[0]
        if found:
            numbers = " or ".join(str(index - self._offset) for index in found)
            raise ValueError(f'two classes are called "{text}"; write the number of the one: {numbers}')
        lines = len(self._labels) - self._offset
        if text.isascii() and text.isdigit():
            if int(text) < lines:
                return int(text) + self._offset
            raise ValueError(f"{text} is no class: the {lines} are numbered 0 to {lines - 1}")
        raise ValueError(f'"{text}" is no label of the model{self._hint(text)}')

    def _hint(self, text: str) -> str:
        by_folded = {_folded(label): label for label in self._labels}
        near = difflib.get_close_matches(_folded(text), by_folded, n=1)
        return f'; did you mean "{by_folded[near[0]]}"?' if near else ""


def labels_among(names: Iterable[str]) -> tuple[str, ...]:
    """The distinct names in order: by number if all are numbers, else by the alphabet."""
    distinct = set(names)
    if all(name.isascii() and name.isdigit() for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def _folded(text: str) -> str:
    return text.casefold().replace("_", " ").replace("-", " ")
