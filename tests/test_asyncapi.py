"""docs/asyncapi.yaml says what the code does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgecam.publish import discovery
from edgecam.publish.commands import Command
from edgecam.publish.entities import Appliance, WatchedCamera
from edgecam.publish.topics import CameraTopic, ControlTopic, DeviceTopic, Topics
from edgecam.publish.wire import Will
from edgecam.publish.worker import will_of

DOCS = Path(__file__).resolve().parents[1] / "docs"
DOCUMENT: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))
CHANNELS: dict[str, Any] = DOCUMENT["channels"]
TOPICS = Topics("{base}", "{device}")
VERBS = sorted(set(Command) - {Command.ENABLED})


def references(node: object) -> Iterator[str]:
    """Every `$ref` in the document."""
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def code_topics() -> set[str]:
    """Every topic that the code names, with parameters in place of what differs."""
    device = {f"{{base}}/{{device}}/{name}" for name in DeviceTopic}
    camera = {f"{{base}}/{{device}}/{{camera}}/{name}" for name in (*CameraTopic, *ControlTopic)}
    appliance = Appliance("{device}", "{base}", "1", 60, [WatchedCamera("x")])
    announced = discovery.announcements(appliance, prefix="{prefix}")
    return (
        device
        | camera
        | {TOPICS.enabled_set("{camera}"), TOPICS.command("{verb}"), TOPICS.response("{verb}")}
        | {topic.replace("/edgecam-x/", "/{node}/").replace("/edgecam/", "/{node}/") for topic in announced}
        | {discovery.birth_topic("{prefix}")}
    )


def test_every_topic_of_the_code_is_in_the_document_and_no_other() -> None:
    """Whoever adds a topic documents it."""
    assert {channel["address"] for channel in CHANNELS.values()} == code_topics()


def test_every_method_of_topics_is_covered() -> None:
    """A topic that is no member of an enumeration is not forgotten."""
    named = {name for name in vars(Topics) if not name.startswith("_")} - {"base", "device"}
    made = {"availability", "info", "stats", "notice", "state", "event", "prediction", "snapshot", "enabled"}
    assert named == made | {"enabled_set", "command", "response"}


def test_every_reference_leads_somewhere() -> None:
    """Schemas lie beside the document, all else in it."""
    for reference in references(DOCUMENT):
        file, _, pointer = reference.partition("#")
        node: Any = json.loads((DOCS / file).read_text(encoding="utf-8")) if file else DOCUMENT
        for key in filter(None, pointer.split("/")):
            node = node[key]
        assert node


def test_every_schema_of_a_payload_is_used() -> None:
    """A payload with a schema is a message here."""
    titles = {
        path.name: json.loads(path.read_text(encoding="utf-8"))["title"]
        for path in (DOCS / "schemas").glob("*.json")
    }
    of_topics = {f"schemas/{name}" for name, title in titles.items() if "<base>/" in title}
    assert of_topics
    assert of_topics == {reference for reference in references(DOCUMENT) if reference.startswith("schemas/")}


@pytest.mark.parametrize("name", CHANNELS)
def test_every_parameter_of_an_address_is_described(name: str) -> None:
    """And none that is not in it."""
    channel = CHANNELS[name]
    levels = channel["address"].split("/")
    assert set(channel["parameters"]) == {level[1:-1] for level in levels if level.startswith("{")}


def test_the_verbs_are_the_commands() -> None:
    """All but the switch, which has a topic of its own."""
    assert sorted(DOCUMENT["components"]["parameters"]["verb"]["enum"]) == VERBS


def test_every_channel_has_its_operation() -> None:
    """With quality and retention where edgecam sends."""
    operations = DOCUMENT["operations"].values()
    reached = {operation["channel"]["$ref"].rpartition("/")[2] for operation in operations}
    reached |= {
        operation["reply"]["channel"]["$ref"].rpartition("/")[2]
        for operation in operations
        if "reply" in operation
    }
    assert reached == set(CHANNELS)
    for operation in operations:
        if operation["action"] == "send":
            assert set(operation["bindings"]["mqtt"]) == {"qos", "retain"}


def test_the_will_is_among_the_payloads() -> None:
    """What the broker says for us is no surprise."""
    will = will_of(TOPICS)
    assert will == Will(CHANNELS["availability"]["address"], b"offline")
    assert will.payload.decode() in DOCUMENT["components"]["messages"]["availability"]["payload"]["enum"]
