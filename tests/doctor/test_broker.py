"""What the doctor says of real brokers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Ca
from made_machine import write, write_process
from mosquitto import Mosquitto, free_port
from paho.mqtt import publish

from edgecam.config.loader import load_config
from edgecam.doctor import broker
from edgecam.doctor.finding import Finding, Verdict
from edgecam.doctor.subject import Subject

MakeSubject = Callable[..., Subject]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the broker."""
    place = tmp_path / "broker"
    place.mkdir()
    return place


@pytest.fixture
def guarded(folder: Path) -> Iterator[Mosquitto]:
    """A broker that knows one user."""
    with Mosquitto(folder, users={"me": "hunter2"}) as running:
        yield running


def ask(subject: Subject) -> dict[str, Finding]:
    """The findings by name."""
    return {finding.name: finding for finding in broker.look(subject)}


def mqtt(url: str, **more: Any) -> dict[str, Any]:
    """The block of the configuration."""
    return {"url": url, **more}


def retain(running: Mosquitto, payload: str, topic: str = "edgecam/box/availability") -> None:
    """Let the broker keep it, as a device of that id would."""
    publish.single(topic, payload, qos=1, retain=True, hostname="127.0.0.1", port=running.port)


def test_a_broker_that_lets_us_in_is_well(subject: MakeSubject, guarded: Mosquitto, tmp_path: Path) -> None:
    """The version of MQTT and the user are told, the password is not; the running client stays connected."""
    (tmp_path / "pw").write_text("hunter2\n")
    found = ask(subject(mqtt=mqtt(guarded.url, username="me", password_file="pw")))  # noqa: S106 - a file
    assert [finding.verdict for finding in found.values()] == [Verdict.OK, Verdict.OK]
    assert "MQTT 5" in found["connection"].found
    assert "as me" in found["connection"].found
    assert "hunter2" not in str(found)
    log = (tmp_path / "broker" / "mosquitto.log").read_text()
    assert "edgecam-box-doctor" in log
    assert "edgecam-box-main" not in log


def test_a_refused_login_is_an_error_with_the_keys_to_correct(
    subject: MakeSubject, guarded: Mosquitto, tmp_path: Path
) -> None:
    """Also when none is given."""
    (tmp_path / "pw").write_text("wrong\n")
    for more in ({"username": "me", "password_file": "pw"}, {}):
        (found,) = ask(subject(mqtt=mqtt(guarded.url, **more))).values()
        assert found.verdict is Verdict.ERROR
        assert "mqtt.username" in found.found
        assert found.remedy


def test_a_port_where_nobody_listens_is_an_error(subject: MakeSubject) -> None:
    """Told at once, not after all the patience."""
    (found,) = ask(subject(mqtt=mqtt(f"mqtt://127.0.0.1:{free_port()}"))).values()
    assert found.verdict is Verdict.ERROR
    assert "refused" in found.found
    assert "is the broker running" in found.remedy


def test_tls_is_checked_as_edgecam_does(subject: MakeSubject, folder: Path, tmp_path: Path) -> None:
    """The CA makes the difference; an unknown one is told as such."""
    ca = Ca(tmp_path / "ca")
    with Mosquitto(folder, tls=ca.pair("127.0.0.1")) as running:
        good = ask(subject(mqtt=mqtt(running.url, tls={"ca": str(ca.path)})))
        assert "encrypted" in good["connection"].found
        assert good["connection"].verdict is Verdict.OK
        strange = Ca(tmp_path / "other")
        (bad,) = ask(subject(mqtt=mqtt(running.url, tls={"ca": str(strange.path)}))).values()
        assert bad.verdict is Verdict.ERROR
        assert "mqtt.tls.ca" in bad.found + bad.remedy


