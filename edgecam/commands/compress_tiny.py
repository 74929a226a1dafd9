"""`edgecam compress tiny`: an int8 model becomes a folder to build for a microcontroller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from edgecam.commands.compress_source import check_apart_from, model_folder, progress_told
from edgecam.compress.calibration import MOST_PICTURES, find_pictures
from edgecam.compress.extra import require_tflm
from edgecam.compress.flatfile import tidy
from edgecam.compress.tiny import LEAST_AGREEMENT, Tiny, make_tiny
from edgecam.model.add import Told
from edgecam.model.graph import parse_graph, read_model_bytes
from edgecam.model.staging import write_bytes


def compress_tiny(
    model: str,
    *,
    out: Path,
    pictures: Path | None = None,
    most_pictures: int = MOST_PICTURES,
    min_agreement: float = LEAST_AGREEMENT,
    bare: Told | None = None,
    force: bool = False,
    as_json: bool = False,
) -> None:
    """Write a network as a C array with a program that runs it in TFLite Micro, and print what was measured.

    Args:
        model: an int8 model directory, a bare int8 `.tflite`, or a model's name.
        out: the new folder.
        pictures: a folder of pictures on which TFLite Micro is compared with the reference kernels; None:
            made ones.
        most_pictures: how many of them are taken.
        min_agreement: the least share of pictures on which both must name the same class, 0..1.
        bare: what a bare file does not say of itself, as for `edgecam models add`.
        force: replace a folder of that kind.
        as_json: print docs/schemas/compress_tiny.schema.json.

    Raises:
        UsageError: a bare file does not say enough, or `out` is taken.
        UnusableError: TFLite Micro is not installed.
        ModelError, EngineError: the model cannot be used, or not by TFLite Micro.
        SourceError: there are no pictures.
        EdgecamError: TFLite Micro and the reference kernels agree on less.
    """
    require_tflm()
    check_apart_from(out, pictures)
    paths = [] if pictures is None else find_pictures(pictures, most=most_pictures)
    with model_folder(model, bare, mend=_mend) as folder, progress_told() as told:
        made = make_tiny(folder, out, paths, min_agreement=min_agreement, force=force, told=told)
    print(json.dumps(_document(made), indent=2) if as_json else "\n".join(_lines(made)))


def _mend(file: Path, target: Path) -> None:
    """Old files have what LiteRT refuses; one that is damaged is refused before it is unpacked."""
    data = read_model_bytes(file)
    parse_graph(data, path=file)
    write_bytes(target, tidy(data))


def _lines(made: Tiny) -> Iterator[str]:
    micro = made.micro
    yield str(made.place)
    yield f"  flash {made.bytes} bytes, arena {micro.arena_bytes} bytes (it took {micro.used_bytes})"
    yield f"  operators: {', '.join(method.removeprefix('Add') for method in made.operators)}"
    yield (
        f"  TFLite Micro and the reference kernels name the same class on {micro.same} of {micro.rows} "
        f"{micro.what}; all scores are the same on {micro.identical}, or up to {micro.largest} of 256 apart"
    )
    yield "  main.cc was not built here: that takes TFLite Micro's sources, see README.md there"


def _document(made: Tiny) -> dict[str, object]:
    micro = made.micro
    return {
        "schema": 1,
        "path": str(made.place),
        "bytes": made.bytes,
        "arena_bytes": micro.arena_bytes,
        "arena_used_bytes": micro.used_bytes,
        "operators": [method.removeprefix("Add") for method in made.operators],
        "compared_on": micro.rows,
        "made_pictures": micro.what != "pictures",
        "agreement": made.agreement,
        "identical": micro.identical,
        "largest_difference": micro.largest,
        "expected": micro.expected,
        "tflite_micro": micro.runtime,
    }
