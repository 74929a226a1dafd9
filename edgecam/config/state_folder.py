"""Where edgecam keeps what outlives it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgecam.config.schema import OutboxConfig

_NAME = "outbox.db"
_HISTORY = "history"
_THREADS = "threads.json"
# Of a service without a home and without systemd's StateDirectory.
_LAST_RESORT = Path("/var/lib/edgecam")


def outbox_path(outbox: OutboxConfig, folder: Path, environ: Mapping[str, str]) -> Path | None:
    """The file of the outbox; None: in memory only.

    Args:
        outbox: the configuration.
        folder: what a relative path refers to.
        environ: the environment variables.
    """
    if outbox.path == "memory":
        return None
    return state_folder(environ) / _NAME if outbox.path == "auto" else folder / outbox.path


def history_path(environ: Mapping[str, str], *, state: Path | None = None) -> Path:
    """The folder of the evidence; `state`: the folder for states, if it is another one."""
    return (state or state_folder(environ)) / _HISTORY


def threads_path(environ: Mapping[str, str]) -> Path:
    """The file in which measured numbers of threads are remembered."""
    return state_folder(environ) / _THREADS


def state_folder(environ: Mapping[str, str]) -> Path:
    """`$STATE_DIRECTORY` as systemd sets it, else `edgecam` in the user's folder for states (XDG)."""
    # systemd gives all of a unit's StateDirectory=, with colons between.
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    xdg = Path(environ.get("XDG_STATE_HOME", ""))
    # A relative one is to be ignored, says the specification.
    if xdg.is_absolute():
        return xdg / "edgecam"
    home = environ.get("HOME")
    return Path(home) / ".local" / "state" / "edgecam" if home else _LAST_RESORT
