"""`edgecam eval --replay`: what a camera's settings make of recorded scores."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn

from edgecam.commands.consoles import error_console
from edgecam.commands.eval_replay_view import show_replay
from edgecam.evaluation.recording import open_recording
from edgecam.evaluation.replay_report import replay_report
from edgecam.evaluation.replaying import compare_settings, read_settings
from edgecam.evaluation.variants import variants_of

_TOLD_EVERY = 100
# Below that, rounding to three decimals explains it.
_KNOWN = 0.01


def replay(
    path: Path,
    *,
    config: Path | None,
    sets: Sequence[str],
    vary: Sequence[str],
    camera: str | None,
    truth: Path | None,
    as_json: bool,
) -> None:
    """Print the episodes, or one line for each of several settings.

    Args:
        path: what `--record` wrote, or what subscribers recorded of the topic `prediction`.
        config: the configuration; None: as `edgecam run` finds it.
        sets: `key=value` texts of `--set`, for all settings.
        vary: `key=value,value` texts of `--vary`.
        camera: whose settings; None: the only one, or else the recording's.
        truth: a CSV of what was to be seen.
        as_json: print docs/schemas/replay.schema.json.

    Raises:
        SourceError: one of the files cannot be used.
        ConfigError, ModelError: a setting does not hold.
        UsageError: an option makes no sense.
    """
    recording = open_recording(path)
    settings = read_settings(
        config,
        variants_of(vary),
        sets=sets,
        camera=camera,
        recorded=None if recording.origin is None else recording.origin.camera,
        environ=os.environ,
    )
    with _progress() as told:
        comparison = compare_settings(recording, settings, truth=truth, told=told)
    if comparison.shortfall > _KNOWN:
        print(
            f"{path}: holds the best classes of each frame only: scores of what is watched may have been "
            f"higher by up to {comparison.shortfall:.2f}, in one frame by {comparison.most_short:.2f}; "
            "edgecam eval --record holds all",
            file=sys.stderr,
        )
    report = replay_report(recording, settings, comparison)
    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        show_replay(report)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """On stderr, when that is a terminal; nothing else."""
    console = error_console()
    columns = (SpinnerColumn(), TextColumn("{task.completed} frames"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("replay", total=None)

        def told(frames: int) -> None:
            if frames % _TOLD_EVERY == 0:
                bar.update(task, completed=frames)

        yield told
