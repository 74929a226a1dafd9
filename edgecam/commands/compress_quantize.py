"""`edgecam compress quantize`: a float model becomes one of smaller numbers, and what that cost is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from edgecam.commands.compress_source import (
    check_apart_from,
    check_class_folders,
    model_folder,
    progress_told,
)
from edgecam.commands.proving import prove
from edgecam.compress.calibration import MOST_PICTURES, find_pictures
from edgecam.compress.extra import require_quantizer
from edgecam.compress.quantization import Scheme
from edgecam.compress.quantized_model import Demands, Quantized, quantize_model
from edgecam.errors import UsageError
from edgecam.evaluation.pictures import read_picture_set
from edgecam.model.add import Told
from edgecam.model.store import load_model


def compress_quantize(
    model: str,
    *,
    out: Path,
    scheme: str = Scheme.INT8,
    pictures: Path | None = None,
    most_pictures: int = MOST_PICTURES,
    labelled: Path | None = None,
    min_agreement: float | None = None,
    max_loss_points: float | None = None,
    bare: Told | None = None,
    force: bool = False,
    as_json: bool = False,
) -> None:
    """Make a quantized model directory of a float model, and print what it cost.

    Args:
        model: a float model directory, a bare float `.tflite`, or a model's name.
        out: the new model directory.
        scheme: a value of `Scheme`.
        pictures: a folder of pictures of what the camera will see, to calibrate and compare with.
        most_pictures: how many of them are taken.
        labelled: class folders or a CSV, to compare both models on.
        min_agreement: the least share of pictures on which both must name the same class, 0..1.
        max_loss_points: the most points of top-1 accuracy that may be lost on labelled pictures.
        bare: what a bare file does not say of itself, as for `edgecam models add`.
        force: replace a model directory.
        as_json: print docs/schemas/compress_quantize.schema.json.

    Raises:
        UsageError: an option is missing or makes no sense, or `out` is taken.
        ModelError, EngineError, UnusableError: the model cannot be used, quantized or run.
        SourceError: there are no pictures.
        EdgecamError: it loses more than is allowed.
    """
    chosen = _scheme(scheme)
    require_quantizer()
    check_apart_from(out, pictures, labelled)
    check_class_folders(test=labelled)
    if chosen.warning:
        print(chosen.warning, file=sys.stderr)
    paths = [] if pictures is None else find_pictures(pictures, most=most_pictures)
    with model_folder(model, bare) as folder, progress_told() as told:
        truth = None
        if labelled is not None:
            loaded = load_model(folder)
            offset = loaded.card.output.background_offset
            truth = read_picture_set(labelled, labels=loaded.labels, offset=offset)
        made = quantize_model(
            folder,
            out,
            chosen,
            paths,
            labelled=truth,
            demands=Demands(min_agreement, max_loss_points),
            force=force,
            prove=prove,
            told=told,
        )
    print(json.dumps(_document(made), indent=2) if as_json else "\n".join(_lines(made)))


def _scheme(text: str) -> Scheme:
    try:
        return Scheme(text)
    except ValueError:
        raise UsageError(f"--scheme: expected one of {', '.join(Scheme)}, got {text!r}") from None


def _lines(made: Quantized) -> Iterator[str]:
    yield str(made.place)
    calibrated = f"; calibrated with {made.calibrated_on} pictures" if made.calibrated_on else ""
    calibrated = "; with the ranges that it learnt" if made.learnt else calibrated
    yield f"  {made.scheme}: {made.bytes / 1e6:.2f} MB, its float {made.float_bytes / 1e6:.2f} MB{calibrated}"
    if not made.compared_on:
        yield "  not compared with its float: give --pictures or --test"
        return
    yield f"  names the same class as its float on {made.same} of {made.compared_on} pictures"
    if made.top1 is not None and made.float_top1 is not None:
        yield f"  top-1 {100 * made.top1:.1f} % of them right, its float {100 * made.float_top1:.1f} %"


def _document(made: Quantized) -> dict[str, object]:
    return {
        "schema": 1,
        "model": made.place.name,
        "path": str(made.place),
        "scheme": str(made.scheme),
        "bytes": made.bytes,
        "float_bytes": made.float_bytes,
        "calibrated_on": made.calibrated_on,
        "learnt": made.learnt,
        "compared_on": made.compared_on,
        "agreement": made.agreement,
        "top1": made.top1,
        "float_top1": made.float_top1,
    }
