"""The files for Telegraf and Grafana in deploy/, against what edgecam really publishes."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from publish_samples import AT, event, starting, state, stats

from edgecam.publish import messages
from edgecam.publish.drafts import EventDraft
from edgecam.publish.topics import Topics, parse_topic
from edgecam.records import SkipCause
from edgecam.reports import MqttStats

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
TELEGRAF = tomllib.loads((DEPLOY / "telegraf" / "edgecam.conf").read_text(encoding="utf-8"))
INPUTS: list[dict[str, Any]] = TELEGRAF["inputs"]["mqtt_consumer"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "edgecam.json").read_text(encoding="utf-8"))
TOPICS = Topics("edgecam", "door")
MQTT = MqttStats(connected=True, protocol="5", published=9, refused=0, dropped=2, outbox=1, lost=0)
PAYLOADS = {
    TOPICS.stats: [messages.stats(stats(), MQTT, AT)],
    TOPICS.state("main"): [messages.state(one, AT, replayed=False) for one in (state(), starting())],
    TOPICS.event("main"): [EventDraft.of(event(), AT, event_id="1").render(AT, replayed=False)],
}
QUERY = re.compile(r"(?:(?P<function>number|string|name)\()?(?P<path>[\w/.*]+)\)?")
_TIME_FORMAT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def matching(topic_filter: str) -> str:
    """The topic of ours that a filter with `+` means."""
    pattern = re.compile(topic_filter.replace("+", "[^/]+"))
    return next(topic for topic in (*PAYLOADS, TOPICS.availability) if pattern.fullmatch(topic))


def select(document: Any, selection: str) -> Iterator[tuple[str, Any]]:
    """The nodes that become metrics: name and value."""
    *path, last = selection.strip("/").split("/")
    for key in filter(None, path):
        document = document[key]
    if last == "*":
        yield from document.items()
    else:
        yield "", document[last] if last else document


def evaluate(query: str, name: str, node: Any, document: Any) -> Any:
    """What a query of the configuration gives; raises KeyError where a payload has no such key."""
    match = QUERY.fullmatch(query)
    assert match is not None, query
    if match["function"] == "name":
        return name
    value = document if match["path"].startswith("/") else node
    for key in match["path"].strip("/").split("/"):
        value = value[key]
    if match["function"] == "number":
        return math.nan if value is None else float(value)
    return "" if value is None else str(value)


def schema() -> dict[str, tuple[set[str], set[str]]]:
    """Fields and tags by measurement, as the configuration makes them."""
    made = {}
    for one in INPUTS:
        topic_tags = set(one["topic_parsing"][0]["tags"].split("/")) - {"_"}
        if one["data_format"] == "value":
            made[one["name_override"]] = ({"value"}, topic_tags)
        for section in one.get("xpath", ()):
            tags = topic_tags | set(section.get("tags", ()))
            made[section["metric_name"].strip("'")] = (set(section["fields"]), tags)
    return made


@pytest.mark.parametrize("one", INPUTS, ids=lambda one: one["topics"][0])
def test_telegraf_subscribes_to_our_topics_and_takes_them_apart(one: dict[str, Any]) -> None:
    """At the QoS at which they are sent, and with the tags in the right levels."""
    (topic_filter,) = one["topics"]
    topic = matching(topic_filter)
    address = parse_topic(topic, base="edgecam")
    assert address is not None
    assert one["qos"] == (0 if topic == TOPICS.stats else 1)
    (parsing,) = one["topic_parsing"]
    assert parsing["topic"] == topic_filter
    tags = dict(zip(parsing["tags"].split("/"), topic.split("/"), strict=True))
    assert tags["device"] == address.device
    assert tags.get("camera") == address.camera


def test_every_query_of_telegraf_finds_a_value_in_what_we_publish() -> None:
    """Of the kind that it asks for; null is no number, and no text."""
    made = []
    for one in INPUTS:
        for section in one.get("xpath", ()):
            for document in PAYLOADS[matching(one["topics"][0])]:
                for name, node in select(document, section["metric_selection"]):
                    queries = {**section["fields"], **section.get("tags", {})}
                    made.append(
                        {key: evaluate(query, name, node, document) for key, query in queries.items()}
                    )
                if "timestamp" in section:
                    assert _TIME_FORMAT.fullmatch(evaluate(section["timestamp"], "", document, document))
    device, camera, shown, nothing, happened = made
    assert (device["uptime_s"], device["outbox"]) == (12.3, 1)
    assert math.isnan(device["temperature_c"])
    assert (camera["camera"], camera["captured"], camera["age_p95_ms"]) == ("main", 100, 30.25)
    assert (shown["label"], shown["score"], shown["age_ms"]) == ("cat", 0.914, 40)
    assert (nothing["label"], nothing["status"]) == ("", "starting")
    assert (happened["label"], happened["event_type"], happened["id"]) == ("cat", "start", "1")


def test_telegraf_knows_every_cause_of_a_skip() -> None:
    """A new cause does not go unseen."""
    fields, _ = schema()["edgecam_camera"]
    assert {f"skipped_{cause}" for cause in SkipCause} == {
        name for name in fields if name.startswith("skipped_")
    }


def test_every_query_of_the_dashboard_names_what_telegraf_makes() -> None:
    """Measurement, fields and tags; each panel asks for something."""
    made = schema()
    for panel in DASHBOARD["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            match = re.fullmatch(r'SELECT (.+) FROM "(\w+)" WHERE (.+) GROUP BY (.+)', target["query"])
            assert match is not None, target["query"]
            asked, measurement, where, grouped = match.groups()
            fields, tags = made[measurement]
            assert set(re.findall(r'"(\w+)"', asked)) <= fields
            assert set(re.findall(r'"(\w+)"', where + grouped)) <= tags
            assert set(re.findall(r"\$tag_(\w+)", target["alias"])) <= set(re.findall(r'"(\w+)"', grouped))


def test_the_dashboard_can_be_imported() -> None:
    """It asks for the data source, and each panel uses that; no panel covers another."""
    (wanted,) = DASHBOARD["__inputs"]
    places = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"]["uid"] == f"${{{wanted['name']}}}"
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not places & cells
        places |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    (device,) = DASHBOARD["templating"]["list"]
    assert device["name"] == "device"


def test_the_flow_for_node_red_is_whole() -> None:
    """Each wire leads to a node, each node to the broker of the file; scripts/check-consumers runs it."""
    flow = json.loads((DEPLOY / "node-red" / "flows.json").read_text(encoding="utf-8"))
    nodes = {node["id"]: node for node in flow}
    assert len(nodes) == len(flow)
    for node in flow:
        assert {target for wires in node.get("wires", ()) for target in wires} <= set(nodes)
        if node["type"] == "mqtt in":
            assert nodes[node["broker"]]["type"] == "mqtt-broker"
            assert "+" in node["topic"]
