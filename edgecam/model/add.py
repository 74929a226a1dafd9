"""From a model's bare file to a model directory: its card is what the file says and what the user adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgecam.errors import ModelError, UsageError
from edgecam.model.bare import UNKNOWN_LICENCE, describe
from edgecam.model.card import DEFAULT_FILE, Card, Channels, Fit, OutputKind, SelfTest, Twin
from edgecam.model.card_text import card_text
from edgecam.model.digests import digest_of
from edgecam.model.graph import read_graph
from edgecam.model.labels import fit_labels, parse_labels, read_labels
from edgecam.model.onnx_file import SUFFIX
from edgecam.model.pull import Prove
from edgecam.model.staging import check_free, copy_file, publish, staged, write_text
from edgecam.model.store import CARD_FILE, GROUPS_FILE, LABELS_FILE, ONNX_FILE, load_model

QUESTIONS: Mapping[str, str] = {
    "labels": "the file with its labels, one a line in the order of its outputs",
    "mean": "the mean that its training took from pixels of 0..255: 127.5, or 123.7,116.3,103.5",
    "std": "what its training divided them by then: 127.5, or 58.4,57.1,57.4",
    "licence": "the licence of the weights: Apache-2.0, …, or none",
    "source": "where the weights come from: an address, or trained by me on …",
}
"""What a file may not say, by the option that says it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the user says of a model; None: what the file says, else the usual."""

    labels: Path | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    licence: str | None = None
    source: str | None = None
    description: str | None = None
    groups: Path | None = None
    fit: Fit | None = None
    crop_fraction: float | None = None
    color: Channels | None = None
    kind: OutputKind | None = None
    background_offset: int = 0
    twins: Mapping[str, Path] = field(default_factory=dict)
    """The same network's other files, by the delegate or engine that runs them."""


def unsaid(file: Path, told: Told) -> tuple[str, ...]:
    """Which of `QUESTIONS` neither the file nor the user has answered.

    Raises:
        ModelError: the file cannot be read, or is no model.
    """
    graph = read_graph(file)
    said = graph.metadata
    blind = bool(graph.inputs) and graph.inputs[0].dtype == "float32" and not (said.mean and said.std)
    open_questions = {
        "labels": told.labels is None and said.labels is None,
        "mean": told.mean is None and (blind or told.std is not None),
        "std": told.std is None and (blind or told.mean is not None),
        "licence": told.licence is None and not said.licence,
        "source": told.source is None,
    }
    return tuple(question for question, is_open in open_questions.items() if is_open)


def add(file: Path, models: Path, told: Told, *, name: str, force: bool, prove: Prove) -> Path:
    """Make a model directory of a file; it appears when all of it fits together, and runs.

    Args:
        file: a `.tflite` or `.onnx`.
        models: the folder that holds model directories.
        told: what the file does not say; all that `unsaid` asks for.
        name: what it is called here.
        force: replace a model of that name.
        prove: runs it once before it is believed.

    Returns:
        The model directory.

    Raises:
        UsageError: the name is taken.
        ModelError, EngineError: a file cannot be used, does not fit, or does not run.
    """
    place = check_free(models, name, force=force)
    card, labels = _draft(file, told, name)
    with staged(models, name) as folder:
        write_text(folder / LABELS_FILE, "".join(f"{label}\n" for label in labels))
        write_text(folder / CARD_FILE, card_text(card))
        _copy(file, folder / card.file)
        if told.groups is not None:
            _copy(told.groups, folder / GROUPS_FILE)
        for twin in told.twins.values():
            _copy(twin, folder / twin.name)
        load_model(folder)
        card = replace(card, self_test=SelfTest(top5=prove(folder)))
        write_text(folder / CARD_FILE, card_text(card))
        publish(folder, place)
    return place


def _draft(file: Path, told: Told, name: str) -> tuple[Card, tuple[str, ...]]:
    said, graph = describe(file, mean=told.mean, std=told.std)
    fitted = replace(
        said.input,
        fit=told.fit or said.input.fit,
        crop_fraction=said.input.crop_fraction if told.crop_fraction is None else told.crop_fraction,
        color=told.color or said.input.color,
    )
    licence = told.licence or (said.licence if said.licence != UNKNOWN_LICENCE else "")
    if not licence or not told.source:
        raise UsageError(f"{file}: --licence and --source are needed; a card without them is not accepted")
    card = replace(
        said,
        name=name,
        description=said.description if told.description is None else told.description,
        file=ONNX_FILE if file.suffix == SUFFIX else DEFAULT_FILE,
        input=fitted,
        output=replace(
            said.output, kind=told.kind or said.output.kind, background_offset=told.background_offset
        ),
        licence=licence,
        source=told.source,
        twins={delegate: Twin(twin.name, digest_of(twin)) for delegate, twin in told.twins.items()},
    )
    return card, _labels(file, told, graph.metadata.labels, graph.classes)


def _labels(file: Path, told: Told, packed: bytes | None, classes: int) -> tuple[str, ...]:
    if told.labels is not None:
        labels, where = read_labels(told.labels), told.labels
    elif packed is not None:
        where = Path(f"{file} (metadata)")
        labels = parse_labels(packed, name=str(where))
    else:
        raise UsageError(f"{file}: does not name its classes; give --labels FILE")
    if len(labels) + 1 == classes and not told.background_offset:
        raise ModelError(
            f"{where}: has {len(labels)} labels, but the model has {classes} outputs; if output 0 is a "
            "background class, give --background-offset 1"
        )
    fit_labels(labels, classes, offset=told.background_offset, path=where)
    return labels


def _copy(file: Path, target: Path) -> None:
    if target.exists():
        raise UsageError(f"{file}: another file of this model is called {target.name}, too; rename it")
    copy_file(file, target)
