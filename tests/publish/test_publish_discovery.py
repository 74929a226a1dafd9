"""What Home Assistant is told, when it is told, and how it is taken back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mosquitto import Mosquitto
from mqtt_listener import Listener
from paho.mqtt.publish import single

from edgecam.commands.discovery import discovery
from edgecam.config.schema import CameraConfig, Config, MqttConfig, SnapshotsConfig, WatchConfig
from edgecam.errors import BrokerError, UsageError
from edgecam.pipeline.announcing import home_assistant_announcements
from edgecam.pipeline.uplink import Uplink
from edgecam.publish.announcer import Announcer, delay_s
from edgecam.publish.discovery import announcements, is_announcement
from edgecam.publish.entities import Appliance, WatchedCamera
from edgecam.publish.messages import Payload
from edgecam.publish.outbox import Outbox
from edgecam.publish.queues import MemoryQueue
from edgecam.publish.wire import Received
from edgecam.tls import NO_FILES

GOLDEN = Path(__file__).parent / "data"
PLAIN = Appliance("box", "edgecam", "1.2.3", 60, [WatchedCamera("porch", ["cat", "tiger cat"])])
FULL = Appliance(
    "box",
    "house/edgecam",
    "1.2.3",
    0.5,
    [
        WatchedCamera("a-b", ['say "hi" }}', "名前"], has_switch=True, has_snapshot=True),
        WatchedCamera("all"),
    ],
)
TOLD: dict[str, Payload] = {
    "homeassistant/device/box/edgecam/config": {"a": 1},
    "homeassistant/device/box/edgecam-x/config": {},
}


def entities(appliance: Appliance) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Topic, key and entity of all that is announced."""
    for topic, payload in announcements(appliance, prefix="homeassistant").items():
        body = json.loads(json.dumps(payload))
        yield from ((topic, key, entity) for key, entity in body["components"].items())


@pytest.mark.parametrize(("name", "appliance"), [("plain", PLAIN), ("full", FULL)])
def test_the_announcements_are_those_that_were_looked_at(name: str, appliance: Appliance) -> None:
    """A change of what Home Assistant has stored is seen; `edgecam discovery --print` shows the same."""
    told = announcements(appliance, prefix="homeassistant")
    assert told == json.loads((GOLDEN / f"discovery_{name}.json").read_text(encoding="utf-8"))


def test_no_two_entities_share_an_id_whatever_the_devices_and_cameras_are_called() -> None:
    """`a` with camera `b-c` and `a-b` with camera `c` are four devices."""
    appliances = [
        Appliance(
            "a", "edgecam", "1", 1, [WatchedCamera("b-c", ["x y", "x-y", "x_y"]), WatchedCamera("memory")]
        ),
        Appliance("a-b", "edgecam", "1", 1, [WatchedCamera("c", ["x y"]), WatchedCamera("edgecam")]),
        Appliance("a_b", "edgecam", "1", 1, [WatchedCamera("c")]),
    ]
    found = [entity["unique_id"] for appliance in appliances for _, _, entity in entities(appliance)]
    assert len(set(found)) == len(found)
    assert len({topic for appliance in appliances for topic, _, _ in entities(appliance)}) == 8


def test_ids_do_not_depend_on_what_may_change() -> None:
    """History stays when base, version, heartbeat, options or the order of labels change."""
    changed = Appliance(
        "box",
        "other",
        "9",
        5,
        [WatchedCamera("porch", ["dog", "tiger cat", "cat"], True, True)],  # noqa: FBT003
    )
    before = {(topic, key): entity["unique_id"] for topic, key, entity in entities(PLAIN)}
    after = {(topic, key): entity["unique_id"] for topic, key, entity in entities(changed)}
    assert before.items() <= after.items()


def test_topics_and_keys_are_such_as_home_assistant_can_take_apart() -> None:
    """It allows few characters in topics, and splits its own names of entities at blanks."""
    for topic, key, entity in entities(FULL):
        assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", topic)
        assert re.fullmatch(r"[!-~]+", key)
        assert re.fullmatch(r"[a-z_]+\.[a-z0-9]+(_[a-z0-9]+)*", entity["default_entity_id"])


