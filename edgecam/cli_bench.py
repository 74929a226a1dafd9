"""The command line of `edgecam bench`: wires its ways, and refuses what does not belong together."""

from __future__ import annotations

from edgecam.cli_options import (
    AsJson,
    BenchCompare,
    BenchConfig,
    BenchDelegate,
    BenchDelegateOptions,
    BenchEngines,
    BenchFps,
    BenchHtml,
    BenchImages,
    BenchLoad,
    BenchModel,
    BenchOnnx,
    BenchPipeline,
    BenchRounds,
    BenchSeconds,
    BenchSize,
    BenchThreads,
    Labels,
    Mean,
    Sets,
    Std,
    numbers,
    refuse,
)


def bench(
    model: BenchModel = None,
    labels: Labels = None,
    mean: Mean = None,
    std: Std = None,
    *,
    threads: BenchThreads = None,
    engines: BenchEngines = False,
    images: BenchImages = None,
    onnx: BenchOnnx = None,
    delegate: BenchDelegate = None,
    delegate_options: BenchDelegateOptions = None,
    pipeline: BenchPipeline = False,
    config: BenchConfig = None,
    sets: Sets = None,
    fps: BenchFps = None,
    size: BenchSize = None,
    load: BenchLoad = 0,
    seconds: BenchSeconds = None,
    rounds: BenchRounds = 5,
    compare: BenchCompare = None,
    html: BenchHtml = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model, or the whole pipeline, on this machine; or compare two results."""
    from edgecam.commands import bench as command
    from edgecam.commands import bench_options as options
    from edgecam.commands.classify import load_classifier

    of_model: dict[str, object] = {"--labels": labels, "--mean": mean, "--std": std, "--threads": threads}
    of_engines: dict[str, object] = {
        "--engines": engines or None, "--images": images, "--onnx": onnx,
        "--delegate": delegate, "--delegate-option": delegate_options,
    }  # fmt: skip
    of_pipeline: dict[str, object] = {
        "--config": config, "--set": sets, "--fps": fps, "--size": size, "--load": load or None,
    }  # fmt: skip
    of_both: dict[str, object] = {
        "MODEL": model, "--pipeline": pipeline or None, "--seconds": seconds, "--html": html,
    }  # fmt: skip
    if compare is not None:
        refuse(of_model | of_engines | of_pipeline | of_both, "is not for --compare")
        command.compare_results(*compare, as_json=as_json)
        return
    output = command.Output(as_json=as_json, html=html)
    if pipeline:
        refuse(of_engines, "is not for --pipeline")
        refuse(of_model, "is not for --pipeline; say it in the configuration, or with --set")
        command.bench_whole_pipeline(
            model,
            output,
            config=config,
            sets=sets or (),
            size_px=options.parse_size(size) if size else None,
            fps=fps,
            rounds=rounds,
            seconds=seconds or 5.0,
            load=load,
        )
        return
    refuse(of_pipeline, "is for --pipeline alone; give that too")
    loaded = load_classifier(
        model or "efficientnet_lite0_int8",
        labels=labels,
        mean=numbers(mean, "--mean"),
        std=numbers(std, "--std"),
    )
    counts = options.parse_threads(threads) if threads else None
    turns = command.Turns(rounds=rounds, seconds=seconds or 1.0)
    if engines:
        refuse({"--html": html}, "is not for --engines")
        wish = options.parse_wish(delegate, delegate_options or ())
        command.bench_all_engines(loaded, output, turns, threads=counts, onnx=onnx, images=images, wish=wish)
        return
    refuse(of_engines, "is for --engines alone; give that too")
    command.bench_one_model(loaded, output, turns, threads=counts)
