"""How long models take on this machine, all measured in turns, so that its moods fall on all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from edgecam.compress.recipe import Timing
from edgecam.inference.engine import open_engine
from edgecam.inference.self_test import synthetic_tensor
from edgecam.measure.blocks import run_bare
from edgecam.measure.figures import Figure, percentile_ms
from edgecam.model.store import load_model


def measure_latencies(
    models: Mapping[str, Path], timing: Timing, *, told: Callable[[int, int], None]
) -> dict[str, Figure]:
    """The median time of one inference, in ms: a value a round.

    Args:
        models: model directories by name.
        timing: how long and how often.
        told: hears how many turns are done, and of how many.

    Raises:
        ModelError, EngineError: a model cannot be run.
    """
    medians: dict[str, list[float]] = {name: [] for name in models}
    with ExitStack() as engines:
        ready = []
        for name, path in models.items():
            model = load_model(path)
            engine = engines.enter_context(open_engine(model, threads=timing.threads))
            ready.append((name, engine, synthetic_tensor(model.card.input, engine.input)))
        for number in range(timing.rounds):
            for place, (name, engine, tensor) in enumerate(ready if number % 2 == 0 else reversed(ready)):
                median = percentile_ms(run_bare(engine, tensor, seconds=timing.seconds).walls_ns, 50)
                assert median is not None  # noqa: S101 - a block has at least one inference
                medians[name].append(median)
                told(number * len(ready) + place + 1, timing.rounds * len(ready))
    return {name: Figure("ms", "lower", tuple(rounds)) for name, rounds in medians.items()}
