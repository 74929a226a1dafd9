"""The command line of `edgecam compress`: wires its commands; each imports its own module when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecam.cli_options import AsJson, Mean, Sets, Std, numbers

compress_app = typer.Typer(
    help="Make a model smaller and faster, and see what that costs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Pictures = Annotated[
    Path | None, typer.Option(help="A folder of pictures of what the camera will see.", metavar="FOLDER")
]
Count = Annotated[int, typer.Option(help="How many of them are taken at most.", min=1)]
BareLabels = Annotated[Path | None, typer.Option(help="For a bare file: its labels, one a line.")]
BareLicence = Annotated[str | None, typer.Option(help="For a bare file: of the weights.")]
BareSource = Annotated[str | None, typer.Option(help="For a bare file: where the weights come from.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what was made there before.")]
Labelled = Annotated[
    Path, typer.Option("--pictures", help="Class folders, or a CSV `path,label`: what is learnt from.")
]
Test = Annotated[
    Path | None,
    typer.Option(help="As --pictures, but others: what accuracy is measured on."),
]
Out = Annotated[Path, typer.Option(help="The new model directory.", metavar="DIRECTORY")]
Trained = Annotated[Path, typer.Argument(help="A float model directory that edgecam compress made.")]
Epochs = Annotated[
    int | None,
    typer.Option(help="How often it sees each picture; default: 10, train 30, prune 12, qat 3.", min=1),
]
Rate = Annotated[
    float | None, typer.Option(help="The highest learning rate; default: 0.001, train 0.003, qat 0.0001.")
]
Batch = Annotated[int | None, typer.Option(help="Pictures in one step of learning; default: 32.", min=1)]
Flip = Annotated[bool, typer.Option(help="Mirror half of the pictures by chance.")]
Balanced = Annotated[
    bool, typer.Option("--balanced", help="All classes count alike, however many pictures each has.")
]
MaxLoss = Annotated[
    float | None,
    typer.Option(help="Refuse to lose more points of accuracy on the test pictures.", min=0, max=100),
]
Seed = Annotated[int, typer.Option(help="Of all chance.", min=0)]


@compress_app.command("run")
def compress_run(
    recipe: Annotated[Path, typer.Argument(help="A recipe: docs/compress.md.", metavar="RECIPE.yaml")],
    sets: Sets = None,
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
    side: Annotated[
        int,
        typer.Option(help="Of the square that it sees, in pixels; 64 and less cost as much as 96 to 128."),
    ] = 224,
    width: Annotated[float | None, typer.Option(help="Factor on its channels.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the networks that can be trained, and how large each is."""
    from edgecam.commands.compress_architectures import show_architectures

    show_architectures(classes=classes, side_px=side, width=width, as_json=as_json)


