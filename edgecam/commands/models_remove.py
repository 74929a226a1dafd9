"""`edgecam models remove`: one's own model goes, unless the configuration names it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.prompt import Confirm

from edgecam.commands.consoles import error_console
from edgecam.config.loader import LoadedConfig, load_config
from edgecam.errors import ModelError, UsageError
from edgecam.model.replacement import recover_all
from edgecam.model.staging import check_name, discard, withdraw
from edgecam.model.store import CARD_FILE, find_model


def remove_model(name: str, *, folder: Path, config: Path | None = None, yes: bool = False) -> None:
    """Remove `folder`/models/`name`, or what an ended pull has left of it.

    Args:
        name: of the model directory.
        folder: where the configuration lies.
        config: the configuration that may name it; None: the one in `folder`, else the usual one.
        yes: do not ask.

    Raises:
        UsageError: the configuration names it, there is none of one's own, or nobody could be asked.
        ConfigError: the configuration cannot be read, so nobody knows whether it names it.
        ModelError: it cannot be removed.
    """
    models = folder / "models"
    place = models / check_name(name)
    recover_all(models)
    if not place.is_symlink() and not (place / CARD_FILE).exists():
        if discard(models, name):
            print(f"{name}: what an ended pull had left is gone", file=sys.stderr)
            return
        raise UsageError(f"{place}: is no model directory; `edgecam models list` shows those there are")
    beside = folder / "config.yaml"
    loaded = load_config(config or (beside if beside.is_file() else None), environ=os.environ)
    if users := _users(loaded, place):
        raise UsageError(
            f"{place}: {loaded.path or 'the configuration'} names it ({', '.join(users)}); "
            "let that name another model first"
        )
    if not yes and not _confirmed(place):
        print(f"{place} is left as it is", file=sys.stderr)
        return
    withdraw(place)
    print(place)


def _users(loaded: LoadedConfig, place: Path) -> list[str]:
    """The keys that name the model."""
    users = []
    for name, model in loaded.config.models.items():
        try:
            found = find_model(model.path, folder=loaded.folder)
        except ModelError:
            continue
        # Two names may be one folder, and not by a link alone: where case does not count, or by a mount.
        if place.exists() and any(place.samefile(folder) for folder in (found, found.resolve().parent)):
            users.append(f"models.{name}.path")
    return users


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _confirmed(place: Path) -> bool:
    if not _can_ask():
        raise UsageError(f"{place}: nobody can be asked here; give --yes to remove it")
    return Confirm.ask(f"Remove {place}?", default=False, console=error_console())
