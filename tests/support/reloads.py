"""A running box whose configuration changes, and what its subscribers hear of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mqtt_listener import Listener
from program import Program

BOX = "edgecam/box"
STATE = f"{BOX}/main/state"
EVENT = f"{BOX}/main/event"
NOTICE = f"{BOX}/notice"


def write(folder: Path, config: dict[str, Any]) -> None:
    """As an editor does: beside it, then in its place."""
    fresh = folder / "fresh.yaml"
    fresh.write_text(json.dumps(config, indent=1), encoding="utf-8")
    fresh.replace(folder / "config.yaml")


def notices(subscriber: Listener, kind: str) -> list[dict[str, Any]]:
    """Those of a kind, in order."""
    return [heard.body for heard in subscriber.on(NOTICE) if heard.body["kind"] == kind]


def info(subscriber: Listener) -> dict[str, Any]:
    """The newest."""
    heard = subscriber.on(f"{BOX}/info")
    return heard[-1].body if heard else {}


def wait_for_state(subscriber: Listener, told: Callable[[dict[str, Any]], object]) -> None:
    """The newest state of `main` is so."""
    subscriber.wait(lambda: subscriber.on(STATE) and told(subscriber.on(STATE)[-1].body), timeout_s=30)


def start_until_ok(subscriber: Listener) -> None:
    """The camera's frames are classified."""
    wait_for_state(subscriber, lambda state: state["status"] == "ok")


def reload(program: Program, subscriber: Listener, kind: str) -> dict[str, Any]:
    """Tell it by SIGHUP; the notice that follows."""
    before = len(notices(subscriber, kind))
    program.send(signal.SIGHUP)
    subscriber.wait(lambda: len(notices(subscriber, kind)) > before, timeout_s=30)
    return notices(subscriber, kind)[-1]
