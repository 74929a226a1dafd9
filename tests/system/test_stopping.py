"""How it ends, and with which code."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from mosquitto import Mosquitto, free_port
from mqtt_listener import Listener
from program import Program, config_for, edgecam, write_pictures


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_stops_it_in_order_within_ten_seconds(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, number: signal.Signals, code: int
) -> None:
    """SIGTERM ends with 0, Ctrl-C with 130; both publish `offline` and account for every frame."""
    folder = write_pictures(tmp_path / "pictures", 5)
    with Program(tmp_path, config_for(broker.url, f"images:{folder}", loop=True)) as program:
        subscriber.wait(lambda: subscriber.on("edgecam/box/main/prediction"), 30)
        ended, took_s = program.stop(number)
        subscriber.wait(lambda: subscriber.on("edgecam/box/availability")[-1].payload == b"offline")
    assert ended == code
    assert took_s < 10
    assert "Traceback" not in program.log
    last = subscriber.on("edgecam/box/stats")[-1].body["cameras"]["main"]
    assert last["captured"] == last["results"] + last["late"] + sum(last["skipped"].values())


def test_it_stops_in_time_without_a_broker(tmp_path: Path) -> None:
    """Nobody to say goodbye to is no reason to hang."""
    folder = write_pictures(tmp_path / "pictures", 5)
    config = config_for(f"mqtt://127.0.0.1:{free_port()}", f"images:{folder}", loop=True)
    with Program(tmp_path, config) as program:
        program.wait_log(lambda log: "engine opened" in log)
        assert program.stop()[0] == 0


REFUSALS = [
    pytest.param({"source": "file:absent.mp4"}, 69, "absent.mp4", id="missing recording"),
    pytest.param({"source": "images:empty"}, 69, "no picture", id="empty folder"),
    pytest.param({"source": "clip.mp4"}, 78, 'did you mean "file:clip.mp4"', id="no scheme"),
    pytest.param({"source": "pattern:", "fsp": 3}, 78, 'did you mean "fps"', id="unknown key"),
    pytest.param({"source": "pattern:", "watch": {"catt": {}}}, 78, 'did you mean "cat"', id="unknown group"),
    pytest.param({"source": "pattern:", "model": "lite"}, 78, "models", id="unknown model"),
]


@pytest.mark.parametrize(("camera", "code", "words"), REFUSALS)
def test_what_cannot_work_is_refused_with_its_remedy(
    tmp_path: Path, camera: dict[str, object], code: int, words: str
) -> None:
    """One readable message, the right exit code, no traceback."""
    (tmp_path / "empty").mkdir()
    config = config_for(f"mqtt://127.0.0.1:{free_port()}", "pattern:")
    config["cameras"]["main"] = camera
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config, indent=1))
    done = edgecam("run", "--config", path)
    assert done.code == code, done.err
    assert words in done.err
    assert "Traceback" not in done.err
    if code == 78:
        assert f"{path}:" in done.err
