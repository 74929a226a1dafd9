"""`edgecam run` whose configuration changes: by SIGHUP, by `cmd/reload`, by itself; good and bad files."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from program import Program, config_for, write_photos
from stand_ins import until

BOX = "edgecam/box"
STATE = f"{BOX}/main/state"
EVENT = f"{BOX}/main/event"
NOTICE = f"{BOX}/notice"


def write(folder: Path, config: dict[str, Any]) -> None:
    """As an editor does: beside it, then in its place."""
    fresh = folder / "fresh.yaml"
    fresh.write_text(json.dumps(config, indent=1), encoding="utf-8")
    fresh.replace(folder / "config.yaml")


def notices(subscriber: Listener, kind: str) -> list[dict[str, Any]]:
    """Those of a kind, in order."""
    return [heard.body for heard in subscriber.on(NOTICE) if heard.body["kind"] == kind]


def info(subscriber: Listener) -> dict[str, Any]:
    """The newest."""
    heard = subscriber.on(f"{BOX}/info")
    return heard[-1].body if heard else {}


def wait_for_state(subscriber: Listener, told: Callable[[dict[str, Any]], object]) -> None:
    """The newest state of `main` is so."""
    subscriber.wait(lambda: subscriber.on(STATE) and told(subscriber.on(STATE)[-1].body), timeout_s=30)


def start_until_ok(subscriber: Listener) -> None:
    """The camera's frames are classified."""
    wait_for_state(subscriber, lambda state: state["status"] == "ok")


def reload(program: Program, subscriber: Listener, kind: str) -> dict[str, Any]:
    """Tell it by SIGHUP; the notice that follows."""
    before = len(notices(subscriber, kind))
    program.send(signal.SIGHUP)
    subscriber.wait(lambda: len(notices(subscriber, kind)) > before, timeout_s=30)
    return notices(subscriber, kind)[-1]


def _is_told_more_than(before: int, log: str) -> bool:
    return log.count("starting config=") > before


def refused_model(folder: Path) -> Path:
    """The shipped model with a card that says otherwise: nobody can tell without running it."""
    shutil.copytree(Path(__file__).parents[2] / "models" / "efficientnet_lite0_int8", folder)
    card = folder / "card.yaml"
    card.write_text(card.read_text().replace("top5: [735, 911, 824, 906, 506]", "top5: [1, 2, 3, 4, 5]"))
    return folder


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


def test_a_bad_file_at_the_start_lets_the_last_good_one_run(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """It is told on `notice` and in the log; without a last good one the exit code is 78."""
    config = config_for(broker.url, "pattern:", fps=10)
    program = Program(tmp_path, config)
    (tmp_path / "config.yaml").write_text("budget_ms: soon\n")
    with program:
        assert program.wait() == 78
    write(tmp_path, config)
    with program:
        start_until_ok(subscriber)
        program.wait_log(lambda text: "kept as the last good one" in text)
        assert program.stop()[0] == 0
    kept = list((tmp_path / "state").glob("last-good-*.yaml"))
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]
    subscriber.forget()
    (tmp_path / "config.yaml").write_text("budget_ms: soon\n")
    with program:
        start_until_ok(subscriber)
        subscriber.wait(lambda: notices(subscriber, "config_refused"))
        notice = notices(subscriber, "config_refused")[-1]
        assert notice["data"]["where"] == "config.yaml:1:1"
        assert "the last one that worked runs instead" in notice["message"]
        assert program.stop()[0] == 0


