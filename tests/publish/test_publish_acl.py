"""The sample ACL and configuration in deploy/mosquitto, against a real mosquitto that asks for passwords."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Ca
from mosquitto import Mosquitto
from mqtt_listener import Listener
from publish_samples import AT, event

from edgecam.client import EventMessage, Subscriber
from edgecam.publish import discovery, messages
from edgecam.publish.drafts import EventDraft
from edgecam.publish.entities import Appliance, WatchedCamera
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Acknowledged, BrokerAddress, LinkTiming, Received, parse_broker
from edgecam.tls import TlsFiles

SAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto"
USERS = {
    name: f"secret of {name}" for name in ("door", "gate", "consumer", "operator", "homeassistant", "none")
}
QUICK = LinkTiming(connack_s=2, backoff_min_s=0.02, backoff_max_s=0.05)
DOOR, GATE = Topics("edgecam", "door"), Topics("edgecam", "gate")
COMMANDS = (DOOR.command("reload"), DOOR.enabled_set("main"))
PUBLISHED = (
    DOOR.availability,
    DOOR.info,
    DOOR.stats,
    DOOR.notice,
    DOOR.state("main"),
    DOOR.event("main"),
    DOOR.prediction("main"),
    DOOR.snapshot("main"),
    DOOR.enabled("main"),
    DOOR.response("reload"),
)


def announcements(device: str) -> list[str]:
    """The topics on which a device announces itself and its camera to Home Assistant."""
    appliance = Appliance(device, "edgecam", "1", 60, [WatchedCamera("main")])
    return list(discovery.announcements(appliance, prefix="homeassistant"))


class SampleBroker(Mosquitto):
    """The sample configuration, but on a loopback port, without TLS, its files in the test's folder."""

    def _write_config(self) -> Path:
        text = (SAMPLES / "mosquitto.conf").read_text(encoding="utf-8")
        text = re.sub(r"^(certfile|keyfile) .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("listener 8883", f"listener {self.port} 127.0.0.1\nuser root")
        text = text.replace("/etc/mosquitto/", f"{self._folder}/")
        assert str(self._folder) in text
        self._write_passwords(USERS)
        acl = self._folder / "acl"
        acl.write_text((SAMPLES / "acl").read_text(encoding="utf-8"), encoding="utf-8")
        acl.chmod(0o600)
        config = self._folder / "mosquitto.conf"
        # As Debian's own mosquitto.conf, into which the sample is read.
        config.write_text(f"persistence true\npersistence_location {self._folder}/\n{text}", encoding="utf-8")
        return config


class CertificateBroker(SampleBroker):
    """The sample, with the listener that deploy/mosquitto/README.md gives for client certificates."""

    def __init__(self, folder: Path, ca: Ca) -> None:
        super().__init__(folder)
        self._server, self._client_ca = ca.pair("127.0.0.1"), ca.path
        self.url = f"mqtts://127.0.0.1:{self.port}"

    def _write_config(self) -> Path:
        config = super()._write_config()
        certificate, key = self._server
        lines = f"""certfile {certificate}
keyfile {key}
cafile {self._client_ca}
require_certificate true
use_identity_as_username true
"""
        text = config.read_text(encoding="utf-8").replace("user root\n", f"user root\n{lines}")
        config.write_text(text, encoding="utf-8")
        return config


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """The broker as the samples make it."""
    with SampleBroker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


class Peer:
    """A logged-in client."""

    def __init__(self, address: BrokerAddress, name: str, *, hears: tuple[str, ...] = ()) -> None:
        subscriptions = [(topic, 1) for topic in hears]
        self.link = MqttLink(address, client_id=f"{name}-test", subscriptions=subscriptions, timing=QUICK)
        ends = time.monotonic() + 10
        while not self.link.connected:
            assert time.monotonic() < ends
            self.link.step(0.1)
        # The broker works off the SUBSCRIBE before what comes after it.
        self.may_publish("none/of/our/topics")

    def may_publish(self, topic: str) -> bool:
        """Publish there; was it accepted?"""
        token = self.link.publish(topic, b"{}", qos=1, retain=False)
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            for happening in self.link.step(0.1):
                if isinstance(happening, Acknowledged) and happening.token == token:
                    return happening.accepted
        raise AssertionError("no answer")

    def heard(self, seconds: float = 0.5) -> set[str]:
        """The topics of all that comes in the next time."""
        topics, ends = set(), time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            topics |= {one.topic for one in self.link.step(left) if isinstance(one, Received)}
        return topics


def peer(broker: Mosquitto, user: str, *, hears: tuple[str, ...] = ()) -> Peer:
    """One of the users, with the right password."""
    return Peer(parse_broker(broker.url, username=user, password=USERS[user]), user, hears=hears)


def test_a_device_publishes_all_its_own_topics_and_no_other(broker: Mosquitto) -> None:
    """Whoever takes over one box cannot speak for the next one, nor give commands."""
    door = peer(broker, "door")
    with door.link:
        own = (*PUBLISHED, *announcements("door"))
        assert [topic for topic in own if not door.may_publish(topic)] == []
        foreign = [topic.replace("door", "gate") for topic in PUBLISHED]
        foreign += [
            GATE.command("reload"),
            GATE.enabled_set("main"),
            "homeassistant/status",
            "edgecam/x",
            "else",
        ]
        foreign += [*announcements("gate"), "edgecam/doors/main/state"]
        assert [topic for topic in foreign if door.may_publish(topic)] == []


def test_a_device_hears_its_own_commands_and_nothing_else(broker: Mosquitto) -> None:
    """Not even what the others publish."""
    door, gate = peer(broker, "door", hears=("#",)), peer(broker, "gate")
    operator, home = peer(broker, "operator"), peer(broker, "homeassistant")
    with door.link, gate.link, operator.link, home.link:
        for topic in (*COMMANDS, GATE.command("reload"), GATE.enabled_set("main")):
            assert operator.may_publish(topic)
        assert gate.may_publish(GATE.state("main"))
        assert home.may_publish("homeassistant/status")
        assert door.heard() == {*COMMANDS, "homeassistant/status"}


def test_a_consumer_reads_everything_and_publishes_nothing(broker: Mosquitto) -> None:
    """Not even under the name that a device of its own name would have."""
    door, consumer = peer(broker, "door"), peer(broker, "consumer", hears=("edgecam/#",))
    with door.link, consumer.link:
        assert all(door.may_publish(topic) for topic in PUBLISHED)
        assert consumer.heard() == set(PUBLISHED)
        wanted = [
            *PUBLISHED,
            *COMMANDS,
            "edgecam/consumer/main/state",
            *announcements("consumer"),
            "edgecam/consumer/cmd/x",
            "homeassistant/status",
        ]
        assert [topic for topic in wanted if consumer.may_publish(topic)] == []


@pytest.mark.parametrize("user", ["operator", "homeassistant"])
def test_who_gives_commands_cannot_speak_for_a_device(broker: Mosquitto, user: str) -> None:
    """Commands are theirs, results are the devices'."""
    boss = peer(broker, user)
    with boss.link:
        assert [topic for topic in COMMANDS if not boss.may_publish(topic)] == []
        own = [topic.replace("door", user) for topic in PUBLISHED]
        assert [topic for topic in (*PUBLISHED, *own) if boss.may_publish(topic)] == []


def test_a_group_of_consumers_works_under_the_acl(broker: Mosquitto) -> None:
    """The right to read is the one of the topic behind `$share`."""
    subscriber = Subscriber(
        broker.url, group="g", username="consumer", password=USERS["consumer"], timing=QUICK
    )
    door = peer(broker, "door")
    with door.link, subscriber:
        ends = time.monotonic() + 10
        while not subscriber.connected:
            assert time.monotonic() < ends
            time.sleep(0.01)
        time.sleep(0.1)
        payload = EventDraft.of(event(), AT, event_id="1").render(AT, replayed=False)
        door.link.publish(DOOR.event("main"), messages.encode(payload), qos=1, retain=False)
        assert isinstance(subscriber.get(10), EventMessage)


def test_nobody_comes_in_without_a_password(broker: Mosquitto) -> None:
    """Neither does a known name with a wrong one."""
    for username, password in ((None, None), ("door", "guess")):
        address = parse_broker(broker.url, username=username, password=password)
        with MqttLink(address, client_id="stranger", timing=QUICK) as link:
            for _ in range(10):
                link.step(0.05)
                assert not link.connected


def test_a_certificate_alone_binds_a_device_to_its_topics(tmp_path: Path) -> None:
    """Its common name is the device id: no password, no user name, the same ACL."""
    ca = Ca(tmp_path / "ca")
    (tmp_path / "broker").mkdir()
    certificate, key = ca.pair("door")
    tls = TlsFiles(ca=ca.path, cert=certificate, key=key)
    with CertificateBroker(tmp_path / "broker", ca) as broker:
        door = Peer(parse_broker(broker.url, tls=tls), "door")
        with door.link:
            assert [topic for topic in PUBLISHED if not door.may_publish(topic)] == []
            assert not door.may_publish(GATE.state("main"))


def test_retained_states_outlive_a_killed_broker(tmp_path: Path) -> None:
    """The sample writes what changed at once, not every half an hour."""
    with SampleBroker(tmp_path) as broker:
        door = peer(broker, "door")
        with door.link:
            door.link.publish(DOOR.state("main"), b"{}", qos=1, retain=True)
            ends = time.monotonic() + 10
            while not (tmp_path / "mosquitto.db").exists():
                assert time.monotonic() < ends
                door.link.step(0.1)
        broker.kill()
        broker.start()
        with Listener(
            broker.port, DOOR.state("main"), username="consumer", password=USERS["consumer"]
        ) as listener:
            listener.wait(lambda: listener.on(DOOR.state("main")))
