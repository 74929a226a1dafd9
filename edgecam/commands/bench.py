"""`edgecam bench`: how fast a model is here, how the whole pipeline does, and how two results differ."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from edgecam.capture.images import list_pictures
from edgecam.commands.bench_view import show_comparison, show_report
from edgecam.errors import UsageError
from edgecam.inference.choice import Wish
from edgecam.measure.compare import Comparison, compare
from edgecam.measure.engines_bench import bench_engines, engines_report
from edgecam.measure.machine import usable_cores
from edgecam.measure.model_bench import bench_model, model_report
from edgecam.measure.page import render_page
from edgecam.measure.pipeline_bench import Lengths, bench_pipeline
from edgecam.measure.pipeline_report import pipeline_report
from edgecam.measure.plots import Plot, model_plots, pipeline_plots
from edgecam.measure.result_file import read_report
from edgecam.measure.setting import Setting, pattern_setting, user_setting
from edgecam.measure.whole_file import write_whole
from edgecam.model.graph import is_tflite
from edgecam.model.model import Model
from edgecam.model.store import find_model

_ENGINE_THREADS = (1, 2)


@dataclass(frozen=True, slots=True)
class Output:
    """What becomes of a result."""

    as_json: bool
    html: Path | None

    def __post_init__(self) -> None:
        """Raises UsageError for a page that could not be written, before minutes are spent on it."""
        if self.html is not None and (self.html.is_dir() or not self.html.parent.is_dir()):
            raise UsageError(f"--html: {self.html} cannot be written: name a file in a folder that exists")


@dataclass(frozen=True, slots=True)
class Turns:
    """How long is measured."""

    rounds: int
    """How often each has its turn."""
    seconds: float
    """Of each turn."""


def bench_one_model(model: Model, output: Output, turns: Turns, *, threads: Sequence[int] | None) -> None:
    """Measure a model with several numbers of threads, and say which to set.

    Args:
        model: what to run.
        output: what becomes of the result.
        turns: how long.
        threads: which numbers; None: one to the number of cores.

    Raises:
        EngineError: the model cannot be run.
    """
    counts = threads or range(1, usable_cores() + 1)
    with _progress_bar() as progress:
        run = bench_model(
            model, threads=counts, rounds=turns.rounds, seconds=turns.seconds, progress=progress
        )
    _put_out(model_report(run), lambda: model_plots(run), output)


def bench_all_engines(
    model: Model,
    output: Output,
    turns: Turns,
    *,
    threads: Sequence[int] | None,
    onnx: Path | None,
    images: Path | None,
    wish: Wish | None = None,
) -> None:
    """Measure a model in every engine that is installed here, each in a process of its own.

    Args:
        model: what to run.
        output: what becomes of the result.
        turns: how long.
        threads: of LiteRT; None: 1 and 2.
        onnx: the same network for ONNX Runtime; None: the file beside the model's.
        images: a picture or a folder of some, on which best classes are compared; None: they are not.
        wish: a delegate to be tried beside those that are here; None: no other.

    Raises:
        UsageError: there is no such ONNX file, or the model is not for delegates.
        EngineError: no engine runs the model.
        SourceError: there are no pictures.
    """
    if onnx is not None and not onnx.is_file():
        raise UsageError(f"--onnx: {onnx}: no such file; name the same network's .onnx")
    if wish is not None and not is_tflite(model.path):
        raise UsageError(f"--delegate: {model.path}: delegates are for .tflite files")
    pictures = [] if images is None else list_pictures(images, shown=str(images))
    with _progress_bar() as progress:
        run = bench_engines(
            model,
            onnx=onnx,
            pictures=pictures,
            threads=threads or _ENGINE_THREADS,
            rounds=turns.rounds,
            seconds=turns.seconds,
            progress=progress,
            wish=wish,
        )
    _put_out(engines_report(run), list, output)


def bench_whole_pipeline(
    model: str | None,
    output: Output,
    *,
    config: Path | None,
    sets: Sequence[str],
    size_px: tuple[int, int] | None,
    fps: float | None,
    rounds: int,
    seconds: float,
    load: int,
) -> None:
    """Measure the whole pipeline beside bare `invoke()` loops.

    Args:
        model: for the pattern; None: the shipped one.
        output: what becomes of the result.
        config: the user's cameras, models and broker; None: a pattern and a broker of our own.
        sets: `key=value` texts.
        size_px: (width, height) of every camera; None: 640x480, or as the configuration says.
        fps: of every camera; None: 30, or as the configuration says.
        rounds: how often each block has its turn.
        seconds: of each block.
        load: so many processes burn CPU meanwhile.

    Raises:
        UsageError: a model beside a configuration, which names its own.
        EdgecamError: what cannot be used, or ended the pipeline.
    """
    lengths = Lengths(rounds=rounds, seconds=seconds)
    with _setting(model, config, sets=sets, size_px=size_px, fps=fps) as setting:
        if setting.of_user:
            text = f"using your cameras and {setting.loaded.config.mqtt.url}, as device {setting.device}"
            print(text, file=sys.stderr)
        with _progress_bar() as progress:
            run = bench_pipeline(setting, lengths, load=load, progress=progress)
        report = pipeline_report(setting, run)
    _put_out(report, lambda: pipeline_plots(run), output)


def compare_results(before: Path, after: Path, *, as_json: bool) -> None:
    """Print how each figure of two results differs, and whether that is more than noise.

    Raises:
        UsageError: one of them is no result, or they are of two kinds.
    """
    first, second = read_report(before), read_report(after)
    if first["kind"] != second["kind"]:
        raise UsageError(
            f"--compare: {before} is of kind {first['kind']} and {after} of kind {second['kind']}; "
            "compare two of one kind"
        )
    comparison = compare(first, second)
    if as_json:
        print(json.dumps(_comparison_json(comparison), indent=2, allow_nan=False))
        return
    for warning in comparison.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    show_comparison(comparison)


def _setting(
    model: str | None,
    config: Path | None,
    *,
    sets: Sequence[str],
    size_px: tuple[int, int] | None,
    fps: float | None,
) -> AbstractContextManager[Setting]:
    if config is None:
        path = find_model(model or "efficientnet_lite0_int8", folder=Path())
        return pattern_setting(path, sets=sets, size_px=size_px or (640, 480), fps=fps or 30.0)
    if model is not None:
        raise UsageError(f"MODEL is for the pattern; {config} names its own: set models.default.path there")
    return user_setting(config, environ=os.environ, sets=sets, size_px=size_px, fps=fps)


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int, str], None]]:
    """On stderr, when that is a terminal; nothing else.

    Drawn between blocks alone: a thread that redraws it would be measured with the rest.
    """
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(
        *columns, console=console, transient=True, auto_refresh=False, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("starting", total=None)

        def show(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what, refresh=True)

        yield show


def _put_out(report: dict[str, Any], plots: Callable[[], list[Plot]], output: Output) -> None:
    if output.as_json:
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        show_report(report)
    if output.html is not None:
        write_whole(output.html, render_page(report, plots()).encode())


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "comparison",
        "warnings": list(comparison.warnings),
        "differences": [difference.as_json() for difference in comparison.differences],
    }
