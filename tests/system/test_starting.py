"""`edgecam run` that starts with a file that cannot be used, or not yet: the last good one, patience."""

from __future__ import annotations

import json
import shutil
import signal
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for, write_photos
from reloads import BOX, notices, reload, start_until_ok, wait_for_state, write
from tiny_engine import install

from edgecam.config.last_good import kept_since


def _is_told_more_than(before: int, log: str) -> bool:
    return log.count("starting config=") > before


def refused_model(folder: Path) -> Path:
    """The shipped model with a card that says otherwise: nobody can tell without running it."""
    shutil.copytree(Path(__file__).parents[2] / "models" / "efficientnet_lite0_int8", folder)
    card = folder / "card.yaml"
    card.write_text(card.read_text().replace("top5: [735, 911, 824, 906, 506]", "top5: [1, 2, 3, 4, 5]"))
    return folder


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
        instead = f"running the last good configuration instead path={kept[0]} kept={kept_since(kept[0])}"
        program.wait_log(lambda text: instead in text)
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


def test_an_engine_that_is_not_ready_yet_is_waited_for_if_the_file_ran_before(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, tiny: ModuleType
) -> None:
    """A vendor's device comes up late. A file that never ran may name what never works: 69."""
    ready = tmp_path / "ready"
    install(
        tmp_path / "site",
        top="from pathlib import Path\n\nfrom edgecam.errors import EngineError",
        opener=f"""if not Path({str(ready)!r}).exists():
        raise EngineError("the abacus is not ready")
    return Abacus()""",
    )
    config = config_for(broker.url, "pattern:", fps=10)
    folder = tiny.write_folder(tmp_path / "pets", tiny.Tiny())
    config["models"]["default"] = {"path": str(folder), "engine": "abacus"}
    with Program(tmp_path, config, environ={"PYTHONPATH": str(tmp_path / "site")}) as program:
        assert program.wait() == 69
        ready.touch()
        program.start()
        start_until_ok(subscriber)
        program.wait_log(lambda log: "kept as the last good one" in log)
        assert program.stop()[0] == 0
        ready.unlink()
        subscriber.forget()
        program.start()
        wait_for_state(subscriber, lambda state: state["status"] == "error")
        ready.touch()
        start_until_ok(subscriber)
        assert program.stop()[0] == 0
