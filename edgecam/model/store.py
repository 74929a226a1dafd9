"""Where models lie: finding, listing and loading model directories."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgecam.config.shipped import shipped_folder
from edgecam.errors import ModelError
from edgecam.model.bare import bare_model
from edgecam.model.card import DEFAULT_FILE, Card, read_card
from edgecam.model.graph import TFLITE_SUFFIX, Graph, is_readable, parse_graph, read_model_bytes
from edgecam.model.groups import read_groups
from edgecam.model.labels import fit_labels, read_labels
from edgecam.model.model import Model
from edgecam.model.onnx_file import SUFFIX
from edgecam.model.replacement import recover_all, recovered
from edgecam.model.support import check_card, check_supported

__all__ = ["Listing", "Model", "bare_model", "find_model", "list_models", "load_model", "shipped_folder"]

CARD_FILE = "card.yaml"
ONNX_FILE = f"model{SUFFIX}"
LABELS_FILE = "labels.txt"
GROUPS_FILE = "groups.yaml"


@dataclass(frozen=True, slots=True)
class Listing:
    """One model directory that was found, usable or not."""

    path: Path
    model: Model | None
    graph: Graph | None
    """None for what cannot be used, and for a file of which only its engine knows what is inside."""
    fault: str | None
    """Why it cannot be used; None when it can."""


def load_model(path: Path) -> Model:
    """Load a model directory, and refuse it by name if anything in it does not fit.

    Raises:
        ModelError: the directory, card, labels or model are missing, damaged, or disagree.
    """
    return _load(path)[0]


def model_file(folder: Path, card: Card) -> Path:
    """The file of a model directory: the one that its card names, else `model.tflite`, else `model.onnx`."""
    file, other = folder / card.file, folder / ONNX_FILE
    return other if card.file == DEFAULT_FILE and not file.exists() and other.exists() else file


def find_model(path: str, *, folder: Path) -> Path:
    """Where the model of a configuration lies: beside the file that names it, else among the shipped ones.

    Args:
        path: as written: absolute, relative to `folder` (`models/name`), or a shipped model's name.
        folder: what relative paths refer to.

    Raises:
        ModelError: no such model, with the nearest name.
    """
    shipped = shipped_folder()
    for candidate in (folder / path, shipped / path, shipped / "models" / path):
        try:
            found = candidate if candidate.exists() else recovered(candidate)
        except OSError as error:
            raise ModelError(f"{candidate}: cannot be looked at ({error.strerror})") from error
        if found is not None:
            return found
    if Path(path).suffix in {TFLITE_SUFFIX, SUFFIX}:
        raise ModelError(f"{folder / path}: no such file")
    known = [entry.name for entry in _model_folders((folder / "models", shipped / "models"))]
    near = difflib.get_close_matches(Path(path).name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known models: {', '.join(known) or 'none'}"
    raise ModelError(f"{folder / path}: no such model; {hint}")


def list_models(folders: Iterable[Path]) -> list[Listing]:
    """Every model directory directly inside `folders`, by name; a faulty one is listed with its fault."""
    listings = []
    for path in _model_folders(folders):
        try:
            model, graph = _load(path)
        except ModelError as error:
            listings.append(Listing(path, None, None, str(error)))
        else:
            listings.append(Listing(path, model, graph, None))
    return listings


def _model_folders(folders: Iterable[Path]) -> list[Path]:
    """Each directory that holds a card, once, also when two of `folders` are the same."""
    found: set[Path] = set()
    for folder in folders:
        found.update(path.resolve() for path in recover_all(folder))
        found.update(card.parent.resolve() for card in folder.glob(f"*/{CARD_FILE}"))
    return sorted(found, key=lambda path: (path.name, path))


def _load(path: Path) -> tuple[Model, Graph | None]:
    path = path if path.exists() else recovered(path) or path
    _check_folder(path)
    card = read_card(path / CARD_FILE)
    file = model_file(path, card)
    data = read_model_bytes(file)
    digest = hashlib.sha256(data).hexdigest()
    graph = parse_graph(data, path=file) if is_readable(file) else None
    if digest != card.sha256:
        raise ModelError(
            f"{file}: is not the file that {CARD_FILE} describes: expected sha256 {card.sha256[:12]}…, "
            f"got {digest[:12]}…; fetch it again, or correct the card if you changed the model"
        )
    labels_file, offset = path / LABELS_FILE, card.output.background_offset
    labels = read_labels(labels_file)
    if graph is not None:
        check_supported(graph, path=file)
        check_card(card, graph, path=path / CARD_FILE)
    # Of a file that nobody can look into, labels and card are believed till its engine is open.
    classes = len(labels) + offset if graph is None else graph.classes
    labels = fit_labels(labels, classes, offset=offset, path=labels_file)
    groups_file = path / GROUPS_FILE
    groups = read_groups(groups_file, classes=classes, offset=offset) if groups_file.exists() else {}
    return Model(name=card.name, path=file, sha256=digest, card=card, labels=labels, groups=groups), graph


def _check_folder(path: Path) -> None:
    if not path.exists():
        raise ModelError(f"{path}: no such model directory")
    if not path.is_dir():
        raise ModelError(
            f"{path}: is a file, but a model directory is needed ({DEFAULT_FILE} or {ONNX_FILE}, "
            f"{CARD_FILE}, {LABELS_FILE}); `edgecam inspect` and `edgecam classify` also take a bare file"
        )
    for name in (CARD_FILE, LABELS_FILE):
        if not (path / name).is_file():
            raise ModelError(f"{path}: is no model directory: {name} is missing (docs/models.md)")
