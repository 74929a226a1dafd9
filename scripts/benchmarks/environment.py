"""Virtual environments for contenders whose libraries are none of edgecam's, kept in `.venvs`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class NotInstallable(Exception):
    """The environment could not be made; the text says why, in pip's own last words."""


def environment(name: str, requirements: Sequence[str], *, proof: str, folder: Path | None = None) -> Path:
    """The Python of an environment with these packages; made if it is not there, or was made for others.

    Args:
        name: of the environment.
        requirements: pinned, so that two runs compare the same thing.
        proof: a statement that must succeed in it; a wheel may install and yet lack a system library.
        folder: where environments lie; default `.venvs` of the checkout.

    Raises:
        NotInstallable: no network, no wheel for this machine, or the proof fails.
    """
    place = (folder or ROOT / ".venvs") / name
    python, seal = place / "bin" / "python", place / ".sealed"
    key = f"{sys.version} {' '.join(requirements)}"
    if seal.exists() and seal.read_text(encoding="utf-8") == key:
        return python
    print(f"bench: installing {', '.join(requirements)} in {place} ...", file=sys.stderr)
    shutil.rmtree(place, ignore_errors=True)
    _run(sys.executable, "-m", "venv", "--without-pip", place)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    _run(*pip, "install", "--quiet", *requirements)
    _run(python, "-c", proof)
    seal.write_text(key, encoding="utf-8")
    return python


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstallable(last_line(done.stderr) or last_line(done.stdout) or f"exit {done.returncode}")


def last_line(text: str) -> str:
    """The last line that is not blank: where pip and tracebacks say what went wrong."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
