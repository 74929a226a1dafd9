"""From an entry of the catalogue to a model directory: fetched, checked, tried, and only then there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecam.config.shipped import shipped_folder
from edgecam.errors import ModelError, UsageError
from edgecam.model.bare import describe
from edgecam.model.card import DEFAULT_FILE, Card, OutputCard, SelfTest, Twin
from edgecam.model.card_text import card_text
from edgecam.model.catalogue import WHOLE_DIGITS, Entry, Part
from edgecam.model.digests import check_file, digest_of
from edgecam.model.download import Patience, Progress, download
from edgecam.model.staging import check_free, copy_file, publish, remove, staged, write_text
from edgecam.model.store import CARD_FILE, GROUPS_FILE, LABELS_FILE, load_model

_IMAGENET = Path("models", "efficientnet_lite0_int8")

Prove = Callable[[Path], tuple[int, ...]]
"""Runs a model directory's network on the test picture: the best outputs, or a ModelError or EngineError."""
Watch = Callable[[str], Progress]
"""From a file's name to who is told how far it is."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the files come from."""

    mirror: str = ""
    """A folder's address, which has them under their published names; empty: where they were published."""
    file: Path | None = None
    """The model's file, already here; the others lie beside it."""
    sha256s: Sequence[str] = ()
    """What the user vouches for: hashes of files of which the catalogue knows none."""
    patience: Patience | None = None
    """With servers; None: the usual."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What has come."""

    place: Path
    notices: tuple[str, ...]
    """What was left out, or taken without a hash."""


def pull(
    entry: Entry, models: Path, origin: Origin, *, name: str, force: bool, prove: Prove, watch: Watch
) -> Pulled:
    """Fetch a model; its directory appears when all of it is right, and runs.

    Args:
        entry: what to fetch.
        models: the folder that holds model directories.
        origin: where from.
        name: what it is called here.
        force: replace a model of that name.
        prove: runs it once before it is believed.
        watch: who is told how far each file is.

    Raises:
        UsageError: the name is taken, or a hash is needed.
        ModelError, EngineError: a file cannot be had, is another one, or does not run.
    """
    place = check_free(models, name, force=force)
    _check_vouched(entry.model, origin)
    notices: list[str] = []
    with staged(models, name, keep=True) as folder:
        _fetch(entry.model, folder / DEFAULT_FILE, origin, watch)
        twins = _fetch_twins(entry, folder, origin, watch, notices)
        _write_labels(entry, folder, origin, watch, notices)
        card = _card(entry, folder / DEFAULT_FILE, name, twins)
        write_text(folder / CARD_FILE, card_text(card))
        load_model(folder)
        card = replace(card, self_test=SelfTest(top5=prove(folder)))
        write_text(folder / CARD_FILE, card_text(card))
        _drop_others(
            folder, {CARD_FILE, LABELS_FILE, GROUPS_FILE, card.file, *(t.file for t in twins.values())}
        )
        publish(folder, place)
    return Pulled(place, tuple(notices))


def _check_vouched(part: Part, origin: Origin) -> None:
    """Refuse, before a byte is fetched, what nobody vouches for."""
    if not part.sha256 and not origin.sha256s:
        raise UsageError(
            f"{part.name}: this version of edgecam knows no sha256 of it, so it cannot tell it from another "
            f"file; give the one that you trust with --sha256 (published at {part.url})"
        )


def _fetch(part: Part, target: Path, origin: Origin, watch: Watch) -> None:
    """Bring one file to `target`, checked."""
    known = part.sha256 or (origin.sha256s[0] if len(origin.sha256s) == 1 else "")
    if target.exists() and not known:
        remove(target)
    if target.exists():
        # Left by an earlier try, which went wrong later.
        try:
            _check_part(part, target, origin)
        except ModelError:
            remove(target)
        else:
            return
    if origin.file is not None:
        beside = origin.file if target.name == DEFAULT_FILE else origin.file.with_name(part.name)
        copy_file(beside, target)
    else:
        url = f"{origin.mirror.rstrip('/')}/{part.name}" if origin.mirror else part.url
        download(
            url, target, sha256=known, length=part.bytes, progress=watch(part.name), patience=origin.patience
        )
    try:
        _check_part(part, target, origin)
    except ModelError:
        remove(target)
        raise


def _check_part(part: Part, target: Path, origin: Origin) -> None:
    check_file(target, shown=part.name, sha256=part.sha256, length=part.bytes)
    if not part.sha256 and origin.sha256s and digest_of(target) not in origin.sha256s:
        raise ModelError(
            f"{part.name}: has sha256 {digest_of(target)}, which is none of those given by --sha256"
        )


def _fetch_twins(
    entry: Entry, folder: Path, origin: Origin, watch: Watch, notices: list[str]
) -> dict[str, Twin]:
    twins = {}
    for delegate, part in entry.twins.items():
        beside = origin.file is None or origin.file.with_name(part.name).exists()
        if not beside or (not part.sha256 and not origin.sha256s):
            why = (
                f"it does not lie beside {origin.file}"
                if not beside
                else "no sha256 of it is known; give --sha256"
            )
            notices.append(f"without its twin for {delegate} ({part.name}): {why}")
            continue
        _fetch(part, folder / part.name, origin, watch)
        twins[delegate] = Twin(part.name, digest_of(folder / part.name))
    return twins


def _write_labels(entry: Entry, folder: Path, origin: Origin, watch: Watch, notices: list[str]) -> None:
    """The labels; of ImageNet's classes those that came with edgecam, with the groups."""
    if entry.labels is None:
        for name in (LABELS_FILE, GROUPS_FILE):
            copy_file(shipped_folder() / _IMAGENET / name, folder / name)
        return
    labels = entry.labels
    if origin.file is not None and not origin.file.with_name(labels.name).exists():
        raise ModelError(
            f"{origin.file.with_name(labels.name)}: no such file; the labels have to lie beside the model"
        )
    # Of text, which only its number of lines can be held to, a stranger's hash is no part.
    free = replace(origin, sha256s=())
    _fetch(labels, folder / LABELS_FILE, free, watch)
    if len(labels.sha256) < WHOLE_DIGITS:
        notices.append(
            f"{labels.name} was taken as it came, since no sha256 of it is known; it has "
            f"{digest_of(folder / LABELS_FILE)}"
        )


def _card(entry: Entry, file: Path, name: str, twins: dict[str, Twin]) -> Card:
    """What the file says of itself, and what the catalogue adds."""
    said, _ = describe(file)
    return replace(
        said,
        name=name,
        description=entry.description,
        file=DEFAULT_FILE,
        input=replace(said.input, crop_fraction=entry.crop_fraction),
        output=OutputCard(kind=said.output.kind, background_offset=entry.background_offset),
        licence=entry.licence,
        source=f"{entry.source}: {entry.model.url}",
        twins=twins,
    )


def _drop_others(folder: Path, wanted: set[str]) -> None:
    """What an earlier try with other options left."""
    for path in folder.iterdir():
        if path.name not in wanted:
            remove(path)
