"""The flow in deploy/node-red, in a real Node-RED: each message once, and only those that count."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mosquitto import Mosquitto, free_port

from consumer_checks.publishing import TOPICS, a_notice, an_event, publish
from edgecam.reports import NoticeLevel

_START_S = 90.0
_TEXT = re.compile(r"\[debug:(notify|offline|error)\]\s*(.*)")
_CAT = "cat at door main since 2026-01-31T11:59:58.000Z, score 0.914"
_WANTED = [
    ("notify", _CAT),
    ("notify", _CAT),
    ("offline", "edgecam/door/availability is offline"),
    ("error", "edgecam/door/notice camera_lost: no frames for 3 s & more"),
]


def check(flow: Path, program: Path, folder: Path) -> list[str]:
    """What is wrong; nothing when all is well."""
    with Mosquitto(folder) as broker, running(flow, program, folder, broker) as log:
        if not wait_for(log, "Connected to broker"):
            return [f"node-red: it does not connect to the broker:\n{read(log)}"]
        # Connected is not yet subscribed.
        time.sleep(1)
        publish(
            broker,
            an_event("1"),
            an_event("1"),
            an_event("2", end=True),
            an_event("3", label="dog"),
            an_event("4", delayed_s=60),
            an_event("5"),
            (TOPICS.event("main"), b"no JSON"),
            (TOPICS.event("main"), b"null"),
            (TOPICS.availability, b"online"),
            (TOPICS.availability, b"offline"),
            a_notice(NoticeLevel.INFO, "nothing of weight"),
            a_notice(NoticeLevel.ERROR, "no frames for 3 s & more"),
        )
        for _, text in _WANTED:
            wait_for(log, text)
        # For what should not come.
        time.sleep(1)
        said = sorted(_TEXT.findall(read(log)))
    return [] if said == sorted(_WANTED) else [f"node-red: expected {sorted(_WANTED)}, the flow said {said}"]


@contextmanager
def running(flow: Path, program: Path, folder: Path, broker: Mosquitto) -> Iterator[Path]:
    """Node-RED without an editor, with the flow at this broker; gives the path of its log."""
    nodes = json.loads(flow.read_text(encoding="utf-8"))
    for node in nodes:
        if node["type"] == "mqtt-broker":
            node |= {"broker": "127.0.0.1", "port": str(broker.port)}
    home, log = folder / "node-red", folder / "node-red.log"
    home.mkdir()
    (home / "flows.json").write_text(json.dumps(nodes), encoding="utf-8")
    (home / "settings.js").write_text(
        "module.exports = {flowFile: 'flows.json', httpAdminRoot: false, uiHost: '127.0.0.1',"
        f" uiPort: {free_port()}, credentialSecret: 'x', telemetry: {{enabled: false}}}};\n",
        encoding="utf-8",
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "--userDir", home], stdout=output, stderr=output, env=os.environ | {"NO_COLOR": "1"}
        )
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def read(log: Path) -> str:
    """So far."""
    return log.read_text(encoding="utf-8", errors="replace")


def wait_for(log: Path, text: str) -> bool:
    """True when the log has it."""
    ends_s = time.monotonic() + _START_S
    while text not in read(log):
        if time.monotonic() > ends_s:
            return False
        time.sleep(0.1)
    return True