def test_only_watched_labels_that_are_reported_have_a_sensor() -> None:
    """Not a thousand of them when every label is watched, and none that never speaks."""
    config = Config(
        cameras={
            "every": CameraConfig(source="pattern:"),
            "two": CameraConfig(
                source="pattern:", watch={"cat": WatchConfig(), "dog": WatchConfig()}, ignore=["dog"]
            ),
        }
    )
    told = json.loads(json.dumps(home_assistant_announcements(config, device="box")))
    found = {
        topic.split("/")[-2]: [key for key in payload["components"] if key.startswith("watched.")]
        for topic, payload in told.items()
    }
    assert found == {"edgecam": [], "edgecam-every": [], "edgecam-two": ["watched.cat"]}


def test_the_switch_and_the_snapshot_are_there_when_edgecam_has_them() -> None:
    """An entity that nothing answers to helps nobody."""
    both = MqttConfig(commands=["enabled"], snapshots=SnapshotsConfig(enabled=True))
    for mqtt, wanted in ((both, {"enabled", "snapshot"}), (MqttConfig(commands=[]), set())):
        told = home_assistant_announcements(Config(mqtt=mqtt), device="box")
        components = json.loads(json.dumps(told))["homeassistant/device/box/edgecam-main/config"][
            "components"
        ]
        assert {"enabled", "snapshot"} & components.keys() == wanted


@pytest.mark.parametrize(
    ("topic", "own"),
    [
        ("homeassistant/device/box/edgecam/config", True),
        ("homeassistant/device/box/edgecam-porch/config", True),
        ("homeassistant/device/box/edgecamera/config", False),
        ("homeassistant/device/box/other/config", False),
        ("homeassistant/device/box2/edgecam/config", False),
        ("homeassistant/device/box/edgecam", False),
        ("edgecam", False),
    ],
)
def test_an_announcement_of_ours_is_known_by_its_topic(topic: str, own: bool) -> None:  # noqa: FBT001
    """What others announce under the same name is not ours to remove."""
    assert is_announcement(topic, prefix="homeassistant", device="box") is own


class Blueprint(yaml.SafeLoader):
    """YAML with Home Assistant's `!input`."""


Blueprint.add_constructor("!input", lambda _loader, node: {"input": node.value})


def inputs(value: object) -> set[str]:
    """The inputs that are used somewhere in it."""
    if isinstance(value, dict):
        found = {value["input"]} if value.keys() == {"input"} and isinstance(value["input"], str) else set()
        return found.union(*(inputs(part) for part in value.values()))
    return set().union(*(inputs(part) for part in value)) if isinstance(value, list) else set()


def test_the_blueprint_uses_each_input_that_it_asks_for() -> None:
    """It loads, and asks for nothing that it does not use."""
    path = Path(__file__).parents[2] / "deploy" / "home-assistant" / "edgecam_notify.yaml"
    blueprint = yaml.load(path.read_text(encoding="utf-8"), Blueprint)  # noqa: S506 - a SafeLoader
    asked = blueprint.pop("blueprint")["input"]
    assert inputs(blueprint) == set(asked)


def birth(payload: bytes = b"online", *, retained: bool = False) -> Received:
    """What Home Assistant says when it starts."""
    return Received("homeassistant/status", payload, retained=retained)


def drain(outbox: Outbox) -> list[str]:
    """The topics that are due."""
    return [item.topic for item in iter(outbox.take, None)]


def test_a_birth_is_answered_once_after_its_delay() -> None:
    """Births that follow each other closely make one announcement, in the announced order."""
    outbox = Outbox(MemoryQueue(max_items=1))
    announcer = Announcer(outbox, TOLD, chance=lambda: 0.5)
    assert drain(outbox) == list(TOLD)
    began_s = time.monotonic()
    announcer.on_birth(birth())
    announcer.on_birth(birth())
    announcer.keep_time(began_s + 0.9 * delay_s(0.5))
    assert drain(outbox) == []
    announcer.keep_time(time.monotonic() + delay_s(0.5))
    assert drain(outbox) == list(TOLD)
    announcer.keep_time(time.monotonic() + 1000)
    assert drain(outbox) == []


@pytest.mark.parametrize("message", [birth(b"offline"), birth(b""), birth(retained=True)])
def test_what_is_no_birth_is_not_answered(message: Received) -> None:
    """A retained one came before we connected, and connecting announces."""
    outbox = Outbox(MemoryQueue(max_items=1))
    announcer = Announcer(outbox, TOLD, chance=lambda: 0.0)
    drain(outbox)
    announcer.on_birth(message)
    announcer.keep_time(time.monotonic() + 1000)
    assert drain(outbox) == []


