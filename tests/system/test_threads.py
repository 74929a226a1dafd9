"""`threads: auto` of the running program: measured once, told, remembered."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for, edgecam

_OPENED = re.compile(r"engine opened .* threads=(\d+)")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core leaves no choice")
def test_threads_are_measured_at_the_first_start_and_remembered_over_reloads_and_restarts(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """What `info` tells is what was chosen; a new engine of the same model opens with it straight away."""
    config = config_for(broker.url, "pattern:")
    file = tmp_path / "config.yaml"
    with Program(tmp_path, config) as program:
        program.wait_log(lambda log: "ready" in log and "configuration kept" in log)
        (row,) = json.loads((tmp_path / "state" / "threads.json").read_text())["measured"]
        subscriber.wait(lambda: subscriber.on("edgecam/box/info")[-1].body["models"])
        about = subscriber.on("edgecam/box/info")[-1].body["models"]["default"]
        assert about["threads"] == row["threads"]
        assert about["sha256"] == row["sha256"]
        begun = len(_OPENED.findall(program.log))
        config["models"]["default"]["timeout_ms"] = 9000
        file.write_text(json.dumps(config))
        program.send(signal.SIGHUP)
        program.wait_log(lambda log: "configuration applied" in log)
        program.wait_log(lambda log: len(_OPENED.findall(log)) >= begun + 2)
        assert program.stop()[0] == 0
        program.start()
        program.wait_log(lambda log: log.count(" ready") == 2)
        assert program.stop()[0] == 0
        assert program.log.count("threads chosen") == 1
        # Tried for the reload, opened for it, opened by the new process.
        assert _OPENED.findall(program.log)[begun:] == [str(row["threads"])] * 3


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core leaves no choice")
def test_the_doctor_tries_a_model_with_the_threads_that_a_run_remembers(tmp_path: Path) -> None:
    """Its time is that of the service; it measures and keeps nothing by itself."""
    state = tmp_path / "state"
    config = config_for("embedded", "pattern:")
    with Program(tmp_path, config, sets=["mqtt.url=mqtt://127.0.0.1:9"]) as program:
        program.wait_log(lambda log: "threads chosen" in log)
        assert program.stop()[0] == 0
    kept = json.loads((state / "threads.json").read_text())
    kept["measured"][0]["threads"] = 4
    (state / "threads.json").write_text(json.dumps(kept))

    def said() -> str:
        """Of the model."""
        done = edgecam(
            "doctor", "--no-open", "--config", tmp_path / "config.yaml", STATE_DIRECTORY=str(state)
        )
        return done.out

    assert "(threads: 4)" in said()
    (state / "threads.json").unlink()
    cores = len(os.sched_getaffinity(0))
    assert f"(threads: {min(cores - 1, 3)})" in said()
    assert not (state / "threads.json").exists()
