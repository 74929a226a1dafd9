"""Which class somebody means who calls a picture by a label, a group or a number."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import permutations

OTHER = "other"
"""Called so is a picture that shows none of the groups and labels that are told apart."""
# No model has so many classes, and Python converts no more than some thousand digits.
_MOST_DIGITS = 9


class UnknownName(ValueError):
    """No class is called so; a name that it looks like is sought when it is told, since that takes long."""

    def __init__(self, text: str, known: Iterable[str]) -> None:
        """Args: the name; all that there are."""
        super().__init__(text)
        self._text = text
        self._known = known

    def __str__(self) -> str:
        """With a name that it looks like, if there is one."""
        by_folded = {_folded(name): name for name in self._known}
        near = difflib.get_close_matches(_folded(self._text), by_folded, n=1)
        hint = f'; did you mean "{by_folded[near[0]]}"?' if near else ""
        return f'the model has no label or group "{self._text}"{hint}'


class Naming:
    """What a set of pictures is told apart by, and the class of each name.

    Mostly that is the model's labels. Once a name is that of a group, or is `other`, and no label is called
    so, it is the names that occur, each with the probability of all its members, and `other` with the rest.

    Args:
        labels: one per class of the model.
        groups: of the model: a name to classes.
        used: the names that occur.
        offset: a number counts the lines of labels.txt from 0; so many classes come before them.

    Raises:
        ValueError: one of the names is a part of another.
    """

    def __init__(
        self,
        labels: Sequence[str],
        groups: Mapping[str, Sequence[int]],
        *,
        used: Collection[str],
        offset: int = 0,
    ) -> None:
        self.labels = tuple(labels)
        """What is told apart."""
        self.members: tuple[tuple[int, ...], ...] | None = None
        """The model's classes in each of these; None: they are its labels."""
        self._numbered = tuple(labels)[offset:]
        self._offset = offset
        self._classes: dict[str, tuple[int, ...]] = {}
        for index, label in enumerate(labels):
            self._classes[label] = (*self._classes.get(label, ()), index)
        by_group = {name: tuple(classes) for name, classes in groups.items()}
        self._known = {**self._classes, OTHER: (), **by_group}
        if any(name in self._known and name not in self._classes for name in used):
            named = {self._name(text) for text in used} & self._known.keys() - {OTHER}
            self.labels = (*sorted(named), OTHER)
            self.members = tuple(self._known[name] for name in self.labels)
            self._refuse_nested(self.members)

    def index_of(self, text: str) -> int:
        """The class of a name, exactly as the model writes it, or else of a number.

        Returns:
            Index into `labels`.

        Raises:
            ValueError: no class is meant, or two are; with what to write instead.
        """
        if self.members is not None and self._name(text) in self._known:
            return self.labels.index(self._name(text))
        found = self._classes.get(text, ())
        if len(found) == 1:
            return found[0]
        if found:
            numbers = " or ".join(str(index - self._offset) for index in found)
            raise ValueError(f'two classes are called "{text}"; write the number of the one: {numbers}')
        if not _is_number(text):
            raise UnknownName(text, self._known)
        if int(text) >= len(self._numbered):
            count = len(self._numbered)
            raise ValueError(f"there is no class {text}: the model's {count} are numbered 0 to {count - 1}")
        return int(text) + self._offset

    def _name(self, text: str) -> str:
        """The label of a number; anything else as it is."""
        if text in self._known or not _is_number(text) or int(text) >= len(self._numbered):
            return text
        return self._numbered[int(text)]

    def _refuse_nested(self, members: Sequence[Sequence[int]]) -> None:
        named = [(name, set(classes)) for name, classes in zip(self.labels, members, strict=True) if classes]
        for (name, classes), (other, others) in permutations(named, 2):
            if classes <= others:
                raise ValueError(
                    f'"{name}" is a part of "{other}", so that they cannot be told apart; take the pictures '
                    "of one of them out"
                )


def labels_among(names: Iterable[str]) -> tuple[str, ...]:
    """The distinct names in order: by number if all are numbers, else by the alphabet."""
    distinct = set(names)
    if all(map(_is_number, distinct)):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _folded(text: str) -> str:
    return text.casefold().replace("_", " ").replace("-", " ")
