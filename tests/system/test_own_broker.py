"""The real program with its embedded broker in trouble: never a reason to stop."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from mqtt_listener import Listener
from program import Program, config_for

STATE = "edgecam/box/main/state"


@pytest.fixture
def port() -> int:
    """A free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def broker_pid(program: Program) -> int:
    """Of the child."""
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    threads = Path(f"/proc/{program.pid}/task").iterdir()
    pids = [pid for thread in threads for pid in (thread / children.name).read_text().split()]
    (pid,) = [pid for pid in pids if b"edgecam.publish.broker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return int(pid)


def hears_states(port: int) -> bool:
    """Somebody who comes now is told."""
    with Listener(port, version5=False) as listener:
        listener.wait(lambda: listener.on(STATE), 30)
    return True


def test_a_port_that_is_taken_says_what_to_write_and_is_tried_until_it_is_free(
    tmp_path: Path, port: int
) -> None:
    """The commonest first fault on a box that runs mosquitto already; meanwhile frames are classified."""
    config = config_for(f"embedded://127.0.0.1:{port}", "pattern:")
    with socket.create_server(("127.0.0.1", port)) as taken, Program(tmp_path, config) as program:
        program.wait_log(lambda log: "Address already in use" in log and "camera opened" in log)
        assert f"mqtt.url: mqtt://127.0.0.1:{port}" in program.log
        assert program.log.count("Address already in use") == 1
        taken.close()
        program.wait_log(lambda log: "broker back" in log, 60)
        assert hears_states(port)
        code, _ = program.stop()
    assert code == 0


def test_a_broker_that_is_killed_is_started_again(tmp_path: Path, port: int) -> None:
    """The child dies, the parent goes on."""
    with Program(tmp_path, config_for(f"embedded://127.0.0.1:{port}", "pattern:")) as program:
        program.wait_log(lambda log: "broker connected" in log)
        os.kill(broker_pid(program), signal.SIGKILL)
        program.wait_log(lambda log: "broker back" in log)
        assert hears_states(port)
        assert program.stop()[0] == 0
