"""The command line: wires the commands; `__main__` turns their failures into exit codes.

`--help` imports no door: each command imports its own module when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecam import __version__
from edgecam.cli_bench import bench
from edgecam.cli_compress import compress_app
from edgecam.cli_eval import evaluate
from edgecam.cli_models import models_app
from edgecam.cli_options import (
    AsJson,
    Config,
    HistoryFolder,
    HistorySince,
    InspectDelegate,
    Labels,
    Mean,
    Sets,
    Std,
    Trace,
    WatchCa,
    WatchCert,
    WatchKey,
)
from edgecam.cli_options import numbers as _numbers

app = typer.Typer(
    name="edgecam",
    help="Turns a camera into an MQTT sensor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(models_app, name="models")
app.add_typer(compress_app, name="compress")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        print(f"edgecam {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Turns a camera into an MQTT sensor."""


@app.command()
def init(
    config: Annotated[Path, typer.Option("--config", "-c", help="The file to write.")] = Path("config.yaml"),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite it.")] = False,
) -> None:
    """Find cameras and a broker, and write a commented configuration."""
    from edgecam.commands.init import init as command

    command(config, force=force)


@app.command()
def run(config: Config = None, sets: Sets = None, trace: Trace = None) -> None:
    """Watch the cameras and publish, until stopped."""
    from edgecam.commands.heap import use_one_heap
    from edgecam.commands.signals import ReloadSignal, leave_on_sigterm

    # Before numpy brings its threads.
    use_one_heap()
    reload_signal = ReloadSignal()
    leave_on_sigterm()
    # What follows loads for seconds on a small board.
    from edgecam.commands.run import run as command

    raise typer.Exit(command(config, sets=sets or (), trace_path=trace, reload_signal=reload_signal))


@app.command()
def check(config: Config = None, sets: Sets = None, *, as_json: AsJson = False) -> None:
    """Check the configuration, and print each value with its origin."""
    from edgecam.commands.check import check as command

    command(config, sets=sets or (), as_json=as_json)


@app.command()
def doctor(
    config: Config = None,
    sets: Sets = None,
    *,
    no_open: Annotated[bool, typer.Option("--no-open", help="Take no picture of the cameras.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong here, and say what to do."""
    from edgecam.commands.doctor import doctor as command

    raise typer.Exit(command(config, sets=sets or (), opens_cameras=not no_open, as_json=as_json))


@app.command()
def classify(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    model: Annotated[
        str, typer.Option(help="A model directory, a bare .tflite or .onnx, or a shipped model's name.")
    ] = "efficientnet_lite0_int8",
    labels: Labels = None,
    mean: Mean = None,
    std: Std = None,
    *,
    top: Annotated[int, typer.Option(help="How many classes to name.", min=1)] = 5,
    engine: Annotated[
        str, typer.Option(help="What runs it: litert, tflite-runtime, onnx, tflm, …; auto: by the file.")
    ] = "auto",
    threads: Annotated[int | None, typer.Option(help="Threads of the engine.", min=1, max=64)] = None,
    as_json: AsJson = False,
) -> None:
    """Name pictures, by the same path that a camera's frames take."""
    from edgecam.commands.classify import classify as command

    command(
        pictures,
        model=model,
        labels=labels,
        mean=_numbers(mean, "--mean"),
        std=_numbers(std, "--std"),
        top=top,
        engine=engine,
        threads=threads,
        as_json=as_json,
    )


app.command("eval")(evaluate)


@app.command()
def watch(
    url: Annotated[
        str | None,
        typer.Option(help="The broker, as mqtt.url of the device.", show_default="mqtt://127.0.0.1:1883"),
    ] = None,
    base: Annotated[str, typer.Option(help="First levels of the topics, as mqtt.base.")] = "edgecam",
    *,
    device: Annotated[str, typer.Option(help="One device; +: all.")] = "+",
    camera: Annotated[str, typer.Option(help="One camera; +: all.")] = "+",
    seconds: Annotated[float | None, typer.Option(help="End by itself after so long.", min=0)] = None,
    username: Annotated[str | None, typer.Option(help="The name to log in with.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File that holds the password alone.")] = None,
    ca: WatchCa = None,
    cert: WatchCert = None,
    key: WatchKey = None,
    plain: Annotated[bool, typer.Option("--plain", help="A line per change, also on a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Subscribe, and show what subscribers receive."""
    from edgecam.commands.watch import read_password_file, tls_files
    from edgecam.commands.watch import watch as command

    command(
        url,
        base=base,
        device=device,
        camera=camera,
        seconds=seconds,
        username=username,
        password=read_password_file(password_file) if password_file else None,
        tls=tls_files(ca=ca, cert=cert, key=key),
        plain=plain,
        as_json=as_json,
    )


@app.command()
def history(
    *,
    since: HistorySince = None,
    camera: Annotated[str | None, typer.Option(help="One camera; default: all.")] = None,
    folder: HistoryFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the events that are kept on this device, and their pictures."""
    from edgecam.commands.history import history as command

    command(since=since, camera=camera, folder=folder, as_json=as_json)


@app.command()
def discovery(
    config: Config = None,
    sets: Sets = None,
    *,
    show: Annotated[
        bool, typer.Option("--print", help="Print the announcements, by topic, as JSON.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Clear them on the broker.")] = False,
) -> None:
    """Show what Home Assistant is told about this device, or take it back."""
    from edgecam.commands.discovery import discovery as command

    command(config, sets=sets or (), show=show, remove=remove)


@app.command()
def inspect(
    model: Annotated[
        str, typer.Argument(help="A model directory, a bare .tflite or .onnx, or a shipped model's name.")
    ],
    labels: Labels = None,
    mean: Mean = None,
    std: Std = None,
    *,
    layers: Annotated[bool, typer.Option("--layers", help="Show each step of the network, too.")] = False,
    delegate: InspectDelegate = None,
    as_json: AsJson = False,
) -> None:
    """Show what is inside a model, without running it."""
    from edgecam.commands.inspect import inspect_model

    inspect_model(
        model,
        as_json=as_json,
        layers=layers,
        delegate=delegate,
        labels=labels,
        mean=_numbers(mean, "--mean"),
        std=_numbers(std, "--std"),
    )


app.command("bench")(bench)
