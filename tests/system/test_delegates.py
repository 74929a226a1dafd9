"""The real program with a real delegate that runs part of the shipped model, and what it does in mid-stream.

The delegate is built by the test; it runs the additions of the network, nine of its sixty operators.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from moody_delegate import MoodyDelegate
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for
from stalls import Stalls
from stand_ins import until

from edgecam.config.shipped import shipped_folder
from edgecam.inference.litert import find_runtime
from edgecam.records import SkipCause

RUNTIME = find_runtime().name
CPU, DELEGATE = f"{RUNTIME}/cpu", f"{RUNTIME}/external"
PATIENCE_S = 60.0


@pytest.fixture
def moody(tmp_path: Path) -> MoodyDelegate:
    """The delegate's library, beside the configuration."""
    return MoodyDelegate(tmp_path)


class Box:
    """A running edgecam and what is heard of it."""

    def __init__(self, program: Program, subscriber: Listener) -> None:
        self.program = program
        self._subscriber = subscriber

    def bodies(self, topic: str) -> list[dict[str, Any]]:
        """Heard so far."""
        return [heard.body for heard in self._subscriber.on(f"edgecam/box/{topic}")]

    def serves(self, engine: str, *, after: int = 0) -> int:
        """Wait for a result of that engine; how many results there were then."""
        self._subscriber.wait(lambda: engine in self._engines()[after:], PATIENCE_S)
        return len(self._engines())

    def told(self, kind: str) -> dict[str, Any]:
        """Wait for such a notice; the first."""
        self._subscriber.wait(
            lambda: kind in [notice["kind"] for notice in self.bodies("notice")], PATIENCE_S
        )
        return next(notice for notice in self.bodies("notice") if notice["kind"] == kind)

    def model(self, done: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait for what `info` says of the model to be so."""
        self._subscriber.wait(lambda: done(self._model()), PATIENCE_S)
        return self._model()

    def child(self) -> int:
        """The process that the delegate runs in."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = f"PPid:\t{self.program.pid}\n" in (entry / "status").read_text()
                is_child = b"edgecam.inference.child" in (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if is_ours and is_child:
                return int(entry.name)
        raise AssertionError("there is no child")

    def longest_gap_s(self) -> float:
        """Between the frames of two results."""
        taken = [datetime.fromisoformat(body["ts"]).timestamp() for body in self.bodies("main/prediction")]
        return max(later - earlier for earlier, later in pairwise(taken))

    def _engines(self) -> list[str]:
        return [body["engine"] for body in self.bodies("main/prediction")]

    def _model(self) -> dict[str, Any]:
        infos = self.bodies("info")
        model: dict[str, Any] = infos[-1]["models"].get("default", {}) if infos else {}
        return model


@contextmanager
def box(
    folder: Path, broker: Mosquitto, subscriber: Listener, delegate: str, **options: str
) -> Iterator[Box]:
    """One camera, the shipped model, and a delegate."""
    config = config_for(broker.url, "pattern:")
    config["models"]["default"] |= {"delegate": delegate, "delegate_options": options}
    with Program(folder, config) as program:
        yield Box(program, subscriber)


def assert_books_close(box: Box) -> None:
    """Captured is results and skips, none of them for want of an engine, and each result has its engine."""
    assert box.program.stop()[0] == 0
    books = box.bodies("stats")[-1]["cameras"]["main"]
    done = books["results"] + books["late"]
    assert books["captured"] == done + sum(books["skipped"].values())
    assert books["skipped"][SkipCause.ENGINE] == 0
    assert sum(books["engines"].values()) == done
    assert set(books["engines"]) == {CPU, DELEGATE}
    assert "Traceback" not in box.program.log


@pytest.mark.parametrize("mood", ["abort", "hang", "slow", "vanish"])
def test_what_a_delegate_does_in_mid_stream_costs_no_frame_and_it_is_taken_back(
    tmp_path: Path,
    broker: Mosquitto,
    subscriber: Listener,
    moody: MoodyDelegate,
    conforms: Callable[[str, Any], None],
    mood: str,
) -> None:
    """Results go on from the CPU within two seconds; whoever looks is told who serves, and why."""
    with (
        Stalls() as stalls,
        box(tmp_path, broker, subscriber, "./libmoody.so", control=str(moody.control)) as running,
    ):
        before = running.serves(DELEGATE)
        model = running.model(lambda model: model["delegate"] == "external")
        assert (model["delegated"], model["operators"], model["fallback"]) == (9, 60, None)
        moody.tell(mood)
        before = running.serves(CPU, after=before)
        why = running.told("engine_fallback")
        conforms("notice", why)
        assert why["data"]["engine"] == CPU
        model = running.model(lambda model: model["delegate"] == "cpu")
        assert model["fallback"]
        moody.tell("work")
        running.serves(DELEGATE, after=before)
        conforms("notice", running.told("engine_back"))
        model = running.model(lambda model: model["delegate"] == "external")
        assert model["fallback"] is None
        # The deadline is ten times what an inference takes; that grows where others keep edgecam waiting.
        assert running.longest_gap_s() < 2 + 10 * stalls.longest_s
        conforms("info", running.bodies("info")[-1])
        assert_books_close(running)
        conforms("stats", running.bodies("stats")[-1])


@pytest.mark.parametrize("mood", ["refuse", "unplug"])
def test_a_delegate_that_cannot_be_had_again_is_waited_for(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, moody: MoodyDelegate, mood: str
) -> None:
    """Its library says that there is no device, or is itself gone; the CPU serves until that is over."""
    with box(tmp_path, broker, subscriber, "./libmoody.so", control=str(moody.control)) as running:
        before = running.serves(DELEGATE)
        hidden = moody.library.with_suffix(".hidden")
        if mood == "refuse":
            moody.tell("refuse")
        else:
            moody.library.rename(hidden)
        os.kill(running.child(), signal.SIGKILL)
        before = running.serves(CPU, after=before)
        said = "no device found" if mood == "refuse" else "has no library"
        running.model(lambda model: said in (model["fallback"] or ""))
        if mood == "refuse":
            moody.tell("work")
        else:
            hidden.rename(moody.library)
        running.serves(DELEGATE, after=before)
        assert_books_close(running)


def test_an_accelerator_that_is_not_there_costs_speed_and_not_the_service(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Named in the configuration, and not plugged in: told once, with what to do."""
    with box(tmp_path, broker, subscriber, "coral") as running:
        running.serves(CPU)
        notice = running.told("engine_fallback")
        assert "coral" in notice["message"]
        assert "twins" in notice["message"]
        assert notice["data"]["model"] == "default"
        running.program.wait_log(lambda log: "delegate failed" in log)
        assert running.program.stop()[0] == 0
        assert running.program.log.count("delegate failed") == 1


@pytest.mark.parametrize(
    ("wanted", "library", "ran"),
    [("coral", "libedgetpu.so.1", "model_edgetpu.tflite"), ("auto", "libarmnnDelegate.so", "model.tflite")],
)
def test_a_preset_is_found_by_its_librarys_name_and_runs_the_file_that_is_for_it(
    tmp_path: Path,
    broker: Mosquitto,
    subscriber: Listener,
    moody: MoodyDelegate,
    wanted: str,
    library: str,
    ran: str,
) -> None:
    """By path of the loader; the twin that the card names, where it needs one; `auto` by what is there."""
    moody.library.rename(tmp_path / library)
    model = write_model_with_twin(tmp_path / "model")
    config = config_for(broker.url, "pattern:")
    config["models"]["default"] = {"path": str(model), "delegate": wanted}
    with Program(tmp_path, config, environ={"LD_LIBRARY_PATH": str(tmp_path)}) as program:
        running = Box(program, subscriber)
        served = running.model(lambda model: model.get("delegated"))
        assert (served["delegate"], served["delegated"]) == ("coral" if wanted == "coral" else "armnn", 9)
        running.serves(f"{RUNTIME}/{served['delegate']}")
        # The file is mapped into the process that runs it.
        assert f"/{ran}\n" in Path(f"/proc/{running.child()}/maps").read_text(encoding="utf-8")
        assert program.stop()[0] == 0


def write_model_with_twin(folder: Path) -> Path:
    """The shipped model with a copy of itself, which another hash tells apart, for the Coral."""
    shutil.copytree(shipped_folder() / "models" / "efficientnet_lite0_int8", folder)
    twin = (folder / "model.tflite").read_bytes() + b"for the Coral"
    (folder / "model_edgetpu.tflite").write_bytes(twin)
    digest = hashlib.sha256(twin).hexdigest()
    with (folder / "card.yaml").open("a", encoding="utf-8") as card:
        card.write(f"twins:\n  coral: {{file: model_edgetpu.tflite, sha256: {digest}}}\n")
    return folder


def test_no_orphan_keeps_the_accelerator_when_edgecam_is_killed(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener, moody: MoodyDelegate
) -> None:
    """The next start could not have the device."""
    with box(tmp_path, broker, subscriber, "./libmoody.so", control=str(moody.control)) as running:
        running.serves(DELEGATE)
        child = Path(f"/proc/{running.child()}")
        running.program.send(signal.SIGKILL)
        running.program.wait()
        until(lambda: is_gone(child))


def is_gone(process: Path) -> bool:
    """It has ended, though nobody may have asked how."""
    try:
        return "State:\tZ" in (process / "status").read_text(encoding="ascii")
    except OSError:
        return True
