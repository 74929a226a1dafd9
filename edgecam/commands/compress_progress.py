"""How compression goes, for people: a bar on a terminal, a line now and then elsewhere; all on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from edgecam.compress.results import Result

_BETWEEN_LINES_S = 20.0
_BETWEEN_DRAWINGS_S = 0.1


@dataclass
class Teller:
    """Hears how a recipe goes, as `chain.Listener`, and tells it in lines."""

    bar: Progress | None = None
    _told_s: float = field(default=float("-inf"))
    _stage: str = ""

    def __post_init__(self) -> None:
        """The bar's one task."""
        self._task = None if self.bar is None else self.bar.add_task("", total=None)

    def progress(self, done: float, total: int, what: str) -> None:
        """Move the bar; without one, say it if nothing was said for a while."""
        if self.bar is not None and self._task is not None:
            stage = what.partition(", epoch")[0]
            drawn = stage != self._stage or time.monotonic() - self._told_s > _BETWEEN_DRAWINGS_S
            self._told_s, self._stage = (time.monotonic(), stage) if drawn else (self._told_s, self._stage)
            self.bar.update(self._task, completed=done, total=total, description=what, refresh=drawn)
        elif time.monotonic() - self._told_s > _BETWEEN_LINES_S:
            self.say(f"{100 * done / total:3.0f} %  {what}")

    def finished(self, result: Result, *, kept: bool) -> None:
        """Say what a job came to."""
        when = "from an earlier run" if kept else f"{result.took_s:.0f} s"
        accuracy = f"{100 * result.measured.accuracy:.1f} % of {result.measured.pictures} pictures"
        self.say(f"{result.step}, seed {result.seed}: {accuracy}, {when}")

    def say(self, text: str) -> None:
        """One line."""
        self._told_s = time.monotonic()
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)


@contextmanager
def teller() -> Iterator[Teller]:
    """One for as long as something goes on.

    The bar is drawn when something is told alone: a thread that redraws it would be measured with the rest.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Teller()
        return
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        yield Teller(bar)
