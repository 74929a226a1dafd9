"""A command that measures is ended with all that it has started: when it succeeds, hangs, or Ctrl-C comes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgecam.compress.latency_command import run_to_end
from edgecam.compress.latency_target import CommandDevice
from edgecam.errors import UnusableError

MODEL = Path("m.tflite")
# Whatever of it is left holds the pipe that `all_gone` listens to.
BEHIND = "exec 3>{pipe}; sleep 600 >&3 2>&3 & "
pytestmark = pytest.mark.timeout(120)


@contextmanager
def all_gone(pipe: Path) -> Iterator[None]:
    """At its end, wait until nobody has the pipe open for writing any more."""
    os.mkfifo(pipe)
    listening = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield
        os.set_blocking(listening, True)
        while os.read(listening, 4096):
            pass
    finally:
        os.close(listening)


def shell(line: str, pipe: Path) -> str:
    """A command of the user's that is a line for a shell."""
    return shlex.join(["sh", "-c", line.replace("{pipe}", shlex.quote(str(pipe)))])


def test_what_a_command_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    """It measured well, and something of it would go on, and disturb the next measurement."""
    pipe = tmp_path / "pipe"
    with all_gone(pipe):
        assert CommandDevice(shell(f"{BEHIND} echo 2.5", pipe), rounds=2).measure([MODEL]) == [2.5]


def test_a_background_child_that_holds_the_output_is_not_waited_for() -> None:
    """As the master of a shared ssh connection does: the time has been printed, and the command is over."""
    device = CommandDevice("sh -c 'sleep 600 & echo 2.5'", rounds=1, timeout_s=60)
    assert device.measure([MODEL]) == [2.5]


def test_a_command_that_fails_leaves_nothing_either(tmp_path: Path) -> None:
    """And its reason is told."""
    pipe = tmp_path / "pipe"
    with all_gone(pipe), pytest.raises(UnusableError, match="exit code 3: no such board"):
        CommandDevice(shell(f"{BEHIND} echo no such board >&2; exit 3", pipe)).measure([MODEL])


def test_a_command_that_was_killed_is_told_by_the_signal() -> None:
    """A board that is out of memory ends it so."""
    with pytest.raises(UnusableError, match="failed with SIGKILL: too large"):
        CommandDevice("sh -c 'echo too large >&2; kill -9 $$'").measure([MODEL])


def test_a_command_that_hangs_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    """After the deadline; what it would have printed is of no use any more."""
    pipe = tmp_path / "pipe"
    with all_gone(pipe):
        device = CommandDevice(shell(f"{BEHIND} echo 2.5; wait", pipe), timeout_s=0.3)
        with pytest.raises(UnusableError, match=r"did not end within 0\.3 s"):
            device.measure([MODEL])


def test_a_program_that_holds_out_against_polite_signals_is_ended() -> None:
    """It ignores all that can be ignored."""
    assert run_to_end(["sh", "-c", "trap '' INT TERM HUP; sleep 600"], timeout_s=0.3).code is None


def test_ctrl_c_ends_the_command_with_what_it_has_started(tmp_path: Path) -> None:
    """The terminal tells edgecam alone, as the command has a session of its own."""
    pipe, going = tmp_path / "pipe", tmp_path / "going"
    os.mkfifo(going)
    command = shell(f"{BEHIND} echo > {shlex.quote(str(going))}; wait", pipe)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from edgecam.compress.latency_target import CommandDevice\n"
        "try:\n"
        "    CommandDevice(sys.argv[1]).measure([Path('m.tflite')])\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    with all_gone(pipe):
        process = subprocess.Popen([sys.executable, "-c", code, command], start_new_session=True)
        going.read_bytes()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
