"""`edgecam classify`: name pictures, by the same path that a camera's frames take."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from edgecam.capture.images import list_pictures
from edgecam.errors import EdgecamError, UnreadableFrame, UsageError
from edgecam.evaluation.classifier import Classifier
from edgecam.inference.engine import open_engine
from edgecam.inference.engines import AUTO
from edgecam.model.model import Model
from edgecam.model.store import bare_model, find_model, load_model
from edgecam.records import Prediction

# From here on a person wants to see how far it is.
_MANY = 20


def classify(
    pictures: Sequence[Path],
    *,
    model: str,
    labels: Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    top: int = 5,
    engine: str = AUTO,
    threads: int | None = None,
    as_json: bool = False,
) -> None:
    """Print what the network says of each picture, best first.

    Args:
        pictures: files, or folders of pictures.
        model: a model directory, a bare `.tflite` or `.onnx`, or a shipped model's name.
        labels: for a bare file, as for `bare_model`.
        mean: likewise.
        std: likewise.
        top: how many classes to name.
        engine: its name; `auto` chooses by the model's file and by what is installed.
        threads: of the engine; None: chosen from the machine's cores.
        as_json: a line of docs/schemas/classify.schema.json per picture.

    Raises:
        ModelError, EngineError: the model cannot be used.
        SourceError: there is no picture in a folder.
        EdgecamError: a picture could not be read; all others have been classified.
    """
    paths = list(_expand(pictures))
    loaded = load_classifier(model, labels=labels, mean=mean, std=std)
    unreadable = 0
    with open_engine(loaded, engine=engine, threads=threads) as opened:
        see = Classifier(loaded, opened, top=top)
        for path in _with_progress(paths):
            try:
                prediction = see(path)
            except UnreadableFrame as fault:
                print(fault, file=sys.stderr)
                unreadable += 1
                continue
            _show(path, prediction, loaded, as_json=as_json)
    if unreadable:
        raise EdgecamError(f"{unreadable} of {len(paths)} pictures could not be read")


def load_classifier(
    model: str, *, labels: Path | None, mean: Sequence[float] | None, std: Sequence[float] | None
) -> Model:
    """The model of a model directory, of a bare file, or of a shipped model's name.

    Raises:
        ModelError: there is none, or it cannot be used.
        UsageError: an option for a bare file was given with a model directory.
    """
    place = find_model(model, folder=Path())
    if not place.is_dir():
        return bare_model(place, labels=labels, mean=mean, std=std)
    if labels or mean or std:
        raise UsageError(
            f"--labels, --mean and --std are for a bare file; {place} has its own card: change it there"
        )
    return load_model(place)


def _expand(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from list_pictures(path, shown=str(path)) if path.is_dir() else [path]


def _with_progress(paths: Sequence[Path]) -> Iterable[Path]:
    console = Console(stderr=True)
    if len(paths) < _MANY or not console.is_terminal or sys.stdout.isatty():
        return paths
    return track(paths, description="classifying", console=console)


def _show(path: Path, prediction: Prediction, model: Model, *, as_json: bool) -> None:
    if as_json:
        top = [{"label": s.label, "id": s.id, "score": round(s.score, 4)} for s in prediction.top]
        print(json.dumps({"schema": 1, "file": str(path), "model": model.name, "top": top}))
        return
    print(path)
    for score in prediction.top:
        print(f"  {score.score:6.3f}  {score.label}")
