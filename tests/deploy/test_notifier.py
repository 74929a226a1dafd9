"""What systemd hears, at a real datagram socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecam.appliance.systemd import Notifier

Hear = Callable[[], str]


@pytest.fixture(params=["path", "abstract"])
def notify_socket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Hear]]:
    """The value of NOTIFY_SOCKET, and what arrives there next."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@edgecam-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        listening.settimeout(5)
        yield name, lambda: listening.recv(4096).decode()


def test_each_word_arrives_as_sd_notify_defines_it(notify_socket: tuple[str, Hear]) -> None:
    """One datagram a word, one assignment a line; at a path and at an abstract name."""
    name, hear = notify_socket
    notifier = Notifier({"NOTIFY_SOCKET": name})
    assert notifier.is_heard
    notifier.ready("1 camera")
    assert hear() == "READY=1\nSTATUS=1 camera"
    notifier.ready()
    assert hear() == "READY=1"
    notifier.status("broker connected")
    assert hear() == "STATUS=broker connected"
    notifier.watchdog()
    assert hear() == "WATCHDOG=1"
    notifier.stopping()
    assert hear() == "STOPPING=1"


def test_a_reload_says_when(notify_socket: tuple[str, Hear]) -> None:
    """MONOTONIC_USEC is CLOCK_MONOTONIC at that moment, in microseconds."""
    name, hear = notify_socket
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier({"NOTIFY_SOCKET": name}).reloading()
    word, moment = hear().split("\n")
    assert word == "RELOADING=1"
    key, value = moment.split("=")
    assert key == "MONOTONIC_USEC"
    assert before_us <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_cannot_say_another_word(notify_socket: tuple[str, Hear]) -> None:
    """A line break in a text, say from a driver's message, must not become an assignment."""
    name, hear = notify_socket
    Notifier({"NOTIFY_SOCKET": name}).status("camera lost:\nMAINPID=1\r\n")
    assert hear() == "STATUS=camera lost: MAINPID=1"


@pytest.mark.parametrize(
    "given", ["", "relative", "vsock:2:1234", "/nowhere/notify", "/" + "x" * 200, "/a\0b"]
)
def test_nobody_listening_is_no_fault(given: str) -> None:
    """Started by hand, in a container, or with a strange address: it runs."""
    notifier = Notifier({"NOTIFY_SOCKET": given} if given else {})
    notifier.ready("text")
    notifier.reloading()
    notifier.watchdog()
    notifier.stopping()


@pytest.mark.parametrize(
    ("environ", "watchdog_ns"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30_000_000_000),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30_000_000_000),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_only_if_it_names_us(environ: dict[str, str], watchdog_ns: int | None) -> None:
    """As sd_watchdog_enabled(3); a child that inherits the variables does not ping."""
    assert Notifier({"NOTIFY_SOCKET": "/run/notify", **environ}).watchdog_ns == watchdog_ns


def test_without_a_socket_there_is_no_watchdog() -> None:
    """Nobody would hear the ping."""
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_ns is None
