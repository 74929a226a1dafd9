"""A model ladder as a user sees it, with the shipped models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for

# Less than the default model takes on one thread of any machine that runs these tests.
# Less than a picture of this size takes to be shrunk and named, on any machine.
BUDGET_MS = 2


def test_a_camera_that_cannot_keep_its_budget_gets_the_lighter_model_and_says_so(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, conforms: Callable[[str, Any], None]
) -> None:
    """A notice with from and to, `info` anew, and every later prediction and state names the model."""
    config = config_for(
        broker.url, "pattern:", model=["default", "light"], budget_ms=BUDGET_MS, size=[1920, 1080]
    )
    config["models"] = {name: {"threads": 1} for name in ("default", "light")}

    def newest(topic: str) -> dict[str, Any]:
        heard = subscriber.on(f"edgecam/box/{topic}")
        return heard[-1].body if heard else {}

    with Program(tmp_path, config) as program:
        subscriber.wait(lambda: newest("main/prediction").get("model") == "light", 30)
        subscriber.wait(lambda: newest("main/state").get("model") == "light")
        subscriber.wait(lambda: newest("info").get("cameras", {}).get("main", {}).get("model") == "light")
        assert program.stop()[0] == 0
    [notice] = [heard.body for heard in subscriber.on("edgecam/box/notice")]
    conforms("notice", notice)
    assert (notice["kind"], notice["level"]) == ("ladder_step", "warning")
    assert notice["data"] == {"camera": "main", "from": "default", "to": "light"}
    infos = [heard.body for heard in subscriber.on("edgecam/box/info")]
    in_use = [info["cameras"]["main"]["model"] for info in infos]
    assert in_use == sorted(in_use)
    assert infos[-1]["cameras"]["main"]["ladder"] == ["default", "light"]
    # A model is told of once its engine is ready; the lighter one is not opened before it is needed.
    assert [set(info["models"]) for info in infos if info["cameras"]["main"]["model"] == "default"][-1] == {
        "default"
    }
    assert set(infos[-1]["models"]) == {"default", "light"}
    models = [heard.body["model"] for heard in subscriber.on("edgecam/box/main/prediction")]
    assert models == sorted(models)
    assert models[0] == "default"
