"""A Home Assistant core in this process, with the MQTT integration and no more than that needs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant import auth, bootstrap, config_entries, loader
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry, entity_registry
from homeassistant.setup import async_setup_component


class Core:
    """What an owner sees of it: entities, states, devices."""

    def __init__(self, hass: HomeAssistant, entry: config_entries.ConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self.states = hass.states
        self.devices = device_registry.async_get(hass)
        self.entities = entity_registry.async_get(hass)

    def entity_id(self, unique_id: str, platform: str) -> str | None:
        """By the identity that edgecam gave it."""
        entity_id: str | None = self.entities.async_get_entity_id(platform, "mqtt", unique_id)
        return entity_id

    def state(self, entity_id: str) -> str:
        """Its state, or why there is none."""
        state = self.states.get(entity_id)
        return "no such entity" if state is None else str(state.state)

    def attribute(self, entity_id: str, name: str) -> Any:
        """One of its attributes; None: it has none such."""
        state = self.states.get(entity_id)
        return None if state is None else state.attributes.get(name)

    async def image(self, entity_id: str) -> bytes:
        """What an image entity shows."""
        picture: bytes = (
            await self._hass.data["entity_components"]["image"].get_entity(entity_id).async_image()
        )
        return picture

    async def call(self, domain: str, service: str, **data: object) -> None:
        """An owner's deed."""
        await self._hass.services.async_call(domain, service, data, blocking=True)

    async def reconnect(self) -> None:
        """Load the MQTT integration anew: it says its birth by itself."""
        assert await self._hass.config_entries.async_reload(self._entry.entry_id)

    async def wait(self, what: str, done: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Until it is true; what has not come true ends the check."""
        ends_s = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < ends_s, f"not within {timeout_s:g} s: {what}"
            await asyncio.sleep(0.05)


class Complaints(logging.Handler):
    """What it says against what it is told."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remember it."""
        self.texts.append(f"{record.name}: {record.getMessage()}")


@asynccontextmanager
async def home_assistant(folder: Path, *, broker_port: int, http_port: int) -> AsyncIterator[Core]:
    """Start it, connected to a broker on this machine, and stop it."""
    (folder / "configuration.yaml").touch()
    hass = HomeAssistant(str(folder))
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    http = {"http": {"server_host": ["127.0.0.1"], "server_port": http_port}}
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "http", http)
    await hass.async_start()
    entry = config_entries.ConfigEntry(
        domain="mqtt",
        title="the check's broker",
        data={"broker": "127.0.0.1", "port": broker_port, "discovery": True},
        options={},
        source="user",
        unique_id=None,
        version=1,
        minor_version=2,
        discovery_keys=MappingProxyType({}),
        subentries_data=None,
    )
    complaints = Complaints()
    try:
        await hass.config_entries.async_add(entry)
        assert entry.state is config_entries.ConfigEntryState.LOADED, entry.reason
        for name in ("homeassistant.components.mqtt", "homeassistant.helpers.template"):
            logging.getLogger(name).addHandler(complaints)
        yield Core(hass, entry)
        assert not complaints.texts, complaints.texts
    finally:
        await hass.async_stop(force=True)
