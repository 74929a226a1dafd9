"""edgecam's announcements in a real Home Assistant core; started by scripts/check-home-assistant.

Its argument is a Python that has edgecam; tests/support is in its path. A rule that does not hold ends it
with an AssertionError that says which; the last line on stdout has the figures.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from announcing_box import Edgecam
from home_assistant import Core, home_assistant
from homeassistant.const import __version__ as home_assistant_version
from mosquitto import Mosquitto, free_port
from mqtt_listener import Listener
from paho.mqtt.publish import single

# What a board may not tell, and what is not seen in the yard.
MAY_BE_UNKNOWN = {f"edgecam.box.{key}" for key in ("temperature", "throttled", "under_voltage")} | {
    f"edgecam.box.yard.{key}" for key in ("label", "score", "event", "snapshot")
}


async def check_entities(core: Core, told: dict[str, dict[str, Any]]) -> list[str]:
    """All that was announced is there, under the ids that were asked for, with a state; returns the ids."""
    found: list[str] = []
    for component in (part for payload in told.values() for part in payload["components"].values()):
        unique_id, platform, wanted = (
            component[key] for key in ("unique_id", "platform", "default_entity_id")
        )
        await core.wait(f"the entity {unique_id}", partial(core.entity_id, unique_id, platform))
        assert core.entity_id(unique_id, platform) == wanted
        without = {"unavailable"} if unique_id in MAY_BE_UNKNOWN else {"unavailable", "unknown"}
        await core.wait(f"a state of {wanted}", partial(has_other_state, core, wanted, without))
        found.append(wanted)
    return found


def has_other_state(core: Core, entity_id: str, without: set[str]) -> bool:
    """Is its state none of these?"""
    return core.state(entity_id) not in without


def has_states(core: Core, wanted: dict[str, str]) -> bool:
    """Are all of them so at one moment?"""
    return all(core.state(entity_id) == state for entity_id, state in wanted.items())


async def check_devices(core: Core, told: dict[str, dict[str, Any]]) -> None:
    """One for the appliance, and each camera's under it."""
    devices = {
        identifier: core.devices.async_get_device(identifiers={("mqtt", identifier)})
        for identifier in (payload["device"]["identifiers"][0] for payload in told.values())
    }
    appliance = devices.pop("edgecam.box")
    assert appliance is not None
    assert len(devices) == 2
    for identifier, device in devices.items():
        assert device is not None, identifier
        assert device.via_device_id == appliance.id, f"{identifier} is not under the appliance"


async def check_states(core: Core) -> None:
    """Entities follow what the camera sees, there and back."""
    for seen, other in (("cat", "espresso"), ("espresso", "cat")):
        wanted = {
            "sensor.box_porch_label": seen,
            f"binary_sensor.box_porch_{seen}": "on",
            f"binary_sensor.box_porch_{other}": "off",
            "binary_sensor.box_porch_connected": "on",
            "sensor.box_porch_status": "ok",
        }
        await core.wait(f"{wanted}", partial(has_states, core, wanted))
        assert 40 <= float(core.state("sensor.box_porch_score")) <= 100
    await core.wait(
        "an event", lambda: core.attribute("event.box_porch_event", "event_type") in {"start", "end"}
    )
    assert 3 < float(core.state("sensor.box_porch_frame_rate")) < 7
    assert int(core.state("sensor.box_porch_frames_skipped")) >= 0
    assert core.state("sensor.edgecam_box_mqtt_version") == "5"
    assert core.state("sensor.edgecam_box_events_lost") == "0"


async def check_events(core: Core, port: int) -> None:
    """A delayed event is ignored, a fresh one is not."""
    entity_id, topic = "event.box_yard_event", "edgecam/box/yard/event"
    for mark, delayed_s in (("late", 60), ("fresh", 1)):
        body = {"event_type": "start", "label": mark, "delayed_s": delayed_s}
        await asyncio.to_thread(single, topic, json.dumps(body), qos=1, port=port)
        if mark == "fresh":
            await core.wait("the fresh event", lambda: core.attribute(entity_id, "label") == "fresh")
        else:
            await asyncio.sleep(1)
            assert core.attribute(entity_id, "label") != "late", "a delayed event was not ignored"


