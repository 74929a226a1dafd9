"""From what learning and counting tell of themselves to how much of a step is done."""

from __future__ import annotations

from collections.abc import Callable

from edgecam.compress.chain import Told
from edgecam.compress.training import Progress


def heard(told: Told) -> Callable[[Progress], None]:
    """Hears a network learn."""

    def hear(progress: Progress) -> None:
        words = progress.stage
        if progress.epoch:
            share = f"{100 * progress.accuracy:.0f} % of the training pictures right"
            words += f", epoch {progress.epoch} of {progress.epochs}, {share}"
        told(progress.done, words)

    return hear


def counted(told: Told, *, parts: int) -> Callable[[str, int, int], None]:
    """Hears what is done with how many pictures, and of how many, in so many parts, one after the other."""
    begun: list[str] = []

    def hear(what: str, done: int, count: int) -> None:
        if what not in begun:
            begun.append(what)
        told(min(1.0, (len(begun) - 1 + done / max(count, 1)) / parts), what)

    return hear
