"""What docs/security.md promises, of the running program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mosquitto import Mosquitto, free_port
from mqtt_listener import Listener
from program import Program, config_for, edgecam

READER = "reader"
SECRETS = ("camera-secret-1", "broker-secret-2")


def pids_below(pid: int) -> set[int]:
    """A process, and all that it started."""
    found = {pid}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent in found:
            found.add(int(entry.parent.name))
    return found


def listening(pids: set[int]) -> list[str]:
    """The local addresses, in the kernel's hexadecimal, at which they take TCP connections."""
    inodes = set[str]()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(link.readlink()))
            except OSError:
                continue
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]


def test_by_default_nothing_listens_beyond_this_machine_nor_is_readable_by_others(tmp_path: Path) -> None:
    """The embedded broker is on 127.0.0.1; what is kept is for its owner alone."""
    config = config_for(f"embedded://127.0.0.1:{free_port()}", "pattern:")
    config["mqtt"]["outbox"] = {"path": "auto"}
    with Program(tmp_path, config) as program:
        program.wait_log(lambda log: "broker connected" in log)
        addresses = listening(pids_below(program.pid))
        assert program.stop()[0] == 0
    assert len(addresses) == 1
    assert addresses[0].startswith("0100007F:")
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert kept
    assert [path.name for path in kept if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("broker_knows_us", [True, False])
def test_no_secret_leaves_by_log_message_or_command(tmp_path: Path, broker_knows_us: bool) -> None:  # noqa: FBT001
    """A login in a camera's URL, and the broker's password, whether the broker takes it or not."""
    camera, password = SECRETS
    (tmp_path / "password").write_text(password)
    (tmp_path / "broker").mkdir()
    users = {"box": password if broker_knows_us else "another-secret", READER: READER}
    with Mosquitto(tmp_path / "broker", users=users) as broker:
        source = f"rtsp://viewer:{camera}@127.0.0.1:{free_port()}/stream?password={camera}"
        config = config_for(broker.url, source)
        config["mqtt"] |= {"username": "box", "password_file": "password"}
        config["log"] = {"level": "debug"}
        with (
            Listener(broker.port, username=READER, password=READER) as listener,
            Program(tmp_path, config) as program,
        ):
            program.wait_log(
                lambda log: "camera not available" in log or "camera lost" in log or "***" in log
            )
            if broker_knows_us:
                listener.wait(lambda: listener.on("edgecam/box/stats"), 30)
                listener.wait(lambda: listener.on("edgecam/box/info"), 30)
            else:
                program.wait_log(lambda log: "not available, retrying" in log)
            file = tmp_path / "config.yaml"
            commands = ("check",), ("doctor", "--json"), ("discovery", "--print")
            outputs = [edgecam(*words, "--config", file, cwd=tmp_path) for words in commands]
            assert program.stop()[0] == 0
            said = [program.log, *(json.dumps([done.out, done.err]) for done in outputs)]
            said += [heard.payload.decode("utf-8", "replace") for heard in listener.heard]
    assert all(outputs[place].out for place in (0, 1))
    assert [text for text in said for secret in SECRETS if secret in text] == []
