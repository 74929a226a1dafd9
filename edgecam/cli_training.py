"""The commands of `edgecam compress` in which a network learns; each imports its module when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecam.cli_options import AsJson

Force = Annotated[bool, typer.Option("--force", help="Replace what was made there before.")]
Side = Annotated[
    int, typer.Option(help="Of the square that it sees, in pixels; 64 and less cost as much as 96 to 128.")
]
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


def train(
    pictures: Labelled,
    out: Out,
    *,
    design: Annotated[str, typer.Option(help="One of `edgecam compress architectures`.")] = "mobilenet_v2",
    side: Side = 96,
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


def transfer(
    pictures: Labelled,
    out: Out,
    *,
    backbone: Annotated[str, typer.Option(help="efficientnet_lite0 or mobilenet_v2.")] = "efficientnet_lite0",
    weights: Annotated[
        Path | None, typer.Option(help="Their file; default: that of the installed package.")
    ] = None,
    side: Side = 224,
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


def prune(
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


def distil(
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


def qat(
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


LEARNING = (train, transfer, prune, distil, qat)
"""All of them, in the order in which help lists them."""