async def check_switch(core: Core, port: int) -> None:
    """Both ways: what the owner does is done, and what another does is shown."""
    switch = {"entity_id": "switch.box_porch_enabled"}
    off = {"switch.box_porch_enabled": "off", "sensor.box_porch_status": "disabled"}
    on = {"switch.box_porch_enabled": "on", "sensor.box_porch_status": "ok"}
    await core.call("switch", "turn_off", **switch)
    await core.wait("the camera to be off", partial(has_states, core, off))
    assert core.state("sensor.box_porch_label") == core.state("binary_sensor.box_porch_cat") == "unknown"
    await core.call("switch", "turn_on", **switch)
    await core.wait("the camera to be on", partial(has_states, core, on))
    for payload, states in (("OFF", off), ("ON", on)):
        await asyncio.to_thread(single, "edgecam/box/porch/enabled/set", payload, qos=1, port=port)
        await core.wait(f"the switch to follow {payload}", partial(has_states, core, states))


async def check_snapshot(core: Core) -> None:
    """The image entity has the picture of an event."""
    entity_id = "image.box_porch_snapshot"
    await core.wait("a snapshot", partial(has_other_state, core, entity_id, {"unknown", "unavailable"}))
    picture = await core.image(entity_id)
    assert picture[:2] + picture[-2:] == b"\xff\xd8\xff\xd9", "the snapshot is no JPEG"


async def check_freshness(core: Core, process: subprocess.Popen[bytes]) -> None:
    """A process that hangs is not believed, though its connection stands; it is when it goes on."""
    process.send_signal(signal.SIGSTOP)
    try:
        await core.wait(
            "the label to expire", lambda: core.state("sensor.box_porch_label") == "unavailable", 20
        )
    finally:
        process.send_signal(signal.SIGCONT)
    await core.wait(
        "the label to be back", lambda: core.state("sensor.box_porch_label") in {"cat", "espresso"}
    )


async def check_birth(core: Core, port: int, told: dict[str, dict[str, Any]]) -> None:
    """Home Assistant connects anew, says so by itself, and is told everything again."""
    with Listener(port, "homeassistant/#") as listener:
        listener.wait(lambda: all(listener.on(topic) for topic in told))
        await core.reconnect()
        await core.wait("its birth", lambda: listener.on("homeassistant/status"))
        await core.wait(
            "announcements after the birth",
            lambda: all(not listener.on(topic)[-1].retained for topic in told),
            15,
        )
    await core.wait("states after the birth", lambda: core.state("sensor.box_porch_status") == "ok")


async def check_removal(core: Core, edgecam: Edgecam, found: list[str]) -> None:
    """Nothing is left when it was switched off, by itself; nor when it was removed by hand."""
    with edgecam.running("--set", "mqtt.home_assistant.enabled=false"):
        await check_absence(core, found)
    with edgecam.running():
        await core.wait("all entities again", lambda: all(map(core.states.get, found)))
    await asyncio.to_thread(
        subprocess.run, edgecam.command("discovery", "--remove"), check=True, capture_output=True, timeout=60
    )
    await check_absence(core, found)


async def check_absence(core: Core, found: list[str]) -> None:
    """No entity, no device."""
    await core.wait("the entities to go", lambda: not any(core.states.get(entity_id) for entity_id in found))
    await core.wait(
        "the devices to go",
        lambda: not [d for d in core.devices.devices.values() if d.manufacturer == "edgecam"],
    )


async def check(python: str, folder: Path) -> None:
    """All of it, in the order of an owner's experience."""
    with Mosquitto(folder) as broker:
        edgecam = Edgecam(python, folder, broker.url)
        told = edgecam.announced()
        async with home_assistant(folder, broker_port=broker.port, http_port=free_port()) as core:
            with edgecam.running() as process:
                found = await check_entities(core, told)
                await check_devices(core, told)
                await check_states(core)
                await check_events(core, broker.port)
                await check_switch(core, broker.port)
                await check_snapshot(core)
                await check_freshness(core, process)
                await check_birth(core, broker.port, told)
            await core.wait(
                "all to be unavailable",
                lambda: {core.state(entity_id) for entity_id in found} == {"unavailable"},
            )
            await check_removal(core, edgecam, found)
    sys.stdout.write(
        f"passed: Home Assistant {home_assistant_version}, {len(told)} devices, {len(found)} entities\n"
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="edgecam-home-assistant-") as name:
        asyncio.run(check(sys.argv[1], Path(name)))
