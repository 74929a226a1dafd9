"""`edgecam doctor`, as a user types it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mosquitto import Mosquitto, free_port
from mqtt_listener import Listener
from program import Program, config_for, edgecam, has_ended
from stand_ins import until
from tiny_engine import install


def write(folder: Path, config: dict[str, Any]) -> Path:
    """A configuration; JSON is YAML."""
    path = folder / "doctor.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def test_a_broken_configuration_is_told_with_line_and_column_and_the_rest_is_looked_at(
    tmp_path: Path,
) -> None:
    """Exit 78; no traceback; what needs the configuration is skipped."""
    path = tmp_path / "config.yaml"
    path.write_text("budget_ms: x\ncameras: {main: {sorce: 1}}\n", encoding="utf-8")
    done = edgecam("doctor", "--config", path)
    assert done.code == 78
    assert done.err == ""
    assert f"error   {path}:1:1: budget_ms: expected a whole number" in done.out
    assert 'remedy: did you mean "source"?' in done.out
    assert "not looked at, since the configuration cannot be used" in done.out
    assert "litert" in done.out
    assert done.out.splitlines()[-1].startswith("3 errors")


def test_what_cannot_be_used_ends_with_69_and_no_secret_is_shown(
    tmp_path: Path, conforms: Callable[[str, Any], None]
) -> None:
    """In text and JSON alike; each error has a remedy."""
    (tmp_path / "pw").write_text("hunter3\n")
    config = config_for(f"mqtt://127.0.0.1:{free_port()}", f"rtsp://me:hunter2@127.0.0.1:{free_port()}/x")
    config["mqtt"] |= {"username": "me", "password_file": "pw"}
    path = write(tmp_path, config)
    shown = edgecam("doctor", "--config", path)
    said = edgecam("doctor", "--config", path, "--json", "--no-open")
    assert (shown.code, said.code, shown.err, said.err) == (69, 69, "", "")
    assert "hunter" not in shown.out + said.out
    body = json.loads(said.out)
    conforms("doctor", body)
    errors = [finding for finding in body["findings"] if finding["verdict"] == "error"]
    assert {finding["area"] for finding in errors} >= {"cameras", "broker"}
    assert all(finding["remedy"] for finding in errors)
    assert (body["exit_code"], body["verdict"]) == (69, "error")
    assert body["counts"]["error"] == len(errors)


def test_beside_a_running_edgecam_it_disturbs_nothing(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Callable[[str, Any], None]
) -> None:
    """The device is online before and after; what it uses is told to be in use."""
    config = config_for(broker.url, "pattern:")
    with Program(tmp_path, config) as program:
        subscriber.wait(lambda: any(m.topic == "edgecam/box/main/state" for m in subscriber.heard), 30)
        done = edgecam(
            "doctor", "-c", tmp_path / "config.yaml", "--json", STATE_DIRECTORY=str(tmp_path / "state"),
            EDGECAM_MQTT__OUTBOX__PATH="auto",
        )  # fmt: skip
        assert program.stop()[0] == 0
    body = json.loads(done.out)
    conforms("doctor", body)
    found = {finding["name"]: finding for finding in body["findings"]}
    assert found["device"]["found"] == "box is online"
    assert f"edgecam run (pid {program.pid})" in found["outbox"]["found"]
    assert done.code == 0, done.out
    assert "session" not in program.log
    assert "connection lost" not in program.log


def test_on_a_terminal_long_words_are_folded_below_themselves(tmp_path: Path) -> None:
    """Nothing is cut off, nothing reaches beyond the edge."""
    path = write(tmp_path, config_for(f"mqtt://127.0.0.1:{free_port()}", "v4l2:/dev/video99"))
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "edgecam", "doctor", "--config", path],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "60", "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    try:
        while block := os.read(ours, 4096):
            text += block
    except OSError:
        # The other end of a terminal says so when it is closed.
        os.close(ours)
    assert child.wait(60) == 69
    # The progress is wiped away by an escape of the terminal, and is on no line that stays.
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode()).replace("\r\n", "\n").split("\n")
    shown = [line.rpartition("\r")[2] for line in lines]
    assert max(map(len, shown)) <= 60
    assert "          remedy: is the camera plugged in? there" in "\n".join(shown)
    assert "Traceback" not in text.decode()


def test_a_wrong_set_is_a_usage_error(tmp_path: Path) -> None:
    """As of every command."""
    assert edgecam("doctor", "--set", "nonsense", cwd=tmp_path).code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_who_leaves_the_doctor_leaves_nothing_that_hangs(
    tiny: ModuleType, tmp_path: Path, number: signal.Signals
) -> None:
    """It is asked about what hangs, and people wait for a minute at most: that must not go on without it."""
    note, site = tmp_path / "pid", tmp_path / "site"
    spin = f"import os, pathlib\npathlib.Path({str(note)!r}).write_text(str(os.getpid()))\nwhile True: pass"
    install(site, top=spin)
    tiny.write_folder(tmp_path / "pets", tiny.Tiny())
    path = write(
        tmp_path,
        {
            "cameras": {"main": {"source": "pattern:"}},
            "models": {"default": {"path": "pets", "engine": "abacus"}},
        },
    )
    doctor = subprocess.Popen(
        [sys.executable, "-m", "edgecam", "doctor", "--config", path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(site), "STATE_DIRECTORY": str(tmp_path / "state")},
        # Who was started in the background by a script has it ignored, and hands that on.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    with doctor:
        try:
            ends_s = time.monotonic() + 60
            while not (note.exists() and note.read_text()):
                assert doctor.poll() is None
                assert time.monotonic() < ends_s
                time.sleep(0.05)
        finally:
            doctor.send_signal(number)
    until(lambda: has_ended(int(note.read_text())))
