"""A broker, a subscriber and configurations for the real program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real mosquitto on a free loopback port, running."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as running:
        yield running


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Listener]:
    """Hears everything."""
    with Listener(broker.port) as listening:
        yield listening


@pytest.fixture(scope="session")
def conforms() -> Callable[[str, Any], None]:
    """`conforms("state", body)` holds a body against docs/schemas/state.schema.json."""

    def check(name: str, body: Any) -> None:
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(
            schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        ).validate(body)

    return check