def test_what_was_accepted_at_a_reload_starts_again_though_a_camera_of_it_is_not_there(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """An unattended box after a power cut: the other camera works, and the one that is missing is awaited."""
    config = config_for(broker.url, "pattern:", fps=10)
    photos = tmp_path / "photos"
    config["cameras"]["door"] = {"source": f"images:{photos}", "loop": True}
    write_photos(photos, each=1)

    def door_is(status: str) -> bool:
        told = subscriber.on(f"{BOX}/door/state")
        return bool(told) and told[-1].body["status"] == status

    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        subscriber.wait(lambda: door_is("ok"), timeout_s=30)
        photos.rename(tmp_path / "away")
        config["cameras"]["door"]["fps"] = 3
        write(tmp_path, config)
        reload(program, subscriber, "config_applied")
        subscriber.wait(lambda: door_is("no_camera"), timeout_s=30)
        program.wait_log(lambda log: log.count("kept as the last good one") == 2)
        assert program.stop()[0] == 0
    subscriber.forget()
    with program:
        start_until_ok(subscriber)
        subscriber.wait(lambda: door_is("no_camera"), timeout_s=30)
        (tmp_path / "away").rename(photos)
        subscriber.wait(lambda: door_is("ok"), timeout_s=60)
        assert notices(subscriber, "config_refused") == []
        assert program.stop()[0] == 0


@pytest.mark.parametrize("broken", ["camera", "engine"])
def test_what_turns_out_unusable_at_the_start_lets_the_last_good_one_run(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, broken: str
) -> None:
    """A file that is well written, but what it names fails when the camera or the engine is opened."""
    config = config_for(broker.url, "pattern:", fps=10)
    program = Program(tmp_path, config)
    spoilt = json.loads((tmp_path / "config.yaml").read_text())
    if broken == "camera":
        spoilt["cameras"]["main"]["source"] = f"images:{tmp_path}/nothing"
        text = "there is no folder or picture"
    else:
        spoilt["models"]["default"]["path"] = str(refused_model(tmp_path / "refused"))
        text = "computes wrong results"
    write(tmp_path, spoilt)
    with program:
        assert program.wait() == 69
    write(tmp_path, config)
    with program:
        start_until_ok(subscriber)
        program.wait_log(lambda log: "kept as the last good one" in log)
        assert program.stop()[0] == 0
    subscriber.forget()
    write(tmp_path, spoilt)
    with program:
        start_until_ok(subscriber)
        subscriber.wait(lambda: notices(subscriber, "config_refused"))
        message = notices(subscriber, "config_refused")[-1]["message"]
        assert text in message
        assert "the last one that worked runs instead" in message
        write(tmp_path, config)
        reload(program, subscriber, "config_applied")
        assert program.stop()[0] == 0


def test_a_file_that_never_ran_does_not_take_the_last_good_ones_place(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Asked to reload it while its engine is still being opened: it is kept once it has run, not before."""
    config = config_for(broker.url, "pattern:", fps=10)
    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        program.wait_log(lambda log: "kept as the last good one" in log)
        assert program.stop()[0] == 0
    (kept,) = (tmp_path / "state").glob("last-good-*.yaml")
    good = kept.read_text()
    config["models"]["default"]["path"] = str(refused_model(tmp_path / "refused"))
    write(tmp_path, config)
    subscriber.forget()
    with program:
        program.wait_log(lambda log: log.count("starting config=") == 2)
        program.send(signal.SIGHUP)
        start_until_ok(subscriber)
        subscriber.wait(lambda: notices(subscriber, "config_refused"))
        assert program.stop()[0] == 0
    assert kept.read_text() == good


def test_a_file_at_which_edgecam_dies_gives_way_to_the_last_good_one(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """A library that ends or hangs the process tells nobody: three starts that did not come through do."""
    config = config_for(broker.url, "pattern:", fps=10)
    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        program.wait_log(lambda log: "kept as the last good one" in log)
        assert program.stop()[0] == 0
        write(tmp_path, config | {"budget_ms": 432})
        for _ in range(3):
            told = program.log.count("starting config=")
            program.start()
            program.wait_log(partial(_is_told_more_than, told))
            program.send(signal.SIGKILL)
            assert program.wait() == -signal.SIGKILL
        subscriber.forget()
        program.start()
        start_until_ok(subscriber)
        subscriber.wait(lambda: notices(subscriber, "config_refused"))
        assert "hung or crashed at 3 starts" in notices(subscriber, "config_refused")[-1]["message"]
        reload(program, subscriber, "config_applied")
        program.wait_log(lambda log: log.count("kept as the last good one") == 2)
        assert program.stop()[0] == 0
    (kept,) = (tmp_path / "state").glob("last-good-*.yaml")
    assert "432" in kept.read_text()


def test_a_model_that_is_not_there_yet_is_waited_for_if_the_file_ran_before(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """A disk that is mounted late; an exit code of 69 would let the service manager give up for good."""
    config = config_for(broker.url, "pattern:", fps=10)
    model = tmp_path / "model"
    shutil.copytree(Path(__file__).parents[2] / "models" / "efficientnet_lite0_int8", model)
    config["models"]["default"]["path"] = str(model)
    with Program(tmp_path, config) as program:
        start_until_ok(subscriber)
        program.wait_log(lambda log: "kept as the last good one" in log)
        assert program.stop()[0] == 0
    model.rename(tmp_path / "away")
    subscriber.forget()
    with program:
        program.wait_log(lambda log: "cannot start yet" in log)
        (tmp_path / "away").rename(model)
        start_until_ok(subscriber)
        assert program.stop()[0] == 0
    model.rename(tmp_path / "away")
    told = program.log.count("cannot start yet")
    with program:
        program.wait_log(lambda log: log.count("cannot start yet") > told)
        assert program.stop()[0] == 0