def test_the_delays_of_a_fleet_are_spread_over_seconds() -> None:
    """Not all at once, and nobody is kept waiting for long."""
    assert [delay_s(chance) for chance in (0.0, 0.5, 1.0)] == [0.0, 2.5, 5.0]


def test_a_run_announces_on_connect_and_on_birth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retained, at QoS 1, on the wire; without the option nothing of it is there."""
    monkeypatch.setattr("random.random", lambda: 0.0)

    def fail(error: BaseException) -> None:
        raise error

    def uplink(told: dict[str, Payload] | None) -> Uplink:
        return Uplink(
            MqttConfig(url=broker.url),
            device="box",
            password=None,
            tls=NO_FILES,
            heartbeat=lambda: None,
            fail=fail,
            cameras=["main"],
            announcements=told,
        )

    first = next(iter(TOLD))
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        silent = uplink(None)
        silent.start()
        listener.wait(lambda: listener.on("edgecam/box/availability"))
        silent.stop(timeout_s=10)
        assert listener.on(first) == []
        us = uplink(TOLD)
        us.start()
        try:
            listener.wait(lambda: all(listener.on(topic) for topic in TOLD))
            heard = listener.on(first)[0]
            single("homeassistant/status", "online", port=broker.port)
            listener.wait(lambda: all(len(listener.on(topic)) > 1 for topic in TOLD))
        finally:
            us.stop(timeout_s=10)
        with Listener(broker.port, "homeassistant/#") as late:
            late.wait(lambda: len(late.heard) == len(TOLD))
    assert (heard.qos, heard.body) == (1, {"a": 1})
    assert all(message.retained for message in late.heard)


def write_config(folder: Path, url: str) -> Path:
    """One camera on the device `box`."""
    path = folder / "config.yaml"
    config = {
        "device": "box",
        "cameras": {"porch": {"source": "pattern:", "watch": {"cat": {}}}},
        "mqtt": {"url": url},
    }
    path.write_text(json.dumps(config))
    return path


def test_print_shows_what_would_be_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also while it is switched off, so that one can look first."""
    discovery(write_config(tmp_path, "mqtt://127.0.0.1"), show=True, remove=False)
    told = json.loads(capsys.readouterr().out)
    assert list(told) == [
        "homeassistant/device/box/edgecam/config",
        "homeassistant/device/box/edgecam-porch/config",
    ]
    assert "watched.cat" in told["homeassistant/device/box/edgecam-porch/config"]["components"]


@pytest.mark.parametrize("both", [True, False])
def test_print_or_remove(tmp_path: Path, both: bool) -> None:  # noqa: FBT001
    """Neither and both make no sense."""
    with pytest.raises(UsageError, match="one of --print and --remove"):
        discovery(write_config(tmp_path, "mqtt://127.0.0.1"), show=both, remove=both)


def test_remove_clears_ours_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also of cameras that the configuration has no longer; never another program's or device's."""
    ours = [f"homeassistant/device/box/{name}/config" for name in ("edgecam", "edgecam-porch", "edgecam-old")]
    others = ["homeassistant/device/box/heater/config", "homeassistant/device/box2/edgecam/config"]
    with Mosquitto(tmp_path) as broker:
        for topic in (*ours, *others):
            single(topic, "{}", qos=1, retain=True, port=broker.port)
        discovery(write_config(tmp_path, broker.url), show=False, remove=True)
        with Listener(broker.port, "homeassistant/#") as late:
            late.wait(lambda: len(late.heard) >= len(others))
    assert sorted(message.topic for message in late.heard) == sorted(others)
    assert sorted(capsys.readouterr().out.split()) == sorted(ours)


def test_remove_without_a_broker_says_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure with the address and what to look at, not a success that did nothing."""
    monkeypatch.setattr("edgecam.commands.discovery._PATIENCE_S", 0.2)
    url = Mosquitto(tmp_path).url
    with pytest.raises(BrokerError, match=rf"no connection to {url}.*mqtt\.url"):
        discovery(write_config(tmp_path, url), show=False, remove=True)
