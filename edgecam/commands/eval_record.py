"""`edgecam eval --record`: keeps what a network says of each frame of a recording, for `--replay`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn

from edgecam.commands.consoles import error_console
from edgecam.config.loader import load_config
from edgecam.config.source import parse_source
from edgecam.errors import UsageError
from edgecam.evaluation.record import record as record_scores
from edgecam.evaluation.replaying import pick_camera
from edgecam.model.store import find_model
from edgecam.pipeline.assembly import assemble


def record(
    path: Path,
    *,
    model: str | None,
    source: str | None,
    config: Path | None,
    sets: Sequence[str],
    camera: str | None,
) -> None:
    """Write what the model says of every frame, seen as the configuration's camera sees it.

    Args:
        path: the file to write.
        model: a model directory, a bare file, or a shipped model's name; None: the camera's.
        source: `file:clip.mp4` or `images:folder`; None: the camera's.
        config: the configuration; None: as `edgecam run` finds it.
        sets: `key=value` texts of `--set`.
        camera: whose settings; None: the only camera's.

    Raises:
        UsageError: an option makes no sense.
        SourceError, ModelError, EngineError: what cannot be used.
        ConfigError: the configuration does not hold.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--record: {path} cannot be written: name a file in a folder that exists")
    loaded = load_config(config, sets=sets, environ=os.environ)
    plan = assemble(loaded)
    chosen = pick_camera(plan, camera)
    more = []
    if source is not None:
        more.append(f"cameras.{chosen.camera}.source={_absolute(source)}")
    if model is not None:
        more.append(f"models.{chosen.rungs[0].model}.path={find_model(model, folder=Path()).absolute()}")
    if more:
        loaded = load_config(config, sets=[*sets, *more], environ=os.environ)
        plan = assemble(loaded)
        chosen = pick_camera(plan, chosen.camera)
    with _progress() as told:
        done = record_scores(loaded, plan, chosen, path, told=told)
    unreadable = f"; {done.unreadable} more could not be read" if done.unreadable else ""
    print(f"{path}: {done.frames} frames, {done.span_s:.1f} s{unreadable}", file=sys.stderr)


def _absolute(source: str) -> str:
    """Paths of a configuration count from its folder, those of a command line from here."""
    try:
        parsed = parse_source(source)
    except ValueError as error:
        raise UsageError(f"--source: {error}") from error
    return source if parsed.live else f"{parsed.kind}:{Path(parsed.target).absolute()}"


@contextmanager
def _progress() -> Iterator[Callable[[int, float], None]]:
    """On stderr, when that is a terminal; nothing else."""
    console = error_console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("opening", total=None)
        yield lambda frames, at_s: bar.update(task, description=f"{frames} frames, {at_s:.1f} s")