@compress_app.command("train")
def compress_train(
    pictures: Labelled,
    out: Out,
    *,
    design: Annotated[str, typer.Option(help="One of `edgecam compress architectures`.")] = "mobilenet_v2",
    side: Annotated[
        int,
        typer.Option(help="Of the square that it sees, in pixels; 64 and less cost as much as 96 to 128."),
    ] = 96,
    width: Annotated[float | None, typer.Option(help="Factor on its channels.")] = None,
    licence: Annotated[str, typer.Option(help="Of the weights, for the card.")] = "not stated",
    epochs: Epochs = None,
    learning_rate: Rate = None,
    batch: Batch = None,
    flip: Flip = True,
    balanced: Balanced = False,
    seed: Seed = 1,
    test: Test = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a network from nothing but pictures."""
    from edgecam.commands.compress_step import Wanted, do_step, learning

    said = {"design": design, "side_px": side, "width": width}
    wanted = Wanted(
        pictures=pictures, out=out, test=test, seed=seed, force=force, as_json=as_json, licence=licence
    )
    do_step("train", {**said, **learning(epochs, learning_rate, batch, flip=flip, balanced=balanced)}, wanted)


@compress_app.command("transfer")
def compress_transfer(
    pictures: Labelled,
    out: Out,
    *,
    backbone: Annotated[str, typer.Option(help="efficientnet_lite0 or mobilenet_v2.")] = "efficientnet_lite0",
    weights: Annotated[
        Path | None, typer.Option(help="Their file; default: that of the installed package.")
    ] = None,
    side: Annotated[
        int,
        typer.Option(help="Of the square that it sees, in pixels; 64 and less cost as much as 96 to 128."),
    ] = 224,
    frozen_epochs: Annotated[
        int | None, typer.Option(help="Epochs in which only the last layer learns; default: 15.", min=0)
    ] = None,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    batch: Batch = None,
    flip: Flip = True,
    balanced: Balanced = False,
    seed: Seed = 1,
    test: Test = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Teach a network that somebody trained your own classes."""
    from edgecam.commands.compress_step import Wanted, do_step, learning

    said = {
        "backbone": backbone,
        "weights": None if weights is None else str(weights.absolute()),
        "side_px": side,
        "frozen_epochs": frozen_epochs,
    }
    wanted = Wanted(pictures=pictures, out=out, test=test, seed=seed, force=force, as_json=as_json)
    do_step(
        "transfer", {**said, **learning(epochs, learning_rate, batch, flip=flip, balanced=balanced)}, wanted
    )


@compress_app.command("prune")
def compress_prune(
    model: Trained,
    pictures: Labelled,
    out: Out,
    *,
    macs: Annotated[
        float | None,
        typer.Option(help="Multiply-accumulates that may be left; up to 1: a share of those before."),
    ] = None,
    ms: Annotated[
        float | None, typer.Option(help="Milliseconds that one inference may take, as int8.")
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option(help="Instead, the share of single weights that become 0: smaller archives, no more."),
    ] = None,
    measure_with: Annotated[
        str | None,
        typer.Option(
            help="A command that gets a .tflite and prints the milliseconds that it takes elsewhere."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(help="In how many rounds.", min=1)] = 3,
    importance: Annotated[
        str, typer.Option(help="What a channel is worth by: taylor, magnitude or batch_norm.")
    ] = "taylor",
    epochs: Epochs = None,
    learning_rate: Rate = None,
    batch: Batch = None,
    flip: Flip = True,
    balanced: Balanced = False,
    seed: Seed = 1,
    test: Test = None,
    max_loss_points: MaxLoss = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Take channels out of a network until it is small or fast enough."""
    from edgecam.commands.compress_step import Wanted, do_step, learning

    said = {
        "macs": macs, "ms": ms, "sparsity": sparsity, "measure_with": measure_with, "rounds": rounds,
        "importance": importance,
    }  # fmt: skip
    wanted = Wanted(
        pictures=pictures, out=out, test=test, max_loss_points=max_loss_points, seed=seed, force=force,
        as_json=as_json,
    )  # fmt: skip
    do_step(
        "prune",
        {**said, **learning(epochs, learning_rate, batch, flip=flip, balanced=balanced)},
        wanted,
        model=model,
    )


@compress_app.command("distil")
def compress_distil(
    model: Trained,
    teacher: Annotated[
        Path,
        typer.Option(help="A model directory of the same labels, larger and better.", metavar="DIRECTORY"),
    ],
    pictures: Labelled,
    out: Out,
    *,
    temperature: Annotated[float, typer.Option(help="How far its answers are softened.")] = 4.0,
    weight: Annotated[float, typer.Option(help="Its share beside the labels.", min=0, max=1)] = 0.7,
    unlabelled: Annotated[
        Path | None,
        typer.Option(help="Pictures of your own camera that it labels softly.", metavar="FOLDER"),
    ] = None,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    batch: Batch = None,
    flip: Flip = True,
    balanced: Balanced = False,
    seed: Seed = 1,
    test: Test = None,
    max_loss_points: MaxLoss = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Let a network learn from a better one's answers."""
    from edgecam.commands.compress_step import Wanted, do_step, learning

    said = {
        "temperature": temperature,
        "weight": weight,
        "unlabelled": None if unlabelled is None else str(unlabelled.absolute()),
    }
    wanted = Wanted(
        pictures=pictures, out=out, test=test, max_loss_points=max_loss_points, seed=seed, force=force,
        as_json=as_json,
    )  # fmt: skip
    settings = {**said, **learning(epochs, learning_rate, batch, flip=flip, balanced=balanced)}
    do_step("distil", settings, wanted, model=model, teacher=teacher)


@compress_app.command("qat")
def compress_qat(
    model: Trained,
    pictures: Labelled,
    out: Out,
    *,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    batch: Batch = None,
    flip: Flip = True,
    balanced: Balanced = False,
    seed: Seed = 1,
    test: Test = None,
    max_loss_points: MaxLoss = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Let a network learn with int8's roundings in it; quantize it then."""
    from edgecam.commands.compress_step import Wanted, do_step, learning

    wanted = Wanted(
        pictures=pictures, out=out, test=test, max_loss_points=max_loss_points, seed=seed, force=force,
        as_json=as_json,
    )  # fmt: skip
    do_step("qat", learning(epochs, learning_rate, batch, flip=flip, balanced=balanced), wanted, model=model)


@compress_app.command("quantize")
def compress_quantize(
    model: Annotated[str, typer.Argument(help="A float model directory, or a bare float .tflite.")],
    out: Annotated[Path, typer.Option(help="The new model directory.", metavar="DIRECTORY")],
    *,
    scheme: Annotated[str, typer.Option(help="int8, int16x8, float16 or dynamic.")] = "int8",
    pictures: Pictures = None,
    count: Count = 200,
    labelled: Annotated[
        Path | None,
        typer.Option(help="Class folders, or a CSV `path,label`: both models are compared on these."),
    ] = None,
    max_loss_points: Annotated[
        float | None,
        typer.Option(help="Refuse to lose more points of top-1 accuracy on labelled pictures."),
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
        labelled=labelled,
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
