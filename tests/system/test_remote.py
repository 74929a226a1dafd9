"""`edgecam run` as others tell it what to do: switches, commands, snapshots, through a real broker."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mosquitto import Mosquitto
from mqtt_listener import Heard, Listener
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from program import Program, config_for, write_photos

BOX = "edgecam/box"
STATE = f"{BOX}/main/state"
SWITCH = f"{BOX}/main/enabled"
SNAPSHOT = f"{BOX}/main/snapshot"
ASK = f"{BOX}/cmd/snapshot"


def say(
    broker: Mosquitto, topic: str, payload: str | bytes, *, retain: bool = False, **properties: Any
) -> None:
    """Publish one message with QoS 1, with MQTT 5 properties."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    said = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # as paho has it
    for name, value in properties.items():
        setattr(said, name, value)
    client.publish(topic, payload, qos=1, retain=retain, properties=said).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def statuses(subscriber: Listener) -> list[str]:
    """In order, repeats left out."""
    seen: list[str] = []
    for heard in subscriber.on(STATE):
        if seen[-1:] != [heard.body["status"]]:
            seen.append(heard.body["status"])
    return seen


def last(subscriber: Listener, topic: str) -> bytes | None:
    """The newest payload."""
    heard = subscriber.on(topic)
    return heard[-1].payload if heard else None


def captured(subscriber: Listener) -> int:
    """By the newest stats."""
    count: int = subscriber.on(f"{BOX}/stats")[-1].body["cameras"]["main"]["captured"]
    return count


def wait_for_status(subscriber: Listener, status: str) -> None:
    """The newest state says so."""
    subscriber.wait(lambda: statuses(subscriber)[-1:] == [status], timeout_s=30)


def pictures(subscriber: Listener) -> list[Heard]:
    """Those that are not empty."""
    return [heard for heard in subscriber.on(SNAPSHOT) if heard.payload]


