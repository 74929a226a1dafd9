"""The whole pipeline beside bare `invoke()` loops of the same models, in interleaved rounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from edgecam.appliance.board import board_stats
from edgecam.capture.camera import open_camera
from edgecam.config.source import SourceKind
from edgecam.inference.engine import EngineInfo
from edgecam.inference.self_test import synthetic_tensor
from edgecam.measure.blocks import BareBlock, LiveBlock, SourceBlock, run_bare, run_live, run_source
from edgecam.measure.load import cpu_load
from edgecam.measure.model_bench import Progress
from edgecam.measure.setting import Setting
from edgecam.pipeline.assembly import CameraPlan
from edgecam.pipeline.build import camera_settings, open_model
from edgecam.reports import BoardStats

# What starting and stopping may add to a live block before its load ends by itself.
_LOAD_SLACK_S = 120.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long and how often."""

    rounds: int
    seconds: float
    """Of each live block, and of each bare block."""
    warm_up_s: float = 1.0
    """From the first result to the measured span of a live block."""
    source_s: float = 1.0
    """Of each block of a pattern alone."""


@dataclass(slots=True)
class PipelineRun:
    """What was measured: lists with a block a round."""

    lengths: Lengths
    load: int
    before: BoardStats
    after: BoardStats = field(default_factory=BoardStats)
    live: list[LiveBlock] = field(default_factory=list)
    bare: dict[str, list[BareBlock]] = field(default_factory=lambda: defaultdict(list))
    """By the model's name in the configuration."""
    engines: dict[str, EngineInfo] = field(default_factory=dict)
    """Likewise: what ran it bare, and in the pipeline."""
    sources: dict[str, list[SourceBlock]] = field(default_factory=lambda: defaultdict(list))
    """By camera; patterns only: what a real camera costs belongs to the pipeline."""


def bench_pipeline(setting: Setting, lengths: Lengths, *, load: int, progress: Progress) -> PipelineRun:
    """Measure the pipeline.

    Args:
        setting: what to run.
        lengths: how long and how often; every other round goes backwards.
        load: so many processes burn CPU during the live blocks, and during no other.
        progress: told before each block.

    Raises:
        EdgecamError: whatever ended the pipeline.
    """
    run = PipelineRun(lengths, load, before=board_stats())
    blocks = _blocks(setting, run)
    for number in range(lengths.rounds):
        for place, (what, measure) in enumerate(blocks if number % 2 == 0 else reversed(blocks)):
            done = len(blocks) * number + place
            progress(done, len(blocks) * lengths.rounds, f"round {number + 1} of {lengths.rounds}: {what}")
            measure()
    run.after = board_stats()
    return run


def _blocks(setting: Setting, run: PipelineRun) -> list[tuple[str, Callable[[], None]]]:
    """One round: what it is called, and what does it."""
    patterns = [camera for camera in setting.plan.cameras if camera.source.kind is SourceKind.PATTERN]
    models = setting.plan.models
    return [
        *((f"{camera.camera} alone", partial(_measure_source, setting, run, camera)) for camera in patterns),
        *((f"bare invoke() of {name}", partial(_measure_bare, setting, run, name)) for name in models),
        ("the pipeline", partial(_measure_live, setting, run)),
    ]


def _measure_source(setting: Setting, run: PipelineRun, plan: CameraPlan) -> None:
    settings = camera_settings(plan.config, folder=setting.loaded.folder)
    with open_camera(plan.source, settings) as camera:
        run.sources[plan.camera].append(run_source(camera, seconds=run.lengths.source_s))


def _measure_bare(setting: Setting, run: PipelineRun, name: str) -> None:
    """Its engine is opened for the block alone, so that it does not lie in memory beside the pipeline's."""
    with open_model(setting.loaded, setting.plan, name) as engine:
        run.engines[name] = engine.info
        tensor = synthetic_tensor(setting.plan.models[name].card.input, engine.input)
        run.bare[name].append(run_bare(engine, tensor, seconds=run.lengths.seconds))


def _measure_live(setting: Setting, run: PipelineRun) -> None:
    lengths = run.lengths
    with cpu_load(run.load, at_most_s=lengths.warm_up_s + lengths.seconds + _LOAD_SLACK_S):
        block = run_live(
            setting.loaded,
            seconds=lengths.seconds,
            warm_up_s=lengths.warm_up_s,
            device=setting.device,
            password=setting.password,
            plan=setting.plan,
        )
    run.live.append(block)
