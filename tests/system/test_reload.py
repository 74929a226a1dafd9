"""`edgecam run` whose configuration changes: by SIGHUP, by `cmd/reload`, by itself; good and bad files."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from mosquitto import Mosquitto
from mqtt_listener import Listener
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from program import Program, config_for, write_photos
from reloads import BOX, EVENT, STATE, info, notices, reload, start_until_ok, wait_for_state, write
from stand_ins import until


def test_thresholds_and_watch_lists_change_without_an_end_of_what_goes_on(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """An episode goes on under its new thresholds; it ends, with a reason, once its label is not watched."""
    photos = write_photos(tmp_path / "photos", each=500)
    config = config_for(
        broker.url, f"images:{photos}", fps=10, loop=True, watch={"tabby": {"enter": 0.1, "exit": 0.05}}
    )
    main = config["cameras"]["main"]
    with Program(tmp_path, config) as program:
        wait_for_state(subscriber, lambda state: state["label"] == "tabby")
        main["watch"] = {"Egyptian cat": {"enter": 0.99}, "tabby": {"enter": 0.2, "exit": 0.04}}
        write(tmp_path, config)
        notice = reload(program, subscriber, "config_applied")
        assert (notice["level"], set(notice["data"])) == ("info", {"count", "live"})
        assert "cameras.main.watch.tabby.enter" in notice["data"]["live"]
        subscriber.wait(lambda: len(subscriber.on(f"{BOX}/stats")) >= 4, timeout_s=30)
        assert [heard.body["event_type"] for heard in subscriber.on(EVENT)] == ["start"]
        del main["watch"]["tabby"]
        write(tmp_path, config)
        reload(program, subscriber, "config_applied")
        subscriber.wait(lambda: len(subscriber.on(EVENT)) == 2)
        end = subscriber.on(EVENT)[-1].body
        assert (end["event_type"], end["label"], end["reason"]) == ("end", "tabby", "reconfigured")
        assert program.stop()[0] == 0
    assert "captured=" in program.log


def test_a_reload_that_comes_while_the_program_loads_is_done_after_the_start(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """It ends nothing: systemd takes an end by SIGHUP for one in order, and would not start it again."""

    def hears_sigterm() -> bool:
        """The first thing that it does, seconds before it runs on a small board."""
        status = Path(f"/proc/{program.pid}/status").read_text(encoding="ascii")
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    with Program(tmp_path, config_for(broker.url, "pattern:")) as program:
        until(hears_sigterm)
        program.send(signal.SIGHUP)
        subscriber.wait(lambda: notices(subscriber, "config_applied"), timeout_s=30)
        start_until_ok(subscriber)
        assert program.stop()[0] == 0


def test_a_bad_file_changes_nothing_and_is_told_with_its_place(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Line and column stand on `notice` and in the log; what runs goes on as it was; a good file ends it."""
    config = config_for(broker.url, "pattern:", fps=20)
    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        before = info(subscriber)
        good = (tmp_path / "config.yaml").read_text()
        lines = good.splitlines()
        line = next(number for number, text in enumerate(lines, 1) if '"fps"' in text)
        column = lines[line - 1].index('"fps"') + 1
        (tmp_path / "config.yaml").write_text(good.replace('"fps": 20', '"fps": "fast"'))
        notice = reload(program, subscriber, "config_refused")
        assert notice["level"] == "error"
        assert notice["data"]["where"] == f"config.yaml:{line}:{column}"
        assert notice["data"]["path"] == "cameras.main.fps"
        assert f"config.yaml:{line}:{column}: cameras.main.fps" in program.log
        config["models"]["default"]["path"] = "no_such_model"
        write(tmp_path, config)
        assert "no_such_model" in reload(program, subscriber, "config_refused")["message"]
        subscriber.forget()
        subscriber.wait(lambda: subscriber.on(STATE) and subscriber.on(f"{BOX}/stats"), timeout_s=30)
        assert subscriber.on(STATE)[-1].body["status"] == "ok"
        assert (
            not subscriber.on(f"{BOX}/availability")
            or subscriber.on(f"{BOX}/availability")[-1].payload == b"online"
        )
        config["models"]["default"]["path"] = "efficientnet_lite0_int8"
        config["budget_ms"] = 321
        write(tmp_path, config)
        reload(program, subscriber, "config_applied")
        subscriber.wait(lambda: info(subscriber).get("cameras", {}).get("main", {}).get("budget_ms") == 321)
        assert info(subscriber)["models"] == before["models"]
        assert program.stop()[0] == 0


