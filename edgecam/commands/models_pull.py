"""`edgecam models pull`: fetch a model of the catalogue, or show the catalogue."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from edgecam.commands.consoles import result_console
from edgecam.commands.proving import prove
from edgecam.errors import UsageError
from edgecam.model import download
from edgecam.model.catalogue import ENTRIES, WHOLE_DIGITS, Entry, Part, find_entry
from edgecam.model.digests import is_digest
from edgecam.model.pull import Origin, Watch, pull


def pull_model(
    name: str,
    *,
    folder: Path,
    called: str | None = None,
    mirror: str = "",
    file: Path | None = None,
    sha256s: tuple[str, ...] = (),
    force: bool = False,
) -> None:
    """Fetch a model into `folder`/models.

    Args:
        name: of the catalogue.
        folder: where the configuration lies.
        called: what it is called here; None: as in the catalogue.
        mirror: the address of a folder that has the files under their published names.
        file: the model's file, if it is here already.
        sha256s: hashes that the user vouches for.
        force: replace a model of that name.

    Raises:
        UsageError: the options make no sense, there is no such entry, or a model of that name is there.
        ModelError, EngineError: it cannot be had, or does not run here.
    """
    entry = find_entry(name)
    _check(entry, mirror, file, sha256s)
    origin = Origin(mirror=mirror, file=file, sha256s=tuple(digest.lower() for digest in sha256s))
    with _progress() as watch:
        pulled = pull(
            entry,
            folder / "models",
            origin,
            name=called or entry.name,
            force=force,
            prove=prove,
            watch=watch,
        )
    for notice in pulled.notices:
        print(f"{entry.name}: {notice}", file=sys.stderr)
    print(pulled.place)


def show_catalogue(*, as_json: bool = False) -> None:
    """Print what `pull` knows; as JSON by docs/schemas/catalogue.schema.json."""
    if as_json:
        print(json.dumps({"schema": 1, "models": [_entry(entry) for entry in ENTRIES]}, indent=2))
        return
    table = Table(
        "model", "top-1", "parameters", "MACs", "MB", "sha256", "what it is", box=None, pad_edge=False
    )
    for entry in ENTRIES:
        size = entry.model.bytes
        table.add_row(
            entry.name,
            f"{entry.accuracy.top1:g} % of {entry.accuracy.of}" if entry.accuracy else "not published",
            _millions(entry.parameters),
            _millions(entry.macs),
            f"{size / 1e6:.1f}" if size else "",
            _knowledge(entry.model),
            escape(entry.description),
        )
    result_console().print(table)


def _check(entry: Entry, mirror: str, file: Path | None, sha256s: tuple[str, ...]) -> None:
    if mirror and file is not None:
        raise UsageError("--mirror and --file are two places to take it from; give one")
    for digest in sha256s:
        if not is_digest(digest.lower()):
            raise UsageError(f"--sha256: expected 64 hexadecimal digits, got {digest!r}")
    if sha256s and all(part.sha256 for part in (entry.model, *entry.twins.values())):
        raise UsageError(
            f"--sha256 is for files of which no hash is known; those of {entry.name} have theirs"
        )


def _entry(entry: Entry) -> dict[str, Any]:
    words = asdict(entry)
    for part in (words["model"], words["labels"], *words["twins"].values()):
        if part is not None:
            part["sha256"] = part["sha256"] or None
    return words


def _knowledge(part: Part) -> str:
    if len(part.sha256) == WHOLE_DIGITS:
        return "known"
    return f"first {len(part.sha256)} digits" if part.sha256 else "give --sha256"


def _millions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:,.1f} M"


@contextmanager
def _progress() -> Iterator[Watch]:
    """A bar for each file where somebody looks on."""
    console = Console(stderr=True)
    bars = Progress(
        "{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    with bars:

        def watch(name: str) -> download.Progress:
            task = bars.add_task(escape(name), total=None)
            return lambda have, total: bars.update(task, completed=have, total=total)

        yield watch
