"""The command line of `edgecam eval`: wires its three ways; each imports its own module when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecam.cli_options import AsJson, Labels, Mean, Sets, Std, numbers, refuse
from edgecam.errors import UsageError

Model = Annotated[
    str | None,
    typer.Argument(help="A model directory, a bare .tflite or .onnx, or a shipped model's name."),
]
Pictures = Annotated[
    Path | None,
    typer.Argument(
        help="A folder of folders called as the labels or groups that their pictures show, or a CSV with the "
        "columns path,label."
    ),
]
Against = Annotated[
    str | None, typer.Option(help="Another model, compared on the same pictures.", metavar="MODEL2")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Of it: the groups that it adds; with --record and --replay, a camera's settings.",
    ),
]
Precision = Annotated[
    float | None,
    typer.Option(
        help="For which thresholds are suggested.", min=0.01, max=1, metavar="SHARE", show_default="0.95"
    ),
]
Engine = Annotated[
    str | None, typer.Option(help="What runs it, as for classify.", show_default="auto: by the file")
]
Processes = Annotated[
    int | None,
    typer.Option(help="So many side by side.", min=1, max=256, show_default="by cores and pictures"),
]
Dask = Annotated[
    str | None,
    typer.Option(
        help="Let the workers of a Dask cluster do it; they see the pictures under the same paths.",
        metavar="tcp://HOST:PORT",
    ),
]
SaveScores = Annotated[Path | None, typer.Option(help="Keep what MODEL said, as a NumPy archive (.npz).")]
Html = Annotated[Path | None, typer.Option(help="Also write a page with plots and the worst errors.")]
Record = Annotated[
    Path | None,
    typer.Option(help="Keep what a camera's network says of each frame of a recording, for --replay."),
]
RecordSource = Annotated[
    str | None,
    typer.Option(help="With --record: file:clip.mp4 or images:folder.", show_default="the camera's"),
]
Replay = Annotated[
    Path | None,
    typer.Option(help="Say what a camera's settings make of what was recorded, and score no pictures."),
]
Camera = Annotated[
    str | None, typer.Option(help="With --record and --replay: which.", show_default="the only one")
]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        help="With --replay: several values of a setting; all combinations are compared. May be given again.",
        metavar="KEY=VALUE,VALUE",
    ),
]
Truth = Annotated[
    Path | None, typer.Option(help="With --replay: a CSV of what was to be seen: start,end,label.")
]


def evaluate(
    model: Model = None,
    pictures: Pictures = None,
    *,
    against: Against = None,
    labels: Labels = None,
    mean: Mean = None,
    std: Std = None,
    config: Config = None,
    precision: Precision = None,
    engine: Engine = None,
    processes: Processes = None,
    dask: Dask = None,
    save_scores: SaveScores = None,
    html: Html = None,
    record: Record = None,
    replay: Replay = None,
    source: RecordSource = None,
    camera: Camera = None,
    sets: Sets = None,
    vary: Vary = None,
    truth: Truth = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on labelled pictures, or settings on a recording."""
    of_pictures: dict[str, object] = {
        "PICTURES": pictures, "--against": against, "--labels": labels, "--mean": mean, "--std": std,
        "--precision": precision, "--engine": engine, "--processes": processes, "--dask": dask,
        "--save-scores": save_scores, "--html": html,
    }  # fmt: skip
    of_recording: dict[str, object] = {"--camera": camera, "--set": sets}
    of_replay: dict[str, object] = {"--vary": vary, "--truth": truth}
    if replay is not None:
        refuse({"MODEL": model, **of_pictures, "--record": record, "--source": source}, "is not for --replay")
        from edgecam.commands.eval_replay import replay as replay_command

        replay_command(
            replay,
            config=config,
            sets=sets or (),
            vary=vary or (),
            camera=camera,
            truth=truth,
            as_json=as_json,
        )
        return
    refuse(of_replay, "is for --replay alone; give that too")
    if record is not None:
        refuse({**of_pictures, "--json": as_json or None}, "is not for --record")
        from edgecam.commands.eval_record import record as record_command

        record_command(record, model=model, source=source, config=config, sets=sets or (), camera=camera)
        return
    refuse({**of_recording, "--source": source}, "is for --record or --replay; give one of them too")
    if model is None or pictures is None:
        raise UsageError("edgecam eval: expected a model and labelled pictures: edgecam eval MODEL PICTURES")
    if processes and dask:
        raise UsageError("--processes: is for this machine, --dask for a cluster; give one of them")
    from edgecam.commands import evaluate as command

    command.evaluate(
        model,
        pictures,
        output=command.Output(as_json=as_json, html=html, scores=save_scores),
        means=command.Means(engine or "auto", processes, dask),
        bare=command.Bare(labels, numbers(mean, "--mean"), numbers(std, "--std")),
        against=against,
        config=config,
        precision=precision or command.PRECISION,
    )
