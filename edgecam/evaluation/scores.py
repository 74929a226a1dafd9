"""What a model said of labelled pictures. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that could not be scored."""

    name: str
    """As in `Scores.names`, where it is missing."""
    fault: str
    """Why, and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a model said of every picture that could be read, in the order of the set."""

    labels: tuple[str, ...]
    """One per class: those of the picture set."""
    names: tuple[str, ...]
    """One per picture: `PictureSet.name_of`."""
    truth: NDArray[np.int64]
    """(pictures,): the class that each shows."""
    probabilities: NDArray[np.float32]
    """(pictures, classes), each 0..1: what the live path gives, sums of members where classes are groups."""
    engine: str = ""
    """What ran it: `litert/cpu`, …; on a cluster, several may have."""
    unreadable: tuple[Unreadable, ...] = ()
    """Pictures that are not among `names`."""
