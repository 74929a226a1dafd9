"""From the blocks of a pipeline bench to its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from edgecam.measure.blocks import WARM_UP_INVOKES, BareBlock, LiveBlock
from edgecam.measure.figures import figures_json, percentile_ms, percentiles_ms, ratio
from edgecam.measure.machine import describe_machine
from edgecam.measure.model_bench import bare_rounds, board_json
from edgecam.measure.pipeline_bench import PipelineRun
from edgecam.measure.recorder import CameraBooks
from edgecam.measure.setting import Setting
from edgecam.pipeline.assembly import CameraPlan
from edgecam.pipeline.witness import Stage
from edgecam.records import SkipCause

_STAGES = (Stage.PREPROCESS, Stage.INFER, Stage.POSTPROCESS, Stage.DECIDE, Stage.PUBLISH)


def pipeline_report(setting: Setting, run: PipelineRun) -> dict[str, Any]:
    """As docs/schemas/bench.schema.json has it, kind `pipeline`."""
    models = setting.plan.models
    return {
        "schema": 1,
        "kind": "pipeline",
        "machine": describe_machine(),
        "models": {name: {"sha256": model.sha256} for name, model in models.items()},
        "settings": _settings(setting, run),
        "board": board_json(run.before, run.after),
        "parts": [
            {"name": "process", "kind": "process", "facts": _totals(run), "figures": _process(run)},
            *(_camera(plan, run) for plan in setting.plan.cameras),
            *(_bare(name, run) for name in models),
        ],
    }


def _settings(setting: Setting, run: PipelineRun) -> dict[str, Any]:
    lengths = run.lengths
    cameras = {
        plan.camera: {
            "source": plan.source.kind.value,
            "size_px": list(plan.config.size),
            "fps": plan.config.fps,
            "budget_ms": plan.policy.budget_ns / 1e6,
        }
        for plan in setting.plan.cameras
    }
    return {
        "rounds": lengths.rounds,
        "seconds": lengths.seconds,
        "warm_up_s": lengths.warm_up_s,
        "warm_up_invokes": WARM_UP_INVOKES,
        "load": run.load,
        "user_configuration": setting.of_user,
        "cameras": cameras,
    }


def _totals(run: PipelineRun) -> dict[str, Any]:
    """Every frame that was captured in a measured span, and its fate."""
    return _accounts([books for block in run.live for books in block.cameras.values()])


def _accounts(all_books: list[CameraBooks]) -> dict[str, Any]:
    skipped: Counter[SkipCause] = sum((books.skipped for books in all_books), Counter())
    late = sum(books.late for books in all_books)
    engines = Counter(result.engine for books in all_books for result in books.results)
    return {
        "captured": sum(books.captured for books in all_books),
        "results": sum(len(books.results) for books in all_books) - late,
        "late": late,
        "skipped": {cause.value: skipped[cause] for cause in SkipCause},
        "published": sum(len(books.sent_ages_ns) for books in all_books),
        "engines": dict(engines),
    }


def _process(run: PipelineRun) -> dict[str, Any]:
    """CPU and memory of the whole process; the ratios are to the blocks of the same round."""
    cpu, source, pipeline, cpu_ratio = [], [], [], []
    for number, block in enumerate(run.live):
        frames = len(block.results)
        source_ns = _source_cpu_ns(run, block, number)
        cpu.append(ratio(block.cpu_ns / 1e6, frames))
        source.append(ratio(source_ns / 1e6, block.captured))
        pipeline.append(ratio((block.cpu_ns - source_ns) / 1e6, frames))
        cpu_ratio.append(ratio(block.cpu_ns - source_ns, _bare_cpu_ns(run, block, number)))
    memory = [block.memory_bytes / 1e6 if block.memory_bytes else None for block in run.live]
    return figures_json(
        {
            "cpu_per_frame_ms": cpu,
            "source_cpu_per_capture_ms": source if run.sources else [],
            "pipeline_cpu_per_frame_ms": pipeline,
            "cpu_ratio": cpu_ratio,
            "memory_mb": memory,
        }
    )


def _source_cpu_ns(run: PipelineRun, block: LiveBlock, number: int) -> float:
    """What the patterns cost in a live block: the cost of a frame, measured alone, times the frames."""
    return sum(
        blocks[number].cpu_ns / max(blocks[number].count, 1) * block.cameras[camera].captured
        for camera, blocks in run.sources.items()
        if camera in block.cameras
    )


def _bare_cpu_ns(run: PipelineRun, block: LiveBlock, number: int) -> float:
    """What the same inferences would have cost in a bare loop."""
    per_invoke = {name: blocks[number].cpu_ns / blocks[number].count for name, blocks in run.bare.items()}
    return sum(per_invoke[result.model] for result in block.results if result.model in per_invoke)


def _bare(name: str, run: PipelineRun) -> dict[str, Any]:
    info, blocks = run.engines[name], run.bare[name]
    facts = {
        "runtime": info.runtime,
        "runtime_version": info.version,
        "delegate": info.delegate,
        "threads": info.threads,
        "invokes": sum(block.count for block in blocks),
    }
    return {
        "name": f"bare {name}",
        "kind": "engine",
        "facts": facts,
        "figures": figures_json(bare_rounds(blocks)),
    }


def _camera(plan: CameraPlan, run: PipelineRun) -> dict[str, Any]:
    rounds = [block.cameras.get(plan.camera, CameraBooks()) for block in run.live]
    figures: dict[str, list[float | None]] = {
        "fps_in": _each(run, rounds, lambda books: books.captured),
        "fps_out": _each(run, rounds, lambda books: len(books.results)),
        "late_share": [ratio(books.late, len(books.results)) for books in rounds],
        "skipped_share": [ratio(len(books.skips), books.captured) for books in rounds],
        **percentiles_ms("age", [books.ages_ns for books in rounds]),
        **percentiles_ms("sent_age", [books.sent_ages_ns for books in rounds]),
    }
    figures["age_ratio"] = list(_ratios(run, [(books, books.ages_ns) for books in rounds]))
    figures["sent_age_ratio"] = list(_ratios(run, [(books, books.sent_ages_ns) for books in rounds]))
    for stage in _STAGES:
        figures |= percentiles_ms(stage.value, [books.stages_ns.get(stage, []) for books in rounds])
    return {
        "name": f"camera {plan.camera}",
        "kind": "camera",
        "facts": _accounts(rounds),
        "figures": figures_json(figures),
    }


def _each(run: PipelineRun, rounds: list[CameraBooks], count: Any) -> list[float | None]:
    return [count(books) / block.span_ns * 1e9 for books, block in zip(rounds, run.live, strict=True)]


def _ratios(run: PipelineRun, rounds: list[tuple[CameraBooks, list[int]]]) -> Iterator[float | None]:
    """The median age to the median bare `invoke()` of the model that gave most of the results."""
    for number, (books, ages_ns) in enumerate(rounds):
        models = Counter(result.model for result in books.results if result.model in run.bare)
        bare = run.bare[models.most_common(1)[0][0]] if models else None
        yield ratio(percentile_ms(ages_ns, 50), _median_ms(bare, number))


def _median_ms(blocks: list[BareBlock] | None, number: int) -> float | None:
    return percentile_ms(blocks[number].walls_ns, 50) if blocks else None
