"""What docs/security.md promises, of the running program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mosquitto import Mosquitto, free_port
from mqtt_listener import Listener
from program import Program, config_for, edgecam

from edgecam.broker_url import parse_broker_url
from edgecam.config.schema import Config

READER = "reader"
SECRETS = ("camera-secret-1", "broker-secret-2")
# The kernel's names of what takes connections, and of what takes packets from anybody.
LISTENS = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}


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
    """The local addresses, in the kernel's hexadecimal, at which they can be reached."""
    inodes = set[str]()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(link.readlink()))
            except OSError:
                continue
    rows = [
        (row.split(), state)
        for table, state in LISTENS.items()
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1] for row, state in rows if row[3] == state and f"socket:[{row[9]}]" in inodes]


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


def test_the_default_configuration_opens_no_socket_but_the_embedded_brokers(tmp_path: Path) -> None:
    """Of all that can be switched on, nothing is: with another broker, nobody can reach edgecam at all."""
    sets = ["cameras.main.source=pattern:", f"mqtt.url=mqtt://127.0.0.1:{free_port()}"]
    with Program(tmp_path, {}, sets=sets) as program:
        program.wait_log(lambda log: "engine opened" in log and "not available, retrying" in log)
        assert listening(pids_below(program.pid)) == []
        assert program.stop()[0] == 0
    assert parse_broker_url(Config().mqtt.url, embedded=True).host == "127.0.0.1"


@pytest.mark.parametrize("broker_knows_us", [True, False])
@pytest.mark.parametrize("given_by", ["files", "environment"])
def test_no_secret_leaves_by_log_message_or_command(
    tmp_path: Path,
    broker_knows_us: bool,  # noqa: FBT001
    given_by: str,
) -> None:
    """A login in a camera's URL, and the broker's password, whether the broker takes it or not.

    They come from the configuration and a file, or from a variable and a credential of systemd.
    """
    camera, password = SECRETS
    source = f"rtsp://viewer:{camera}@127.0.0.1:{free_port()}/stream?password={camera}"
    (tmp_path / "broker").mkdir()
    users = {"box": password if broker_knows_us else "another-secret", READER: READER}
    environ = dict[str, str]()
    with Mosquitto(tmp_path / "broker", users=users) as broker:
        config = config_for(broker.url, source if given_by == "files" else "pattern:")
        config["log"] = {"level": "debug"}
        if given_by == "files":
            (tmp_path / "password").write_text(password)
            config["mqtt"] |= {"username": "box", "password_file": "password"}
        else:
            (tmp_path / "credentials").mkdir()
            (tmp_path / "credentials" / "mqtt-password").write_text(password)
            environ["CREDENTIALS_DIRECTORY"] = str(tmp_path / "credentials")
            environ |= {"EDGECAM_CAMERAS__MAIN__SOURCE": source, "EDGECAM_MQTT__USERNAME": "box"}
        with (
            Listener(broker.port, username=READER, password=READER) as listener,
            Program(tmp_path, config, environ=environ) as program,
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
            outputs = [
                edgecam(*words, "--config", file, timeout_s=60, cwd=tmp_path, **environ) for words in commands
            ]
            assert program.stop()[0] == 0
            said = [program.log, *(json.dumps([done.out, done.err]) for done in outputs)]
            said += [heard.payload.decode("utf-8", "replace") for heard in listener.heard]
    assert all(outputs[place].out for place in (0, 1))
    assert [text for text in said for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EDGECAM_MQTT__PASSWORD", SECRETS[1]),
        ("EDGECAM_MQTT__URL", f"mqtt://box:{SECRETS[1]}@127.0.0.1"),
        ("EDGECAM_CAMERAS__MAIN__SOURCE", f"rtsp//viewer:{SECRETS[0]}@127.0.0.1/stream"),
    ],
)
def test_a_variable_that_is_refused_is_named_and_not_quoted_with_its_secret(
    tmp_path: Path, variable: str, value: str
) -> None:
    """A password where none may be: who reads the journal learns which variable it is, not what it says."""
    for command in ("check", "run"):
        done = edgecam(command, timeout_s=60, cwd=tmp_path, **{variable: value})
        assert done.code == 78
        assert variable in done.err
        assert [secret for secret in SECRETS if secret in done.out + done.err] == []
