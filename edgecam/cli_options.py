"""The options of the command line that need more than a line: their types, names and help."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from edgecam.errors import UsageError

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The configuration; default: $EDGECAM_CONFIG, ./config.yaml, /etc/edgecam/config.yaml.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Set one value: cameras.main.fps=10. May be given again.", metavar="KEY=VALUE"
    ),
]
Trace = Annotated[
    Path | None,
    typer.Option(
        help="Keep what happens to the newest frames, and write it there at the end and at each SIGUSR1: "
        "JSON for ui.perfetto.dev or chrome://tracing.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; its schema is in docs/schemas.")]
Labels = Annotated[
    Path | None, typer.Option(help="Labels of a bare file, one a line, in the order of its outputs.")
]
Mean = Annotated[
    str | None,
    typer.Option(help="Mean of a bare file's input on 0..255 pixels: 127.5 or 123.7,116.3,103.5."),
]
Std = Annotated[str | None, typer.Option(help="Standard deviation, as --mean.")]

InspectDelegate = Annotated[
    str | None,
    typer.Option("--delegate", help="Say which layers it would take: coral, xnnpack, …", metavar="NAME"),
]

HistorySince = Annotated[
    str | None,
    typer.Option(
        help="Only what came since: 30m, 2h, 7d ago, or 2026-01-31 or 2026-01-31T12:00 in local time.",
        metavar="AGO|DATE",
    ),
]
HistoryFolder = Annotated[
    Path | None,
    typer.Option(
        help="The folder for states; default: $STATE_DIRECTORY, ~/.local/state/edgecam; "
        "the service's is /var/lib/edgecam."
    ),
]

BenchModel = Annotated[
    str | None,
    typer.Argument(
        help="A model directory, a bare .tflite or .onnx, or a shipped model's name.",
        show_default="efficientnet_lite0_int8",
    ),
]

BenchThreads = Annotated[
    str | None, typer.Option(help="Numbers of threads to try: 1,2,4; default: one to all cores.")
]

BenchPipeline = Annotated[
    bool, typer.Option("--pipeline", help="Measure the whole pipeline on a pattern, or with --config.")
]

BenchEngines = Annotated[
    bool, typer.Option("--engines", help="Measure every engine that is installed here, in one table.")
]

BenchImages = Annotated[
    Path | None,
    typer.Option(help="With --engines: a folder of pictures, on which they should say the same."),
]

BenchOnnx = Annotated[
    Path | None,
    typer.Option(help="With --engines: the same network for ONNX Runtime.", show_default="beside the model"),
]

BenchDelegate = Annotated[
    str | None,
    typer.Option(
        "--delegate",
        help="With --engines: also this one, by its name or its library's path.",
        metavar="NAME|PATH",
    ),
]

BenchDelegateOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--delegate-option",
        help="What its library is told: device=usb:0. May be given again.",
        metavar="KEY=VALUE",
    ),
]

BenchConfig = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="With --pipeline: your cameras, models and broker."),
]

BenchFps = Annotated[float | None, typer.Option(help="With --pipeline: of every camera.", min=0.1, max=1000)]

BenchSize = Annotated[str | None, typer.Option(help="With --pipeline: of every camera.", metavar="WxH")]

BenchLoad = Annotated[
    int, typer.Option(help="With --pipeline: so many processes burn CPU meanwhile.", min=0, max=64)
]

BenchSeconds = Annotated[
    float | None,
    typer.Option(help="Of each measured block.", min=0.1, max=3600, show_default="1; with --pipeline 5"),
]

BenchRounds = Annotated[int, typer.Option(help="How often each block has its turn.", min=1, max=100)]

BenchCompare = Annotated[
    tuple[Path, Path] | None,
    typer.Option(help="Compare two results of --json, and measure nothing.", metavar="BEFORE AFTER"),
]

BenchHtml = Annotated[Path | None, typer.Option(help="Also write a page with plots.")]

WatchCa = Annotated[
    Path | None,
    typer.Option(
        help="The CA of the broker's certificate, in PEM, for mqtts:// and wss://; default: the system's."
    ),
]
WatchCert = Annotated[
    Path | None, typer.Option(help="Our own certificate, for a broker that asks for one; with --key.")
]
WatchKey = Annotated[Path | None, typer.Option(help="The private key of --cert.")]


def numbers(text: str | None, option: str) -> list[float] | None:
    """What --mean and --std say: one number, or one for each colour.

    Raises:
        UsageError: something else.
    """
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in {1, 3}:
        raise UsageError(f"{option}: expected one number or three with commas between, got {text!r}")
    return values


def refuse(given: Mapping[str, object], why: str) -> None:
    """What is given and makes no sense here, rather than to leave it unheard.

    Raises:
        UsageError: one of them is not None.
    """
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} {why}")