@pytest.mark.parametrize(
    ("payload", "running_here", "verdict", "said"),
    [
        ("online", [12], Verdict.OK, "box is online"),
        ("offline", [], Verdict.OK, "box is offline"),
        (None, [], Verdict.OK, "not known"),
        ("online", [], Verdict.WARNING, "no edgecam run"),
        ("offline", [12], Verdict.WARNING, "not known to the broker"),
    ],
)
def test_what_the_broker_retains_is_compared_with_what_runs_here(
    subject: MakeSubject,
    folder: Path,
    machine: Path,
    payload: str | None,
    running_here: list[int],
    verdict: Verdict,
    said: str,
) -> None:
    """A device that is online without running here is another machine with the same id."""
    for pid in running_here:
        write_process(machine, pid, "edgecam", "run")
    with Mosquitto(folder) as running:
        if payload is not None:
            retain(running, payload)
        found = ask(subject(mqtt=mqtt(running.url)))["device"]
    assert found.verdict is verdict
    assert said in found.found


def test_a_notice_of_a_taken_session_is_an_error(subject: MakeSubject, folder: Path) -> None:
    """Two machines with one device id push each other out."""
    with Mosquitto(folder) as running:
        retain(running, json.dumps({"kind": "session_taken"}), "edgecam/box/notice")
        found = ask(subject(mqtt=mqtt(running.url)))["device"]
    assert found.verdict is Verdict.ERROR
    assert "device:" in found.remedy


def test_a_password_in_the_clear_is_warned_of_unless_it_stays_in_this_machine(
    subject: MakeSubject, tmp_path: Path
) -> None:
    """127.0.0.2 is still this machine, a name that is not known to be one is not."""
    (tmp_path / "pw").write_text("hunter2\n")
    login = {"username": "me", "password_file": "pw"}
    port = free_port()
    far = ask(subject(mqtt=mqtt(f"mqtt://no-such-host.invalid:{port}", **login)))
    near = ask(subject(mqtt=mqtt(f"mqtt://127.0.0.2:{port}", **login)))
    assert far["encryption"].verdict is Verdict.WARNING
    assert "mqtts://" in far["encryption"].remedy
    assert "encryption" not in near


def test_the_embedded_brokers_port_must_be_free(subject: MakeSubject) -> None:
    """Somebody else's mosquitto is most often there: the URL for it is told."""
    port = free_port()
    url = f"embedded://127.0.0.1:{port}"
    (free,) = ask(subject(mqtt=mqtt(url))).values()
    assert free.verdict is Verdict.OK
    with socket.create_server(("127.0.0.1", port)):
        (taken,) = ask(subject(mqtt=mqtt(url))).values()
    assert taken.verdict is Verdict.ERROR
    assert f"mqtt://127.0.0.1:{port}" in taken.remedy


def test_the_services_credential_is_used_where_it_may_be_read(machine: Path, guarded: Mosquitto) -> None:
    """Run by hand as root, the doctor logs in as the service would; the password stays secret."""
    config = {
        "device": "box",
        "cameras": {"main": {"source": "rtsp://me:s3cret%21@host/x"}},
        "mqtt": {"url": guarded.url, "username": "me"},
    }
    path = write(machine, "etc/edgecam/config.yaml", json.dumps(config))
    write(machine, "etc/credstore/edgecam.mqtt-password", "hunter2\n")
    made = Subject({}, load_config(path, environ={}), root=machine)
    assert ask(made)["connection"].verdict is Verdict.OK
    assert made.service_environ["STATE_DIRECTORY"] == str(machine / "var/lib/edgecam")
    assert {"hunter2", "s3cret%21", "s3cret!"} <= made.secrets()


def test_an_instance_has_its_own_folder_and_device_id(machine: Path) -> None:
    """As the unit gives them to /etc/edgecam/NAME.yaml; of a file elsewhere nothing is guessed."""
    write(machine, "proc/device-tree/serial-number", "10000000ABCDEF01\0")
    path = write(machine, "etc/edgecam/porch.yaml", "{}")
    made = Subject({}, load_config(path, environ={}), root=machine)
    assert made.device == "10000000abcdef01-porch"
    assert made.service_environ["STATE_DIRECTORY"] == str(machine / "var/lib/edgecam-porch")
    elsewhere = write(machine, "home/porch.yaml", "{}")
    other = Subject({}, load_config(elsewhere, environ={}), root=machine)
    assert (other.device, other.service_environ) == ("10000000abcdef01", {})
