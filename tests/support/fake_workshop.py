"""A workshop that trains nothing: what it gives depends on its input alone, and a log says what it did.

As a program it runs a recipe's chain, and may hang in one job: `fake_workshop.py RECIPE WORK LOG STEP SEED`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgecam.compress.chain import Job, Outcome, Told, run_chain
from edgecam.compress.recipe_file import load_recipe
from edgecam.compress.results import Measured, Result, folder_digest

FACTS = {"pictures": "abc", "versions": {"torch": "2"}}


@dataclass
class FakeWorkshop:
    """Gives each step the accuracy that it is told, and notes what it does."""

    log: Path
    accuracies: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """By step and seed; else 0.8."""
    hangs_at: tuple[str, int] | None = None

    def make(self, job: Job, folder: Path, told: Told) -> tuple[str, ...]:
        """A file that depends on all that a real network would."""
        said = [job.step.settings.model_dump_json(), str(job.seed)]
        said += [folder_digest(place) for place in (job.source, job.teacher) if place is not None]
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{job.name} {job.seed}\n")
        (folder / "model.txt").write_text("\n".join([job.name, *said]), encoding="utf-8")
        told(0.5, "half")
        if self.hangs_at == (job.name, job.seed):
            time.sleep(600)
        return (f"made of {len(said)} words",)

    def measure(self, folder: Path, told: Told) -> Measured:
        """As it was told."""
        told(0.9, "measuring")
        name = (folder / "model.txt").read_text(encoding="utf-8").split("\n")
        accuracy = self.accuracies.get((name[0], int(name[2])), 0.8)
        return Measured(accuracy, 100, 1000, 20_000, 4000, 3000, 500)


@dataclass
class Ears:
    """Hears how a chain goes."""

    kept: list[tuple[str, int]] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def progress(self, done: float, total: int, what: str) -> None:
        """As `Listener`."""
        assert what
        self.shares.append(done / total)

    def finished(self, result: Result, *, kept: bool) -> None:
        """As `Listener`."""
        if kept:
            self.kept.append((result.step, result.seed))


def run(recipe: Path, work: Path, workshop: FakeWorkshop, ears: Ears | None = None) -> Outcome:
    """Run a recipe's chain with a fake workshop."""
    loaded = load_recipe(recipe)
    return run_chain(loaded.recipe, workshop, work=work, facts=FACTS, listener=ears or Ears())


if __name__ == "__main__":
    path, work, log = map(Path, sys.argv[1:4])
    run(path, work, FakeWorkshop(log, hangs_at=(sys.argv[4], int(sys.argv[5]))))
