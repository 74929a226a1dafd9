"""A model on this machine: each number of threads on each engine at hand, in interleaved rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from edgecam.appliance.board import board_stats
from edgecam.inference.engine import Engine, open_engine
from edgecam.inference.self_test import synthetic_tensor
from edgecam.measure.advice import advise
from edgecam.measure.blocks import WARM_UP_INVOKES, BareBlock, run_bare
from edgecam.measure.figures import figures_json, percentiles_ms
from edgecam.measure.machine import describe_machine, usable_cores
from edgecam.model.model import Model
from edgecam.reports import BoardStats

Progress = Callable[[int, int, str], None]
"""Told before each block: how many are done, of how many, and what comes now."""


@dataclass(slots=True)
class Variant:
    """One engine with one number of threads, and its blocks, one a round."""

    engine: Engine
    open_ms: float
    """Opening it and its first inference, which is checked: the first run."""
    blocks: list[BareBlock] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For tables: `litert/cpu x2`."""
        return f"{self.engine.info.name} x{self.engine.info.threads}"

    def rounds(self) -> dict[str, list[float | None]]:
        """Its figures, a value a round."""
        return bare_rounds(self.blocks)


@dataclass(frozen=True, slots=True)
class ModelRun:
    """What was measured of a model."""

    model: Model
    variants: Sequence[Variant]
    before: BoardStats
    after: BoardStats
    settings: dict[str, Any]


def bench_model(
    model: Model, *, threads: Sequence[int], rounds: int, seconds: float, progress: Progress
) -> ModelRun:
    """Measure a model.

    Args:
        model: what to run.
        threads: which numbers of threads.
        rounds: how often each variant has its turn; every other round goes backwards.
        seconds: of each turn.
        progress: told before each block.

    Raises:
        EngineError: the model cannot be run.
    """
    total = len(threads) * (rounds + 1)
    before = board_stats()
    variants: list[Variant] = []
    with ExitStack() as engines:
        for count in threads:
            progress(len(variants), total, f"opening with threads: {count}")
            variants.append(_open(model, threads=count, engines=engines))
        tensor = synthetic_tensor(model.card.input, variants[0].engine.input)
        for number in range(rounds):
            for place, variant in enumerate(variants if number % 2 == 0 else reversed(variants)):
                done = len(variants) * (number + 1) + place
                progress(done, total, f"round {number + 1} of {rounds}: {variant.name}")
                variant.blocks.append(run_bare(variant.engine, tensor, seconds=seconds))
    settings = {"rounds": rounds, "seconds": seconds, "warm_up_invokes": WARM_UP_INVOKES}
    return ModelRun(model, variants, before, board_stats(), settings)


def bare_rounds(blocks: Sequence[BareBlock]) -> dict[str, list[float | None]]:
    """The figures of bare `invoke()` loops, a value a block."""
    return {
        **percentiles_ms("invoke", [block.walls_ns for block in blocks]),
        "cpu_per_invoke_ms": [block.cpu_ns / block.count / 1e6 for block in blocks],
        "runs_per_s": [block.count / block.span_ns * 1e9 for block in blocks],
    }


def model_report(run: ModelRun) -> dict[str, Any]:
    """As docs/schemas/bench.schema.json has it, kind `model`."""
    medians = {}
    parts = []
    for variant in run.variants:
        info, figures = variant.engine.info, figures_json(variant.rounds())
        medians[info.threads] = figures["invoke_p50_ms"]["value"]
        facts = {
            "runtime": info.runtime,
            "runtime_version": info.version,
            "delegate": info.delegate,
            "threads": info.threads,
            "first_run_ms": round(variant.open_ms, 3),
            "invokes": sum(block.count for block in variant.blocks),
        }
        parts.append({"name": variant.name, "kind": "engine", "facts": facts, "figures": figures})
    advice = advise(medians, cores=usable_cores())
    return {
        "schema": 1,
        "kind": "model",
        "machine": describe_machine(),
        "models": {run.model.name: {"sha256": run.model.sha256}},
        "settings": run.settings,
        "board": board_json(run.before, run.after),
        "parts": parts,
        "advice": {"threads": advice.threads, "why": advice.why},
    }


def board_json(before: BoardStats, after: BoardStats) -> dict[str, Any]:
    """Temperature and throttling before and after; null where the board does not say."""
    return {
        name: {"temperature_c": stats.temperature_c, "throttled": stats.throttled}
        for name, stats in (("before", before), ("after", after))
    }


def _open(model: Model, *, threads: int, engines: ExitStack) -> Variant:
    """Here, and in the advice, is where further engines and delegates join."""
    began_ns = time.perf_counter_ns()
    engine = engines.enter_context(open_engine(model, threads=threads))
    return Variant(engine, (time.perf_counter_ns() - began_ns) / 1e6)
