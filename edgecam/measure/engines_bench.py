"""Every engine that is installed here on one model: who is how fast, takes how much memory, says the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.appliance.board import board_stats
from edgecam.errors import EngineError, ModelError
from edgecam.inference.choice import Wish
from edgecam.measure.candidates import Absent, candidates_for, model_for
from edgecam.measure.figures import figures_json, percentiles_ms
from edgecam.measure.machine import describe_machine
from edgecam.measure.model_bench import board_json
from edgecam.measure.trial import WARM_UP_INVOKES, Candidate, Opened
from edgecam.measure.trial_process import TrialProcess
from edgecam.model.model import Model
from edgecam.reports import BoardStats

Progress = Callable[[int, int, str], None]
"""Told before each step: how many are done, of how many, and what comes now."""


@dataclass(slots=True)
class Tried:
    """One engine, and what was measured of it."""

    name: str
    """For tables: `litert/cpu x2`, `litert/cpu x1 in a child`; of each engine another one."""
    candidate: Candidate
    process: TrialProcess
    opened: Opened
    walls_ns: list[NDArray[np.int64]] = field(default_factory=list)
    """A block a round."""
    memory_mb: list[float | None] = field(default_factory=list)
    """After each block."""
    best: list[int | None] = field(default_factory=list)
    """Of each picture."""


@dataclass(frozen=True, slots=True)
class EnginesRun:
    """What was measured."""

    model: Model
    tried: Sequence[Tried]
    absent: Sequence[Absent]
    pictures: int
    before: BoardStats
    after: BoardStats
    settings: dict[str, Any]


def bench_engines(
    model: Model,
    *,
    onnx: Path | None,
    pictures: Sequence[Path],
    threads: Sequence[int],
    rounds: int,
    seconds: float,
    progress: Progress,
    wish: Wish | None = None,
) -> EnginesRun:
    """Measure all engines in turn, each in a process of its own.

    Args:
        model: what to run.
        onnx: the same network for ONNX Runtime; None: the file beside the model's.
        pictures: on which the engines' best classes are compared.
        threads: numbers of threads for the engine that edgecam takes by itself.
        rounds: how often each engine has its turn; every other round goes backwards.
        seconds: of each turn.
        progress: told before each step.
        wish: a delegate to be tried beside those that are here; None: no other.

    Raises:
        EngineError: not one of them runs the model.
    """
    candidates, absent = candidates_for(model, onnx=onnx, threads=threads, wish=wish)
    total = len(candidates) * (rounds + 1 + bool(pictures))
    before = board_stats()
    with ExitStack() as processes:
        tried: list[Tried] = []
        for place, candidate in enumerate(candidates):
            progress(place, total, f"opening {candidate.name}")
            _try(model, candidate, tried, absent, processes)
        for number in range(rounds):
            for one in list(tried if number % 2 == 0 else reversed(tried)):
                progress(len(candidates) * (number + 1), total, f"round {number + 1} of {rounds}: {one.name}")
                _keep(tried, absent, one, _measure, seconds)
        for one in list(tried if pictures else ()):
            progress(len(candidates) * (rounds + 1), total, f"pictures: {one.name}")
            _keep(tried, absent, one, _classify, pictures)
    if not tried:
        raise EngineError(f"{model.path}: no engine runs it: {'; '.join(one.why for one in absent)}")
    settings = {"rounds": rounds, "seconds": seconds, "warm_up_invokes": WARM_UP_INVOKES}
    return EnginesRun(model, tried, absent, len(pictures), before, board_stats(), settings)


def engines_report(run: EnginesRun) -> dict[str, Any]:
    """As docs/schemas/bench.schema.json has it, kind `engines`."""
    reference = run.tried[0]
    return {
        "schema": 1,
        "kind": "engines",
        "machine": describe_machine(),
        "models": {run.model.name: {"sha256": run.model.sha256}},
        "settings": {**run.settings, "pictures": run.pictures, "reference": reference.name},
        "board": board_json(run.before, run.after),
        "parts": [_part(one, reference) for one in run.tried],
        "absent": [{"name": one.name, "why": one.why} for one in run.absent],
    }


def _try(
    model: Model, candidate: Candidate, tried: list[Tried], absent: list[Absent], processes: ExitStack
) -> None:
    process = processes.enter_context(TrialProcess())
    try:
        opened = process.open(model_for(model, candidate), candidate)
    except (EngineError, ModelError) as fault:
        process.close()
        absent.append(Absent(candidate.name, _in_a_line(fault)))
    else:
        name = _name(candidate, opened, [one.name for one in tried])
        tried.append(Tried(name, candidate, process, opened))


def _name(candidate: Candidate, opened: Opened, taken: Collection[str]) -> str:
    """One that is not taken: a twin or a package's engine may call itself what another does."""
    info = opened.info
    name = f"{info.name} x{info.threads}{' in a child' if candidate.apart else ''}"
    what = candidate.engine if candidate.file is None else candidate.file.name
    return f"{name} ({what})" if name in taken else name


def _keep(
    tried: list[Tried], absent: list[Absent], one: Tried, step: Callable[[Tried, Any], None], what: Any
) -> None:
    """Do a step, and drop the engine that does not survive it: what hangs may take a core from the others."""
    try:
        step(one, what)
    except EngineError as fault:
        one.process.close()
        tried.remove(one)
        absent.append(Absent(one.name, _in_a_line(fault)))


def _in_a_line(fault: Exception) -> str:
    """What a library raises may have several."""
    return " ".join(str(fault).split())


def _measure(one: Tried, seconds: float) -> None:
    one.walls_ns.append(one.process.measure(seconds))
    one.memory_mb.append(one.process.memory_mb())


def _classify(one: Tried, pictures: Sequence[Path]) -> None:
    one.best = one.process.classify([picture.resolve() for picture in pictures])


def _part(one: Tried, reference: Tried) -> dict[str, Any]:
    opened = one.opened
    pairs = [(own, other) for own, other in zip(one.best, reference.best, strict=True) if other is not None]
    facts = {
        "runtime": opened.info.runtime,
        "runtime_version": opened.info.version,
        "delegate": opened.info.delegate,
        "threads": opened.info.threads,
        "in_child": one.candidate.apart,
        "open_ms": round(opened.open_ms, 3),
        "first_invoke_ms": round(opened.first_ms, 3),
        "memory_before_mb": None if opened.before_mb is None else round(opened.before_mb, 1),
        "invokes": sum(len(block) for block in one.walls_ns),
        "delegated": opened.delegated if opened.operators else None,
        "operators": opened.operators or None,
        "agreed": sum(own == other for own, other in pairs) if pairs else None,
        "compared": len(pairs) if pairs else None,
    }
    figures = figures_json({**percentiles_ms("invoke", one.walls_ns), "memory_mb": one.memory_mb})
    return {"name": one.name, "kind": "engine", "facts": facts, "figures": figures}
