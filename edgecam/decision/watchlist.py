"""Which labels and groups a camera reports, and their scores from a prediction."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# So many names fit into a line.
_FEW = 10


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a label counts as seen."""

    enter: float = 0.6
    exit: float = 0.4
    hold_ns: int = 2_000_000_000
    """Once entered, it stays at least this long."""


class UnknownNameError(ValueError):
    """Watched or ignored names are neither labels nor groups of the model."""

    def __init__(self, names: Sequence[str], known: Collection[str]) -> None:
        """Args: all such names, and those that there are."""
        super().__init__("; ".join(unknown(name, known) for name in names))
        self.names = tuple(dict.fromkeys(names))
        self.known = known


def unknown(name: str, known: Collection[str], *, kind: str = "label or group", listed: str = "") -> str:
    """The fault of a name that the model lacks, with those that look like it, else all if they are few.

    Args:
        name: as written.
        known: the names that there are.
        kind: of name.
        listed: where they can be read; "": nowhere.
    """
    by_lower = {k.lower(): k for k in known}
    close = [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    remedy = ""
    if close:
        remedy = f"; did you mean {_quoted(close, ' or ')}?"
    elif len(known) <= _FEW:
        remedy = f"; it has {_quoted(known, ', ')}"
    elif listed:
        remedy = f"; what it has is in {listed}"
    return f'the model has no {kind} "{name}"{remedy}'


def _quoted(names: Collection[str], separator: str) -> str:
    return separator.join(f'"{name}"' for name in names)


class Watchlist:
    """The names a camera reports, each a label or a group whose members' probabilities are summed.

    A group of the same name as a label wins, since it holds that label and its kin.
    """

    def __init__(
        self,
        labels: Sequence[str],
        groups: Mapping[str, Sequence[int]],
        *,
        watch: Mapping[str, Threshold] | None = None,
        ignore: Collection[str] = (),
        otherwise: Threshold | None = None,
    ) -> None:
        """Resolve every name.

        Args:
            labels: One per output class.
            groups: Group name to output indices.
            watch: Name to thresholds; None or empty: every label.
            ignore: Names that are never reported.
            otherwise: Thresholds of labels that are not named.

        Raises:
            UnknownNameError: Names are neither labels nor groups; all of them at once.
        """
        members: dict[str, list[int]] = {}
        for index, label in enumerate(labels):
            members.setdefault(label, []).append(index)
        known = {**members, **{name: list(indices) for name, indices in groups.items()}}
        unknown = [name for name in (*(watch or ()), *ignore) if name not in known]
        if unknown:
            raise UnknownNameError(unknown, known)
        default = otherwise or Threshold()
        wanted = watch or dict.fromkeys(members, default)
        ignored = set(ignore)
        if not watch:
            # Whoever ignores a group means its labels.
            hidden = {index for name in ignore for index in known[name]}
            ignored |= {name for name, indices in members.items() if hidden.issuperset(indices)}
        names = [name for name in wanted if name not in ignored]
        self.names = tuple(names)
        self.thresholds = tuple(wanted[name] for name in names)
        self.enter = np.array([t.enter for t in self.thresholds], np.float32)
        chosen = [known[name] if watch else members[name] for name in names]
        self._indices = np.array([i for indices in chosen for i in indices], np.intp)
        # Every label by itself, as nothing is watched in particular.
        self._is_all = np.array_equal(self._indices, np.arange(len(labels))) and len(names) == len(labels)
        self._starts = np.cumsum([0, *(len(indices) for indices in chosen[:-1])], dtype=np.intp)

    def scores(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """(classes,) probabilities to (names,) scores, each 0..1."""
        if not self.names:
            return np.zeros(0, np.float32)
        if self._is_all:
            return probabilities
        sums = np.add.reduceat(probabilities[self._indices], self._starts)
        return np.asarray(np.clip(sums, 0, 1), np.float32)
