"""deploy/install.sh, as far as it can be tried without changing the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_DEPLOY = Path(__file__).parents[2] / "deploy"
_INSTALL = _DEPLOY / "install.sh"
_SCRIPTS = [
    _INSTALL,
    *sorted((_DEPLOY / "installing").glob("*.sh")),
]

pytestmark = pytest.mark.skipif(
    shutil.which("apt-get") is None or not Path("/usr/bin/python3").exists(),
    reason="the installer is for Debian with its own Python",
)


def _install(*options: str, system: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if system is not None:
        environment["SYSTEMD_OS_RELEASE"] = str(system)
    return subprocess.run(
        [str(_INSTALL), *options], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def _system(folder: Path, text: str) -> Path:
    path = folder / "os-release"
    path.write_text(text)
    return path


@pytest.fixture
def bookworm(tmp_path: Path) -> Path:
    """A system that the installer knows."""
    return _system(tmp_path, 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_clean(script: Path) -> None:
    """Every part of the installer parses, and shellcheck finds nothing in it where there is one."""
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True, check=True).stderr == b""
    if shutil.which("shellcheck"):
        checked = subprocess.run(
            ["shellcheck", "-x", str(script)], cwd=_DEPLOY.parent, capture_output=True, text=True, check=False
        )
        assert checked.stdout == ""


def test_dry_run_says_all_and_does_nothing(bookworm: Path) -> None:
    """`--dry-run` names user, release, configuration, units and start, needs no root, and leaves no trace."""
    before = Path("/opt/edgecam").exists(), Path("/etc/edgecam").exists()
    done = _install("--dry-run", "--coral", "--no-packages", system=bookworm)
    assert done.returncode == 0, done.stderr
    would = done.stdout
    assert "/opt/edgecam/releases/" in would
    assert "edgecam init --config /etc/edgecam/config.yaml" in would
    assert "/etc/systemd/system/edgecam.service" in would
    assert "/etc/systemd/system/edgecam@.service.d/coral-usb.conf" in would
    assert "systemctl --quiet enable edgecam.service" in would
    assert "nothing was changed" in done.stderr
    assert (Path("/opt/edgecam").exists(), Path("/etc/edgecam").exists()) == before


def test_drop_ins_only_on_demand(bookworm: Path) -> None:
    """The last resort of rebooting the machine is never installed by itself."""
    done = _install("--dry-run", "--camera", "picamera2", "--no-packages", system=bookworm)
    assert "edgecam.service.d/picamera2.conf" in done.stdout
    assert "reboot.conf" not in done.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--camera", "webcam"], "--camera is picamera2 or v4l2, not webcam"),
        (["--camera"], "--camera needs a value"),
        (["--wheel", "/no/such.whl"], "there is no file /no/such.whl"),
        (["--wheels", "/no/such"], "there is no folder /no/such"),
        (["--purge"], "--purge goes with --uninstall"),
        (["--frobnicate"], "no such option: --frobnicate"),
    ],
)
def test_usage_errors(options: list[str], told: str) -> None:
    """A command line that makes no sense ends with 2 and one line that says why."""
    done = _install("--dry-run", *options)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('ID=fedora\nPRETTY_NAME="Fedora 41"\n', "this is Fedora 41"),
        ('ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian 11"\n', "needs bookworm (12) or newer"),
    ],
)
def test_other_systems_are_refused(tmp_path: Path, text: str, told: str) -> None:
    """On a system that it does not know, the installer stops before it changes anything."""
    done = _install("--dry-run", system=_system(tmp_path, text))
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stdout == ""


def test_raspberry_pi_os_is_known(tmp_path: Path) -> None:
    """32-bit Raspberry Pi OS calls itself raspbian."""
    text = 'ID=raspbian\nID_LIKE=debian\nVERSION_ID="12"\nPRETTY_NAME="Raspbian GNU/Linux 12 (bookworm)"\n'
    assert _install("--dry-run", "--no-packages", system=_system(tmp_path, text)).returncode == 0


def test_rollback_needs_a_release_to_go_back_to() -> None:
    """`--rollback` on a machine without an earlier release says so."""
    if Path("/opt/edgecam/previous").exists():
        pytest.skip("edgecam is installed here")
    done = _install("--rollback", "--dry-run")
    assert done.returncode == 1
    assert "no release before this one" in done.stderr


def test_help_lists_every_option() -> None:
    """Whatever the installer takes, `--help` explains."""
    shown = _install("--help").stdout
    source = _INSTALL.read_text()
    options = {"--wheel", "--wheels", "--camera"} | {
        word
        for line in source.splitlines()
        if line.strip().startswith("--") and ")" in line
        for word in line.split(")")[0].split()
        if word.startswith("--")
    }
    assert {"--coral", "--purge", "--dry-run"} <= options
    assert [option for option in sorted(options) if option not in shown] == []
