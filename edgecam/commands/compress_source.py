"""A model that is to be compressed: a model directory, or a bare file that becomes one for the time being."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from edgecam.commands.consoles import error_console
from edgecam.commands.proving import prove
from edgecam.compress.picture_sets import above_sets, lies_among
from edgecam.errors import EdgecamError, UsageError
from edgecam.model.add import QUESTIONS, Told, add, unsaid
from edgecam.model.card import DEFAULT_FILE
from edgecam.model.store import find_model

_BARE = "bare"


def bare_told(
    labels: Path | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    licence: str | None,
    source: str | None,
) -> Told:
    """What the options say of a bare file; None: nothing."""
    return Told(labels=labels, mean=mean, std=std, licence=licence, source=source)


def check_apart_from(out: Path, *pictures: Path | None) -> None:
    """Raises UsageError: what is made would lie among these pictures; None: there are none."""
    for folder in pictures:
        if folder is not None and (fault := lies_among(out, folder)) is not None:
            raise UsageError(f"--out: {fault}")


def check_class_folders(**given: Path | None) -> None:
    """Raises UsageError: one of these, by its option, is the folder above the wanted one; None: not given."""
    for option, folder in given.items():
        part = "test" if option == "test" else "train"
        if folder is not None and (fault := above_sets(folder, part)) is not None:
            raise UsageError(f"--{option}: {fault}")


@contextmanager
def model_folder(
    model: str, bare: Told | None, *, mend: Callable[[Path, Path], None] | None = None
) -> Iterator[Path]:
    """The directory of a model, while the block lasts.

    Args:
        model: a model directory, a model's name, or a bare file.
        bare: what a bare file does not say of itself, as for `edgecam models add`.
        mend: writes a bare file anew, from the first path to the second, before it is run.

    Raises:
        UsageError: a bare file does not say enough, or a model directory was given what only that needs.
        ModelError, EngineError: the model cannot be used, or does not run.
    """
    place, told = find_model(model, folder=Path()), bare or Told()
    if place.is_dir():
        if told != Told():
            raise UsageError(f"{place} has its own card: change labels, mean, std, licence and source there")
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="edgecam-") as folder:
        file = place
        if mend is not None:
            file = Path(folder) / place.name
            mend(place, file)
        if questions := unsaid(file, told):
            wanted = "".join(f"\n  --{question}: {QUESTIONS[question]}" for question in questions)
            raise UsageError(f"{place}: does not say all that is needed; give{wanted}")
        try:
            yield add(file, Path(folder), told, name=_BARE, force=False, prove=prove)
        except EdgecamError as error:
            # The user knows the file, and not what is made of it for the time being.
            for made in (file, Path(folder) / _BARE / DEFAULT_FILE):
                error.args = tuple(str(part).replace(str(made), str(place)) for part in error.args)
            raise


@contextmanager
def progress_told() -> Iterator[Callable[[str, int, int], None] | None]:
    """Who is told what is done, how far it is, and of how many; None where nobody looks."""
    console = error_console()
    if not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as progress:
        tasks = {}

        def told(what: str, done: int, count: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=count)
            progress.update(tasks[what], completed=done)

        yield told
