"""The command line of `edgecam models`: wires its commands; each imports its own module when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecam.cli_options import AsJson, Config, numbers
from edgecam.errors import UsageError

models_app = typer.Typer(help="The models at hand.", no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[Path, typer.Option(help="Where the configuration lies; its models are in models/ there.")]
Name = Annotated[str | None, typer.Option("--name", help="What it is called here.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a model of that name.")]


@models_app.command("list")
def models_list(
    folder: Folder = Path(),
    *,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="List those that `edgecam models pull` knows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that a configuration can name."""
    if catalogue:
        from edgecam.commands.models_pull import show_catalogue

        show_catalogue(as_json=as_json)
        return
    from edgecam.commands.models import show_models

    show_models(folder, as_json=as_json)


@models_app.command("pull")
def models_pull(
    model: Annotated[str, typer.Argument(help="Of the catalogue: `edgecam models list --catalogue`.")],
    folder: Folder = Path(),
    name: Name = None,
    *,
    mirror: Annotated[
        str,
        typer.Option(
            help="Address of a folder that has the files under their published names.", metavar="URL"
        ),
    ] = "",
    file: Annotated[
        Path | None, typer.Option(help="The model's file, if you have it; labels and twin lie beside it.")
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option(help="The hash of a file of which the catalogue knows none. May be given again."),
    ] = None,
    force: Force = False,
) -> None:
    """Fetch a published model; it appears when it is whole, right, and runs."""
    from edgecam.commands.models_pull import pull_model

    pull_model(
        model,
        folder=folder,
        called=name,
        mirror=mirror,
        file=file,
        sha256s=tuple(sha256 or ()),
        force=force,
    )


@models_app.command("add")
def models_add(
    file: Annotated[Path, typer.Argument(help="A .tflite or .onnx.")],
    folder: Folder = Path(),
    name: Name = None,
    *,
    labels: Annotated[
        Path | None, typer.Option(help="Labels, one a line in the order of its outputs.")
    ] = None,
    mean: Annotated[str | None, typer.Option(help="Mean of its input on 0..255 pixels.")] = None,
    std: Annotated[str | None, typer.Option(help="Standard deviation, as --mean.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the weights come from.")] = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    groups: Annotated[Path | None, typer.Option(help="A groups.yaml for its labels.")] = None,
    fit: Annotated[str | None, typer.Option(help="crop, squash or letterbox; default: crop.")] = None,
    crop_fraction: Annotated[
        float | None, typer.Option(help="How much of the short side a crop takes; default: 1.")
    ] = None,
    color: Annotated[str | None, typer.Option(help="rgb, bgr or gray: as it was trained.")] = None,
    output: Annotated[
        str | None, typer.Option(help="probabilities or logits; default: by the file's last layer.")
    ] = None,
    background_offset: Annotated[
        int, typer.Option(help="1: output 0 is a background that the labels do not name.", min=0, max=1)
    ] = 0,
    twin: Annotated[
        list[str] | None,
        typer.Option(
            help="The same network for a delegate or another engine. May be given again.", metavar="NAME=FILE"
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Make a model of a file; what the file does not say is asked for, or has to be given."""
    from edgecam.commands.models_add import add_model, told_by

    told = told_by(
        {
            "labels": labels, "licence": licence, "source": source, "description": description,
            "groups": groups, "crop_fraction": crop_fraction, "background_offset": background_offset,
            "mean": numbers(mean, "--mean"), "std": numbers(std, "--std"),
        },
        fit=fit, color=color, output=output, twins=_pairs(twin or []),
    )  # fmt: skip
    add_model(file, told, folder=folder, called=name, force=force)


@models_app.command("verify")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Which; default: all.")] = None,
    folder: Folder = Path(),
    *,
    as_json: AsJson = False,
) -> None:
    """Check hashes, cards and labels, and run each model once."""
    from edgecam.commands.models_verify import verify_models

    verify_models(names or (), folder=folder, as_json=as_json)


@models_app.command("remove")
def models_remove(
    name: Annotated[str, typer.Argument(help="Which.")],
    folder: Folder = Path(),
    config: Config = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a model, unless the configuration names it."""
    from edgecam.commands.models_remove import remove_model

    remove_model(name, folder=folder, config=config, yes=yes)


def _pairs(texts: list[str]) -> dict[str, Path]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise UsageError(f"--twin: expected NAME=FILE, as coral=model_edgetpu.tflite, got {text!r}")
        pairs[key] = Path(value)
    return pairs
