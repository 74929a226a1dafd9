"""The systemd unit, held by systemd's own checker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "edgecam.service"


def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    """Unknown keys and missing programs only show on stderr, so stderr must be empty."""
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("systemd-analyze is not on this machine: the unit was not checked")
    unit = tmp_path / "edgecam.service"
    unit.write_text(UNIT.read_text().replace("/opt/edgecam/bin/edgecam", "/bin/true"))
    done = subprocess.run([checker, "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_only_a_person_can_mend_is_not_restarted() -> None:
    """Command line, something missing, configuration: the exit codes that errors.py gives them."""
    assert "RestartPreventExitStatus=2 69 78\n" in UNIT.read_text()
