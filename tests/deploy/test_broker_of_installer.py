"""deploy/installing/broker.sh: who has mosquitto's port, and what becomes of the configuration."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_BROKER = _ROOT / "deploy" / "installing" / "broker.sh"

pytestmark = pytest.mark.skipif(shutil.which("awk") is None, reason="the installer is for Debian")


def _bash(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script that knows the installer's functions for the broker."""
    whole = (
        f'set -euo pipefail; say() {{ echo "$*" >&2; }}; die() {{ say "$*"; exit 1; }}; . {_BROKER}; {script}'
    )
    return subprocess.run(
        ["bash", "-c", whole, "bash", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - as embedded://0.0.0.0 does
def test_the_holder_of_the_port_is_found(host: str) -> None:
    """The installer names the process that listens where mosquitto is to listen."""
    with socket.create_server((host, 0)) as server:
        found = _bash(f"broker_port={server.getsockname()[1]}; port_holders").stdout.split()
    assert found == [str(os.getpid())]


def test_a_free_port_has_no_holder() -> None:
    """A port that was given back is not taken for one in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = _bash(f"broker_port={port}; port_holders")
    assert (done.returncode, done.stdout) == (0, "")


def test_edgecam_run_is_named_by_the_program_that_people_started() -> None:
    """Its broker is a child that nobody knows: the one to end is the parent, which is named with its pid."""
    child = subprocess.Popen(
        [sys.executable, "-m", "edgecam.publish.broker", "127.0.0.1", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        port = int(child.stdout.readline().split()[1])
        done = _bash(f"broker_port={port}; refuse_holder $(port_holders)")
    finally:
        child.communicate(timeout=30)
    assert done.returncode == 1
    assert done.stderr == (
        f"port {port} is in use by edgecam run (pid {os.getpid()}): end it (Ctrl-C) and run this again\n"
    )


def test_another_program_is_named_with_a_way_out() -> None:
    """Perhaps it is the owner's broker, which mosquitto need not replace."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = _bash(f"broker_port={server.getsockname()[1]}; refuse_holder $(port_holders)")
    assert done.returncode == 1
    assert f"(pid {os.getpid()})" in done.stderr
    assert "leave out --with-mosquitto" in done.stderr


def test_a_unit_is_told_from_a_terminal(tmp_path: Path) -> None:
    """What systemd starts is ended by systemctl; what somebody started in a terminal is not a unit's."""
    script = _BROKER.read_text().replace("/proc/$1/cgroup", "$1")
    (tmp_path / "broker.sh").write_text(script)
    told = {}
    for text in (
        "0::/system.slice/edgecam.service\n",
        "1:name=systemd:/system.slice/system-edgecam.slice/edgecam@porch.service\n0::/\n",
        "0::/user.slice/user-1000.slice/session-3.scope\n",
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.service\n",
    ):
        (tmp_path / "cgroup").write_text(text)
        told[text] = subprocess.run(
            ["bash", "-c", f". {tmp_path}/broker.sh; unit_of {tmp_path}/cgroup"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    assert list(told.values()) == ["edgecam.service", "edgecam@porch.service", "", ""]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mqtt:\n  url: embedded\n", "mqtt:\n  url: mqtt://127.0.0.1:1883\n"),
        (
            "mqtt: {url: embedded, base: porch}  # mine\n",
            "mqtt: {url: mqtt://127.0.0.1:1883, base: porch}  # mine\n",
        ),
        ("mqtt:\n    url: embedded   # mine\n", "mqtt:\n    url: mqtt://127.0.0.1:1883   # mine\n"),
        ("mqtt: {url: mqtt://elsewhere}\n", "mqtt: {url: mqtt://elsewhere}\n"),
        (
            "# url: embedded\nmqtt: {url: embedded://0.0.0.0:1884}\n",
            "# url: embedded\nmqtt: {url: embedded://0.0.0.0:1884}\n",
        ),
    ],
)
def test_of_a_file_only_the_embedded_broker_changes(tmp_path: Path, before: str, after: str) -> None:
    """--with-mosquitto replaces the value `embedded`; the rest of the owner's file stays as it was."""
    file = tmp_path / "config.yaml"
    file.write_text(before)
    assert _bash(f"name_mosquitto {file}").returncode == 0
    assert file.read_text() == after


@pytest.mark.parametrize("url", ["embedded          ", "mqtt://127.0.0.1:1883  "])
def test_the_shipped_comment_fits_the_value_again(tmp_path: Path, url: str) -> None:
    """No comment calls the address of mosquitto a broker of our own, whoever wrote that address."""
    shipped = (_ROOT / "config.yaml").read_text(encoding="utf-8")
    file = tmp_path / "config.yaml"
    file.write_text(shipped.replace("url: embedded          ", f"url: {url}"), encoding="utf-8")
    assert _bash(f"name_mosquitto {file}").returncode == 0
    changed = [
        line for line in file.read_text(encoding="utf-8").splitlines() if line not in shipped.splitlines()
    ]
    assert len(changed) == 1
    assert re.match(r"  url: mqtt://127\.0\.0\.1:1883  # mosquitto on this machine; ", changed[0])
    assert "1883;" not in changed[0]
