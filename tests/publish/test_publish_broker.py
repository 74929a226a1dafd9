"""The embedded broker: a child that starts, serves, comes back, and never outlives its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from mqtt_listener import Listener

from edgecam.errors import BrokerError
from edgecam.publish.broker import EmbeddedBroker
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.wire import BrokerAddress, Connected, Failure, LinkTiming, Protocol, Will


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """One on a free port."""
    with EmbeddedBroker(port=0) as broker:
        yield broker


def link_to(broker: EmbeddedBroker, will: Will | None = None) -> MqttLink:
    """A link that brings the broker back when it is dead."""
    return MqttLink(
        BrokerAddress(broker.host, broker.port),
        client_id="us",
        timing=LinkTiming(backoff_min_s=0.05, backoff_max_s=0.2),
        before_connect=broker.ensure_running,
        will=will,
    )


def connect(link: MqttLink) -> None:
    """Step until it is connected."""
    ends = time.monotonic() + 30
    while Connected() not in link.step(0.1):
        assert time.monotonic() < ends


def test_the_link_falls_to_3_1_1_without_a_pause(broker: EmbeddedBroker) -> None:
    """The embedded broker does not speak MQTT 5; nobody waits five seconds to find that out."""
    with link_to(broker, will=Will("a/availability", b"offline")) as link:
        began = time.monotonic()
        connect(link)
        assert time.monotonic() - began < 4
        assert link.protocol is Protocol.V311


def test_it_retains_and_delivers(broker: EmbeddedBroker) -> None:
    """What a first try needs: QoS 1 and retained messages."""
    with link_to(broker) as link:
        connect(link)
        link.publish("a/state", b"{}", qos=1, retain=True)
        while not link.step(0.1):
            pass
        with Listener(broker.port, version5=False) as listener:
            listener.wait(lambda: listener.heard)
    assert [(heard.topic, heard.payload, heard.retained) for heard in listener.heard] == [
        ("a/state", b"{}", True)
    ]


def test_it_speaks_the_will_of_who_vanishes(broker: EmbeddedBroker) -> None:
    """Availability is true with the embedded broker, too."""
    link = link_to(broker, will=Will("a/availability", b"offline"))
    with Listener(broker.port, version5=False) as listener:
        connect(link)
        assert link._session is not None
        link._session.abandon()
        listener.wait(lambda: listener.on("a/availability"))
    link.close()


def test_a_dead_broker_is_started_again_on_the_same_port(broker: EmbeddedBroker) -> None:
    """Subscribers find it where it was."""
    port = broker.port
    with link_to(broker) as link:
        connect(link)
        assert broker._child is not None
        broker._child.kill()
        broker._child.wait()
        assert not broker.alive
        connect(link)
    assert broker.alive
    assert broker.port == port


def test_a_broker_that_hangs_is_replaced_once_it_was_mute_twice_running(
    broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """It lives and takes connections, and answers nobody: no restart of ours would mend that."""
    port, child = broker.port, broker._child
    assert child is not None

    def look_after() -> None:
        broker.ensure_running(was_mute=link.status.failure is Failure.MUTE)

    link = MqttLink(
        BrokerAddress(broker.host, port),
        client_id="us",
        protocol=Protocol.V311,
        timing=LinkTiming(connack_s=0.5, backoff_min_s=0.05, backoff_max_s=0.2),
        before_connect=look_after,
    )
    with link:
        os.kill(child.pid, signal.SIGSTOP)
        connect(link)
    assert broker.port == port
    assert broker._child is not child
    assert child.poll() is not None
    assert [text for text in caplog.messages if "hangs" in text] == [
        "embedded broker hangs, starting another"
    ]


def test_a_port_in_use_is_an_error_that_names_its_remedies() -> None:
    """Another edgecam has it, or another broker runs there already: end one, use it, or take another port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError) as caught:
            EmbeddedBroker(port=port).start()
    text = str(caught.value)
    assert f"127.0.0.1:{port}: Address already in use; if another edgecam has it" in text
    assert f"mqtt.url: mqtt://127.0.0.1:{port}" in text
    assert "mqtt.url: embedded://127.0.0.1:PORT" in text


def test_ctrl_c_and_sigterm_leave_it_to_its_parent(broker: EmbeddedBroker) -> None:
    """Both reach the whole group of processes; the parent still has `offline` to publish."""
    assert broker._child is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(broker._child.pid, number)
    with link_to(broker) as link:
        connect(link)
    assert broker.alive


def test_it_does_not_outlive_a_parent_that_was_killed() -> None:
    """The end of its stdin is the end of it."""
    program = """
import sys, time
from edgecam.publish.broker import EmbeddedBroker
broker = EmbeddedBroker(port=0)
broker.start()
print(broker.port, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        parent.kill()
    ends = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            break
        assert time.monotonic() < ends, "the broker still listens"
        time.sleep(0.05)


def test_it_ends_quickly_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """A quiet child: what matters is told by the link."""
    with EmbeddedBroker(port=0) as broker, link_to(broker) as link:
        connect(link)
        socket.create_connection((broker.host, broker.port), 1).close()
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert not broker.alive
    assert capfd.readouterr() == ("", "")
