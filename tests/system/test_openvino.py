"""The real program with a real accelerator's runtime: OpenVINO, where the extra npu-intel is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for

CPU, OPENVINO = "litert/cpu", "litert/openvino-cpu"
PATIENCE_S = 60.0

pytestmark = pytest.mark.skipif(
    find_spec("ai_edge_litert") is None or find_spec("openvino") is None,
    reason="the extra npu-intel is not installed: OpenVINO is not checked here (scripts/check-openvino does)",
)


def test_naming_openvino_is_all_it_takes(tmp_path: Path, broker: Mosquitto, subscriber: Listener) -> None:
    """The CPU serves until it is ready, then it does; `info` has what really runs, and no frame is lost."""

    def bodies(topic: str) -> list[dict[str, Any]]:
        return [heard.body for heard in subscriber.on(f"edgecam/box/{topic}")]

    def model() -> dict[str, Any]:
        infos = bodies("info")
        found: dict[str, Any] = infos[-1]["models"].get("default", {}) if infos else {}
        return found

    config = config_for(broker.url, "pattern:")
    config["models"]["default"] |= {"delegate": "openvino", "delegate_options": {"device": "cpu"}}
    with Program(tmp_path, config) as program:
        subscriber.wait(
            lambda: any(body["engine"] == OPENVINO for body in bodies("main/prediction")), PATIENCE_S
        )
        subscriber.wait(lambda: model().get("delegate") == "openvino-cpu", PATIENCE_S)
        assert (model()["delegated"], model()["operators"], model()["fallback"]) == (60, 60, None)
        assert program.stop()[0] == 0
        books = bodies("stats")[-1]["cameras"]["main"]
        assert books["captured"] == books["results"] + books["late"] + sum(books["skipped"].values())
        assert books["skipped"]["engine"] == 0
        assert set(books["engines"]) <= {CPU, OPENVINO}
        # LiteRT's own forty lines are not the service's.
        assert "INFO: [" not in program.log
