"""What is written to stderr."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

PROGRAM = """
import logging
from edgecam.appliance.logs import set_up_logging
set_up_logging("info", style={style!r})
logging.getLogger("edgecam.x").warning("camera lost camera=%s", "m\u00e4in")
logging.getLogger("edgecam.x").debug("not shown")
if {style!r} == "json":
    from pathlib import Path
    logging.getLogger("edgecam.x").info("engine opened model=%s threads=%d path=%s", "a b", 3, Path("/m"))
    logging.getLogger("edgecam.x").info("camera configured size=%dx%d", 4, 3)
    for _ in range(5):
        logging.getLogger("edgecam.x").info("again n=%d", 1)
"""


def run(style: str, stderr: int = subprocess.PIPE, **environ: str) -> str:
    """Log in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(style=style)],
        stderr=stderr,
        env={**os.environ, **environ},
        check=True,
        timeout=30,
    )
    return (done.stderr or b"").decode()


def test_text_has_a_time_a_level_and_the_facts() -> None:
    """For people at a terminal; debug is not shown at level info."""
    (line,) = run("text").splitlines()
    assert line.endswith("WARNING camera lost camera=mäin")


def test_json_is_one_object_a_line() -> None:
    """For log collectors; they get the values as they are, and need not take the text apart."""
    lines = [json.loads(line) for line in run("json").splitlines()]
    said, opened, configured, *again = lines
    assert said["level"] == "warning"
    assert said["data"] == {"camera": "mäin"}
    assert opened["data"] == {"model": "a b", "threads": 3, "path": "/m"}
    assert (configured["message"], configured["data"]) == ("camera configured size=4x3", {})
    assert [line["data"] for line in again] == [{"n": 1}] * 3 + [{"times": 2, "line": "again n=1"}]
    assert said["message"] == "camera lost camera=mäin"
    assert said["ts"].endswith("Z")


def test_the_journal_gets_priorities_and_no_times() -> None:
    """Only when stderr really is the socket that systemd names; a redirected stderr is not."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        about = os.fstat(theirs.fileno())
        run("auto", theirs.fileno(), JOURNAL_STREAM=f"{about.st_dev}:{about.st_ino}")
        assert ours.recv(1000) == "<4>camera lost camera=mäin\n".encode()
    assert "<4>" not in run("auto", JOURNAL_STREAM="1:2")
