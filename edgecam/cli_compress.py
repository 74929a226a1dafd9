"""The command line of `edgecam compress`: wires its commands; each imports its own module when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecam.cli_options import AsJson, Mean, Std, numbers
from edgecam.cli_training import LEARNING, Force, Out, Side

compress_app = typer.Typer(
    help="Make a model smaller and faster, and see what that costs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RecipeSets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Set one value: pictures.train=/data/train. May be given again.", metavar="KEY=VALUE"
    ),
]
Pictures = Annotated[
    Path | None, typer.Option(help="A folder of pictures of what the camera will see.", metavar="FOLDER")
]
Count = Annotated[int, typer.Option(help="How many of them are taken at most.", min=1)]
BareLabels = Annotated[Path | None, typer.Option(help="For a bare file: its labels, one a line.")]
BareLicence = Annotated[str | None, typer.Option(help="For a bare file: of the weights.")]
BareSource = Annotated[str | None, typer.Option(help="For a bare file: where the weights come from.")]


@compress_app.command("run")
def compress_run(
    recipe: Annotated[Path, typer.Argument(help="A recipe: docs/compress.md.", metavar="RECIPE.yaml")],
    sets: RecipeSets = None,
    *,
    out: Annotated[
        Path | None, typer.Option(help="The folder for results; default: the recipe's.", metavar="DIRECTORY")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Do a recipe's steps that are not done yet, and report what each cost."""
    from edgecam.commands.compress_run import run_recipe

    run_recipe(recipe, sets=sets or (), out=out, as_json=as_json)


@compress_app.command("architectures")
def compress_architectures(
    *,
    classes: Annotated[int, typer.Option(help="How many it tells apart.", min=2)] = 1000,
    side: Side = 224,
    width: Annotated[float | None, typer.Option(help="Factor on its channels.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the networks that can be trained, and how large each is."""
    from edgecam.commands.compress_architectures import show_architectures

    show_architectures(classes=classes, side_px=side, width=width, as_json=as_json)


for learn in LEARNING:
    compress_app.command()(learn)


@compress_app.command("quantize")
def compress_quantize(
    model: Annotated[str, typer.Argument(help="A float model directory, or a bare float .tflite.")],
    out: Out,
    *,
    scheme: Annotated[str, typer.Option(help="int8, int16x8, float16 or dynamic.")] = "int8",
    pictures: Pictures = None,
    count: Count = 200,
    test: Annotated[
        Path | None,
        typer.Option(
            "--test",
            "--labelled",
            help="Class folders, or a CSV `path,label`: both models are compared on these.",
        ),
    ] = None,
    max_loss_points: Annotated[
        float | None,
        typer.Option(help="Refuse to lose more points of top-1 accuracy on the test pictures."),
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option(help="Refuse to name the same class as the float on less: 0.95, …", min=0, max=1),
    ] = None,
    labels: BareLabels = None,
    mean: Mean = None,
    std: Std = None,
    licence: BareLicence = None,
    source: BareSource = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Quantize a float model, and say what it cost."""
    from edgecam.commands.compress_quantize import compress_quantize as command
    from edgecam.commands.compress_source import bare_told

    command(
        model,
        out=out,
        scheme=scheme,
        pictures=pictures,
        most_pictures=count,
        labelled=test,
        min_agreement=min_agreement,
        max_loss_points=max_loss_points,
        bare=bare_told(labels, numbers(mean, "--mean"), numbers(std, "--std"), licence, source),
        force=force,
        as_json=as_json,
    )


@compress_app.command("tiny")
def compress_tiny(
    model: Annotated[str, typer.Argument(help="An int8 model directory, or a bare int8 .tflite.")],
    out: Annotated[Path, typer.Option(help="The new folder.", metavar="DIRECTORY")],
    *,
    pictures: Pictures = None,
    count: Count = 200,
    min_agreement: Annotated[
        float,
        typer.Option(help="Refuse to agree on less with LiteRT's reference kernels.", min=0, max=1),
    ] = 0.99,
    labels: BareLabels = None,
    mean: Mean = None,
    std: Std = None,
    licence: BareLicence = None,
    source: BareSource = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an int8 model out for a microcontroller."""
    from edgecam.commands.compress_source import bare_told
    from edgecam.commands.compress_tiny import compress_tiny as command

    command(
        model,
        out=out,
        pictures=pictures,
        most_pictures=count,
        min_agreement=min_agreement,
        bare=bare_told(labels, numbers(mean, "--mean"), numbers(std, "--std"), licence, source),
        force=force,
        as_json=as_json,
    )
