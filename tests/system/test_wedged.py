"""The real program with an engine or a camera that hangs for good: it says so, and leaves with code 75."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import config_for, write_pictures

PROGRAM = Path(__file__).parents[1] / "support" / "hanging_run.py"
STATE = "edgecam/box/main/state"
NOTICE = "edgecam/box/notice"
AVAILABILITY = "edgecam/box/availability"


def run_until_it_leaves(folder: Path, part: str, config: dict[str, Any]) -> tuple[int, str]:
    """Exit code and log."""
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, PROGRAM, part, "run", "--config", folder / "config.yaml"],
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, "STATE_DIRECTORY": str(folder / "state")},
        check=False,
    )
    return done.returncode, done.stderr


def notices(subscriber: Listener) -> list[dict[str, Any]]:
    """As heard."""
    return [heard.body for heard in subscriber.on(NOTICE)]


def is_offline(subscriber: Listener) -> bool:
    """As the broker says."""
    return [heard.payload for heard in subscriber.on(AVAILABILITY)][-1:] == [b"offline"]


def engine_config(url: str, **model: int) -> dict[str, Any]:
    """Its threads are not measured: that uses up the good calls, and the engine would hang as it opens."""
    config = config_for(url, "pattern:")
    config["models"]["default"] |= {"threads": 1, **model}
    return config


@pytest.mark.parametrize("more", [{}, {"timeout_ms": 300}])
def test_an_engine_that_hangs_ends_the_program_with_75(
    tmp_path: Path,
    broker: Mosquitto,
    subscriber: Listener,
    conforms: Callable[[str, Any], None],
    more: dict[str, int],
) -> None:
    """Nothing in this process can free it: told, `offline`, and out, though its thread is stuck in C."""
    code, log = run_until_it_leaves(tmp_path, "engine", engine_config(broker.url, **more))
    assert code == 75, log
    assert "an inference of default does not come back" in log
    assert "Traceback" not in log
    subscriber.wait(lambda: is_offline(subscriber))
    assert [notice["kind"] for notice in notices(subscriber)] == ["engine_failed"]
    assert "hangs" in notices(subscriber)[0]["message"]
    conforms("notice", notices(subscriber)[0])
    assert subscriber.on(STATE)[-1].body["status"] == "error"


def test_an_engine_that_hangs_as_it_opens_ends_the_program_with_75(tmp_path: Path) -> None:
    """Its first inference is part of its opening."""
    code, log = run_until_it_leaves(tmp_path, "opening", config_for("mqtt://127.0.0.1:9", "pattern:"))
    assert code == 75, log
    assert "opening the engine of default does not come back" in log


def test_a_hanging_engine_is_left_though_the_broker_is_gone(tmp_path: Path) -> None:
    """The last words are waited for shortly, and by nobody who has none to hear them."""
    code, log = run_until_it_leaves(tmp_path, "engine", engine_config("mqtt://127.0.0.1:9"))
    assert code == 75, log


def test_a_camera_that_can_be_neither_read_nor_closed_ends_the_program_with_75(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Once a second opening has not helped either, and as no other camera works."""
    code, log = run_until_it_leaves(tmp_path, "camera", config_for(broker.url, "pattern:"))
    assert code == 75, log
    assert "camera main can be neither read nor closed" in log
    told = [notice["message"] for notice in notices(subscriber)]
    assert "read does not come back" in told[0]
    assert "wedged" in told[1]
    subscriber.wait(lambda: is_offline(subscriber))


def test_while_another_camera_works_a_wedged_one_ends_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    """Told, and tried again; here the other one is a recording, at whose end the program leaves by itself."""
    config = config_for(broker.url, "pattern:")
    other = {"source": f"images:{write_pictures(tmp_path / 'pictures', 300)}", "fps": 10}
    config["cameras"]["other"] = other
    code, log = run_until_it_leaves(tmp_path, "camera", config)
    # The recording has ended: now nothing works any more.
    assert code == 75, log
    assert "recording ended camera=other" in log
    assert log.index("camera wedged camera=main") < log.index("recording ended camera=other")