def test_a_camera_is_switched_off_and_on_and_stays_as_it_was_set(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """OFF: `disabled`, no frame is captured; ON: it is back. The switch is told, retained, both ways."""
    config = config_for(broker.url, "pattern:", fps=20)
    with Program(tmp_path, config) as program:
        wait_for_status(subscriber, "ok")
        subscriber.wait(lambda: last(subscriber, SWITCH) == b"ON")
        say(broker, f"{SWITCH}/set", "off")
        wait_for_status(subscriber, "disabled")
        subscriber.wait(lambda: last(subscriber, SWITCH) == b"OFF")
        with Listener(broker.port) as late:
            late.wait(lambda: late.on(SWITCH))
            assert [(heard.payload, heard.qos, heard.retained) for heard in late.on(SWITCH)] == [
                (b"OFF", 1, True)
            ]
        subscriber.forget()
        subscriber.wait(lambda: len(subscriber.on(f"{BOX}/stats")) >= 3, timeout_s=30)
        counts = [heard.body["cameras"]["main"]["captured"] for heard in subscriber.on(f"{BOX}/stats")]
        assert counts[1:] == counts[1:2] * len(counts[1:])
        assert statuses(subscriber) == ["disabled"]
        say(broker, f"{SWITCH}/set", "ON")
        wait_for_status(subscriber, "ok")
        subscriber.wait(lambda: last(subscriber, SWITCH) == b"ON")
        assert program.stop()[0] == 0


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_switch_survives_a_restart(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, end: signal.Signals
) -> None:
    """A camera that was switched off stays off, also after a crash, until somebody switches it on."""
    with Program(tmp_path, config_for(broker.url, "pattern:", fps=20)) as program:
        wait_for_status(subscriber, "ok")
        say(broker, f"{SWITCH}/set", "OFF")
        wait_for_status(subscriber, "disabled")
        subscriber.wait(lambda: last(subscriber, SWITCH) == b"OFF")
        program.stop(end)
        subscriber.forget()
        program.start()
        wait_for_status(subscriber, "disabled")
        subscriber.wait(lambda: len(subscriber.on(f"{BOX}/stats")) >= 2, timeout_s=30)
        assert captured(subscriber) == 0
        assert {heard.payload for heard in subscriber.on(SWITCH)} == {b"OFF"}
        say(broker, f"{SWITCH}/set", "ON")
        wait_for_status(subscriber, "ok")
        assert program.stop()[0] == 0


def test_retained_and_nonsensical_commands_are_ignored_and_logged_once(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """A retained OFF from last year must not switch the camera off at each start."""
    say(broker, f"{SWITCH}/set", "OFF", retain=True)
    config = config_for(broker.url, "pattern:", fps=20)
    with Program(tmp_path, config) as program:
        program.wait_log(lambda log: "reason=retained" in log)
        for _ in range(3):
            say(broker, f"{SWITCH}/set", b"\xff\x00")
            say(broker, f"{BOX}/attic/enabled/set", "OFF")
            say(broker, ASK, b"x" * 5000)
            say(broker, ASK, "{}", ResponseTopic=STATE)
        subscriber.forget()
        wait_for_status(subscriber, "ok")
        say(broker, ASK, "[]")
        subscriber.wait(lambda: subscriber.on(f"{ASK}/response"))
        assert subscriber.on(f"{ASK}/response")[0].body["data"] == {"reason": "malformed"}
        for reason in ("retained", "malformed", "unknown_camera", "oversized", "response_topic"):
            assert program.log.count(f"command refused topic='{BOX}/") >= 5
            assert program.log.count(f" reason={reason}") == 1
        assert last(subscriber, SWITCH) in {None, b"ON"}
        subscriber.forget()
        subscriber.wait(lambda: subscriber.on(f"{BOX}/stats"))
        assert subscriber.on(f"{BOX}/stats")[-1].body["mqtt"]["commands_refused"] == 14
        assert program.stop()[0] == 0


@pytest.mark.parametrize("allowed", [[], ["snapshot"]])
def test_what_is_not_allowed_is_not_even_heard(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, allowed: list[str]
) -> None:
    """No subscription, no switch on MQTT; what is allowed works all the same."""
    config = config_for(broker.url, "pattern:", fps=20)
    config["mqtt"]["commands"] = allowed
    with Program(tmp_path, config) as program:
        wait_for_status(subscriber, "ok")
        say(broker, f"{SWITCH}/set", "OFF")
        say(broker, ASK, "")
        if allowed:
            subscriber.wait(lambda: subscriber.on(f"{ASK}/response"))
        subscriber.forget()
        subscriber.wait(lambda: len(subscriber.on(STATE)) >= 2, timeout_s=30)
        assert statuses(subscriber) == ["ok"]
        assert subscriber.on(SWITCH) == []
        assert "command refused" not in program.log
        assert program.stop()[0] == 0


def test_an_answer_finds_its_requester(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Callable[[str, Any], None]
) -> None:
    """At the response topic that was asked for, with the correlation data; not retained, at QoS 1."""
    config = config_for(broker.url, "pattern:", fps=20)
    with Program(tmp_path, config) as program:
        wait_for_status(subscriber, "ok")
        say(broker, ASK, "", ResponseTopic="clients/7", CorrelationData=b"\x01\xfe")
        say(broker, f"{BOX}/cmd/reload", "{}")
        usual = f"{BOX}/cmd/reload/response"
        subscriber.wait(lambda: subscriber.on("clients/7") and subscriber.on(usual))
        (asked,), (plain,) = subscriber.on("clients/7"), subscriber.on(usual)
        for heard in (asked, plain):
            conforms("response", heard.body)
            assert (heard.qos, heard.retained, heard.body["ok"]) == (1, False, heard is plain)
        assert asked.properties["CorrelationData"] == "01fe"
        assert "mqtt.snapshots.enabled" in asked.body["message"]
        assert plain.body["message"] == "the configuration says what it said before"
        assert program.stop()[0] == 0


def test_an_event_leaves_a_picture_which_is_cleared(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """A JPEG of the turned picture's size, retained, with its type; nothing after `keep_s` or a stop."""
    photos = write_photos(tmp_path / "photos", each=20, rounds=30)
    photo = cv2.imread(str(photos / "00000.jpg"))
    assert photo is not None
    config = config_for(broker.url, f"images:{photos}", fps=10, rotate=90, smoothing_s=0, loop=True)
    config["cameras"]["main"]["watch"] = {"cat": {"enter": 0.1, "exit": 0.05, "hold_s": 0}}
    config["mqtt"]["snapshots"] = {"enabled": True, "keep_s": 1}
    with Program(tmp_path, config) as program:
        subscriber.wait(lambda: pictures(subscriber), timeout_s=30)
        picture = pictures(subscriber)[0]
        assert picture.properties["ContentType"] == "image/jpeg"
        assert picture.properties["MessageExpiryInterval"] == 1
        assert picture.qos == 0
        shown = cv2.imdecode(np.frombuffer(picture.payload, np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None
        assert shown.shape == (photo.shape[1], photo.shape[0], 3)
        subscriber.wait(lambda: last(subscriber, SNAPSHOT) == b"", timeout_s=30)
        say(broker, ASK, '{"camera": "main"}')
        subscriber.wait(lambda: subscriber.on(f"{ASK}/response"))
        assert subscriber.on(f"{ASK}/response")[0].body["ok"] is True
        subscriber.wait(lambda: last(subscriber, SNAPSHOT) != b"")
        assert program.stop()[0] == 0
        subscriber.wait(lambda: last(subscriber, SNAPSHOT) == b"")
    with Listener(broker.port) as late:
        late.wait(lambda: late.on(STATE))
        assert late.on(SNAPSHOT) == []


def test_a_picture_of_an_earlier_run_goes_when_snapshots_are_turned_off(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """It was left by a crash; who turns snapshots off wants it gone from the broker."""
    config = config_for(broker.url, "pattern:", fps=20)
    config["mqtt"]["snapshots"] = {"enabled": True}
    with Program(tmp_path, config) as program:
        wait_for_status(subscriber, "ok")
        say(broker, ASK, "")
        subscriber.wait(lambda: pictures(subscriber))
        program.stop(signal.SIGKILL)
    with Listener(broker.port) as late:
        late.wait(lambda: pictures(late))
    with Program(tmp_path, config, sets=["mqtt.snapshots.enabled=false"]) as program:
        subscriber.wait(lambda: last(subscriber, SNAPSHOT) == b"", timeout_s=30)
        assert program.stop()[0] == 0
    with Listener(broker.port) as late:
        late.wait(lambda: late.on(STATE))
        assert late.on(SNAPSHOT) == []


def test_without_snapshots_no_picture_leaves_the_device(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Off by default, also when somebody asks for one."""
    photos = write_photos(tmp_path / "photos", each=10, rounds=2)
    config = config_for(broker.url, f"images:{photos}", fps=10, smoothing_s=0)
    config["cameras"]["main"]["watch"] = {"cat": {"enter": 0.3, "exit": 0.2, "hold_s": 0}}
    with Program(tmp_path, config) as program:
        subscriber.wait(lambda: subscriber.on(f"{BOX}/main/event"), timeout_s=30)
        say(broker, ASK, "")
        subscriber.wait(lambda: subscriber.on(f"{ASK}/response"))
        assert program.wait(60) == 0
    assert pictures(subscriber) == []