def test_cameras_come_and_go_and_their_topics_with_them(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """A new camera is watched, the old one goes on; a removed one leaves nothing retained."""
    config = config_for(broker.url, "pattern:", fps=10)
    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        config["cameras"]["porch"] = {"source": "pattern:", "fps": 10}
        write(tmp_path, config)
        reload(program, subscriber, "config_applied")
        porch = f"{BOX}/porch/state"
        subscriber.wait(
            lambda: subscriber.on(porch) and subscriber.on(porch)[-1].body["status"] == "ok", timeout_s=30
        )
        del config["cameras"]["porch"]
        write(tmp_path, config)
        reload(program, subscriber, "config_applied")
        subscriber.wait(lambda: subscriber.on(porch)[-1].payload == b"")
        with Listener(broker.port, f"{BOX}/#") as late:
            late.wait(lambda: late.on(STATE))
            assert not [heard for heard in late.heard if "/porch/" in heard.topic]
        subscriber.forget()
        subscriber.wait(lambda: subscriber.on(STATE) and subscriber.on(f"{BOX}/stats"), timeout_s=30)
        assert list(subscriber.on(f"{BOX}/stats")[-1].body["cameras"]) == ["main"]
        assert program.stop()[0] == 0


def test_a_camera_and_its_model_are_opened_anew_and_the_session_stays(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Size and model change: two workers restart, the broker sees one session, each frame has its fate."""
    config = config_for(broker.url, "pattern:", fps=10)
    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        config["cameras"]["main"] |= {"size": [320, 240], "model": "light"}
        config["models"]["light"] = {"path": "efficientnet_lite0_160_int8"}
        write(tmp_path, config)
        notice = reload(program, subscriber, "config_applied")
        assert notice["data"]["camera"] == "cameras.main.size"
        assert "cameras.main.model" in notice["data"]["model"]
        wait_for_state(subscriber, lambda state: state["model"] == "light" and state["status"] == "ok")
        assert b"offline" not in [heard.payload for heard in subscriber.on(f"{BOX}/availability")]
        assert program.log.count("INFO camera opened camera=") == 2
        subscriber.forget()
        assert program.stop()[0] == 0
        subscriber.wait(lambda: subscriber.on(f"{BOX}/stats"))
    books = subscriber.on(f"{BOX}/stats")[-1].body["cameras"]["main"]
    assert books["captured"] == books["results"] + books["late"] + sum(books["skipped"].values())


def test_other_topics_take_the_place_of_the_old_ones(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """`mqtt.base` and `device` change: all is told under the new topics; nothing is left under the old."""
    config = config_for(broker.url, "pattern:", fps=10)
    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        config["device"], config["mqtt"]["base"] = "shed", "house/cam"
        write(tmp_path, config)
        program.send(signal.SIGHUP)
        state = "house/cam/shed/main/state"
        subscriber.wait(
            lambda: subscriber.on(state) and subscriber.on(state)[-1].body["status"] == "ok", timeout_s=30
        )
        gone = f"{BOX}/availability"
        subscriber.wait(lambda: subscriber.on(gone) and subscriber.on(gone)[-1].payload == b"")
        assert b"offline" in [heard.payload for heard in subscriber.on(gone)]
        with Listener(broker.port) as late:
            late.wait(lambda: late.on(state))
            late.wait(lambda: late.on("house/cam/shed/availability"))
            assert late.on("house/cam/shed/availability")[-1].payload == b"online"
            assert not [heard for heard in late.heard if heard.topic.startswith(BOX)]
        assert program.stop()[0] == 0


def test_a_command_reloads_and_is_answered(tmp_path: Path, broker: Mosquitto, subscriber: Listener) -> None:
    """The answer says what was applied, or why the file is refused."""
    config = config_for(broker.url, "pattern:", fps=10)
    answers = f"{BOX}/cmd/reload/response"

    def ask() -> dict[str, Any]:
        before = len(subscriber.on(answers))
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        client.publish(f"{BOX}/cmd/reload", b"", qos=1).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()
        subscriber.wait(lambda: len(subscriber.on(answers)) > before, timeout_s=30)
        return subscriber.on(answers)[-1].body

    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        config["mqtt"]["heartbeat_s"] = 2
        write(tmp_path, config)
        answer = ask()
        assert answer["ok"]
        assert "mqtt.heartbeat_s" in answer["message"]
        (tmp_path / "config.yaml").write_text("cameras: {main: {source: 5}}\n")
        answer = ask()
        assert not answer["ok"]
        assert "config.yaml:1:" in answer["message"]
        assert program.stop()[0] == 0


def test_a_watched_file_is_applied_when_it_changes(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """`watch_file`: nobody has to tell."""
    config = config_for(broker.url, "pattern:", fps=10) | {"watch_file": True}
    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        config["budget_ms"] = 400
        write(tmp_path, config)
        subscriber.wait(lambda: notices(subscriber, "config_applied"), timeout_s=30)
        assert notices(subscriber, "config_applied")[-1]["data"]["live"] == "budget_ms"
        assert program.stop()[0] == 0
