"""`edgecam discovery`: what Home Assistant is told, to read, or to take back."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgecam.appliance.board import device_id, instance_name
from edgecam.broker_url import parse_broker_url
from edgecam.config.certificates import read_tls
from edgecam.config.loader import LoadedConfig, load_config
from edgecam.config.password import read_password
from edgecam.errors import BrokerError, UsageError
from edgecam.pipeline.announcing import home_assistant_announcements
from edgecam.publish.discovery import announcement_topics, is_announcement
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.wire import Acknowledged, Happening, Protocol, Received, address_of

_PATIENCE_S = 10.0
"""How long the broker is waited for."""
_QUIET_S = 1.0
"""So long after its last retained message no more are to come."""


def discovery(path: Path | None, *, sets: Sequence[str] = (), show: bool, remove: bool) -> None:
    """Print the announcements as JSON, by topic, or remove them from the broker.

    Args:
        path: the configuration; None: where `load_config` looks.
        sets: `key=value` texts of `--set`.
        show: print them.
        remove: clear each that the broker keeps of this device, also those of cameras that it no longer has.

    Raises:
        UsageError: not exactly one of `show` and `remove`.
        ConfigError: the configuration, or the password's file.
        BrokerError: the broker does not answer, or refuses.
    """
    if show == remove:
        raise UsageError("expected one of --print and --remove")
    loaded = load_config(path, sets=sets, environ=os.environ)
    config = loaded.config
    device = device_id(instance=instance_name()) if config.device == "auto" else config.device
    announced = home_assistant_announcements(config, device=device)
    if show:
        print(json.dumps(announced, indent=2, ensure_ascii=False))
        return
    for topic in _Remover(loaded, device).remove(announced):
        print(topic)
    if config.mqtt.home_assistant.enabled:
        print(
            "mqtt.home_assistant.enabled is true: a running edgecam will announce them again; "
            "set it to false and restart edgecam, then remove them",
            file=sys.stderr,
        )


class _Remover:
    """Clears retained announcements, over a connection of its own."""

    def __init__(self, loaded: LoadedConfig, device: str) -> None:
        mqtt = loaded.config.mqtt
        self._prefix = mqtt.home_assistant.prefix
        self._device = device
        where = parse_broker_url(mqtt.url, embedded=True)
        self._address = address_of(
            where,
            username=mqtt.username,
            password=read_password(mqtt, loaded.folder, os.environ),
            tls=read_tls(mqtt, loaded.folder),
        )
        self._link = MqttLink(
            self._address,
            client_id=f"{mqtt.base.replace('/', '-')}-{device}-discovery",
            protocol=Protocol.V311 if where.embedded else Protocol(mqtt.protocol),
            subscriptions=[(announcement_topics(self._prefix, device), 1)],
        )

    def remove(self, known: Iterable[str]) -> list[str]:
        """Clear the topics that are `known`, and those that the broker has; returns all of them."""
        with self._link:
            self._connect()
            topics = list(dict.fromkeys([*known, *self._retained()]))
            tokens = {self._link.publish(topic, b"", qos=1, retain=True): topic for topic in topics}
            self._await_answers(tokens)
        return topics

    def _connect(self) -> None:
        ends_s = time.monotonic() + _PATIENCE_S
        while not self._link.connected:
            self._step(ends_s, "no connection to")

    def _retained(self) -> list[str]:
        """The announcements of this device that the broker has kept."""
        found: list[str] = []
        ends_s = time.monotonic() + _QUIET_S
        while (left_s := ends_s - time.monotonic()) > 0:
            for happening in self._link.step(left_s):
                if (
                    isinstance(happening, Received)
                    and happening.retained
                    and is_announcement(happening.topic, prefix=self._prefix, device=self._device)
                ):
                    found.append(happening.topic)
                    ends_s = time.monotonic() + _QUIET_S
        return found

    def _await_answers(self, tokens: dict[int | None, str]) -> None:
        ends_s = time.monotonic() + _PATIENCE_S
        while tokens:
            for happening in self._step(ends_s, "no answer from"):
                if isinstance(happening, Acknowledged) and happening.token in tokens:
                    topic = tokens.pop(happening.token)
                    if not happening.accepted:
                        raise BrokerError(f"{topic}: the broker refuses: {happening.reason}; check its ACL")

    def _step(self, ends_s: float, fault: str) -> list[Happening]:
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            raise BrokerError(
                f"{fault} {self._address} within {_PATIENCE_S:g} s; is the broker running, "
                "and are mqtt.url and the login right?"
            )
        return self._link.step(left_s)
