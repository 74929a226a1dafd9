"""scripts/demo without python3-venv: an environment that could not be made is not taken for one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
# As Debian's python3 without python3-venv: `-m venv` fails, and leaves a python behind.
_PYTHON = """#!/bin/sh
case "$*" in
*"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python; exit 1 ;;
*realpath*) echo "$0" ;;
*version_info\\[*) echo 3.11 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the demo, and such a python3 beside it."""
    (tmp_path / "scripts").mkdir()
    for name in ("demo", "lib.sh"):
        shutil.copy(_ROOT / "scripts" / name, tmp_path / "scripts" / name)
    shutil.copy(_ROOT / "pyproject.toml", tmp_path)
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(_PYTHON)
    python.chmod(0o755)
    return tmp_path


def test_a_failed_environment_is_made_anew(checkout: Path) -> None:
    """Each run ends with the remedy, also the second, which finds half an environment."""
    environment = os.environ | {"PATH": f"{checkout}/bin:{os.environ['PATH']}", "TMPDIR": str(checkout)}
    for _ in range(2):
        done = subprocess.run(
            [checkout / "scripts" / "demo"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert "on Debian: sudo apt install python3-venv, then run this again" in done.stderr
        assert "No such file" not in done.stderr
        assert (checkout / ".venv" / "bin" / "python").exists()
