"""A model on the camera's own sensor: camera and engine meet by the configuration; no pixel is classified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import Any

import fake_imx500
import numpy as np
import pytest
import yaml
from fake_imx500 import answer
from fake_picamera2 import FakePicamera2, FakeRequest, blank, install
from house import House
from opaque_model import write_folder
from stand_ins import Opened

from edgecam.capture.camera import Camera, CameraSettings, SensorNetwork, open_camera
from edgecam.config.loader import load_config
from edgecam.config.source import parse_source
from edgecam.errors import ConfigError, EndOfRecording, EngineError
from edgecam.inference.engine import METADATA, Engine, open_engine, reads_metadata
from edgecam.model.store import load_model
from edgecam.pipeline.assembly import Plan, assemble
from edgecam.pipeline.build import camera_settings
from edgecam.pipeline.camera_crew import CameraCrew
from edgecam.pipeline.witness import Witnesses
from edgecam.records import Shot

LABELS = ("cat", "dog")
FRAMES = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model directory with a network for the sensor."""
    return write_folder(tmp_path / "net", "model.rpk", labels=LABELS, width_px=4, height_px=4)


@pytest.fixture
def ai_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera whose network says of each frame: a dog."""
    library = install(monkeypatch)
    fake_imx500.install(monkeypatch, library)

    def capture_request(self: FakePicamera2, *, wait: bool) -> Future[FakeRequest]:
        job = FakePicamera2.capture_request(self, wait=wait)
        job.set_result(FakeRequest(blank(), metadata=answer((0.1, 0.9), sensor_ns=0)))
        return job

    library.capture_request = capture_request  # type: ignore[method-assign]


class Recorded(Opened):
    """So many frames of a camera."""

    live = True
    description = "some frames"

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._left = FRAMES

    def read(self, timeout_s: float) -> Shot | None:
        """The next frame."""
        if not self._left:
            raise EndOfRecording
        self._left -= 1
        return self._camera.read(timeout_s)


def assembled(folder: Path, camera: Mapping[str, Any], **models: Mapping[str, Any]) -> Plan:
    """What becomes of a configuration beside the model."""
    config = {
        "cameras": {"porch": {"source": "picamera2:0", "model": ["net"], **camera}},
        "models": {"net": {"path": "net"}, **models},
    }
    path = folder.parent / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return assemble(load_config(path, environ={}))


def test_what_the_sensor_said_becomes_a_result(folder: Path, ai_camera: None) -> None:  # noqa: ARG001
    """From the request's metadata to state and event, with the books in order; no picture is looked at."""
    house = House()
    settings = CameraSettings(size_px=(8, 4), network=SensorNetwork(folder / "model.rpk", keeps_shape=True))
    camera = open_camera(parse_source("picamera2:0"), settings)
    house.run([Recorded(camera)], open_engine=lambda _: open_engine(load_model(folder)))
    assert house.books() == (FRAMES, FRAMES, {})
    assert house.fates.results[0].top[0].label == "dog"
    assert house.fates.results[0].engine == "imx500/sensor"
    assert house.ear.states[-1].decision.label == "dog"
    camera.close()


def test_an_engine_that_reads_metadata_is_shown_no_picture(folder: Path) -> None:
    """Not even that of the self-test, which it could not see."""
    with open_engine(load_model(folder)) as engine:
        assert reads_metadata(engine)
        assert engine.input.shape == (1, 4, 4, 3)
        given = np.array([0.25, 0.75], np.float32)
        told = engine.invoke(given)
        assert told.tolist() == [0.25, 0.75]
        assert told is not given
        with pytest.raises(
            EngineError, match=r"gives 2 scores with each frame, got a tensor of \[1, 4, 4, 3\]"
        ):
            engine.invoke(np.zeros(engine.input.shape, np.float32))
        with pytest.raises(EngineError, match=r"got a tensor of \[3\].*labels that belong to it"):
            engine.invoke(np.zeros(3, np.float32))


def test_a_camera_without_such_a_sensor_is_told(folder: Path) -> None:
    """As when a plug-in's engine reads what this camera does not give."""
    house = House()

    def opened(_: str) -> Engine:
        engine = open_engine(load_model(folder))
        assert engine.__class__.reads == METADATA  # type: ignore[attr-defined]
        return engine

    house.run(["f"], open_engine=opened)
    assert house.books()[1] == 0
    assert any("gives no answers of one" in notice.message for notice in house.ear.notices)


def test_the_configuration_brings_camera_and_network_together(folder: Path) -> None:
    """`source` and `model` are all it takes; how the card fits pictures goes with it."""
    [porch] = assembled(folder, {}).cameras
    assert porch.network == SensorNetwork(folder / "model.rpk", keeps_shape=True)
    settings = camera_settings(porch.config, folder=folder, network=porch.network)
    assert settings.network == porch.network
    assert settings.upload_s > 60


@pytest.mark.parametrize(
    ("camera", "key", "said"),
    [
        ({"source": "v4l2:/dev/video0"}, "source", "expected picamera2"),
        ({"roi": [0, 0, 0.5, 0.5]}, "roi", "sees its whole picture"),
        ({"model": ["net", "other"]}, "model", "room for one"),
        ({"model": ["other", "net"]}, "model", "room for one"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(
    folder: Path, tiny: ModuleType, camera: dict[str, Any], key: str, said: str
) -> None:
    """Else the camera would run, and nothing would ever be classified."""
    tiny.write_folder(folder.parent / "other", tiny.Tiny(), labels=(*LABELS, "cup", "rocket"))
    with pytest.raises(ConfigError) as caught:
        assembled(folder, camera, other={"path": "other"})
    assert any(
        problem.path == f"cameras.porch.{key}" and said in problem.text for problem in caught.value.problems
    )


def test_a_camera_is_opened_anew_for_another_network(folder: Path, tiny: ModuleType) -> None:
    """By a reload, the model changes, and nothing of the camera does: yet its sensor has to be given it."""
    tiny.write_folder(folder.parent / "other", tiny.Tiny(), labels=(*LABELS, "cup", "rocket"))
    write_folder(folder.parent / "net2", "model.rpk", labels=LABELS, width_px=4, height_px=4)
    crew = CameraCrew(witness=Witnesses([]), fail=lambda _: None, patient=True)
    plan = assembled(folder, {})
    loaded = load_config(folder.parent / "config.yaml", environ={})
    crew.set_up(loaded, plan, {"porch": House().lane})
    assert crew.with_other_networks(assembled(folder, {"fps": 10})) == set()
    assert crew.with_other_networks(assembled(folder, {"model": ["net2"]}, net2={"path": "net2"})) == {
        "porch"
    }
    assert crew.with_other_networks(assembled(folder, {"model": ["o"]}, o={"path": "other"})) == {"porch"}


def test_a_network_for_the_sensor_may_stand_beside_the_model_for_the_cpu(
    folder: Path, tiny: ModuleType
) -> None:
    """One directory serves both: `engine: imx500` takes the twin that the card names for it."""
    both = tiny.write_folder(folder.parent / "both", tiny.Tiny(), labels=(*LABELS, "cup", "rocket"))
    (both / "net.rpk").write_bytes((folder / "model.rpk").read_bytes())
    sha256 = hashlib.sha256((both / "net.rpk").read_bytes()).hexdigest()
    with (both / "card.yaml").open("a", encoding="utf-8") as card:
        card.write(f"twins: {{imx500: {{file: net.rpk, sha256: {sha256}}}}}\n")
    camera = {"model": ["m"]}
    [here] = assembled(folder, camera, m={"path": "both"}).cameras
    assert here.network is None
    [there] = assembled(folder, camera, m={"path": "both", "engine": "imx500"}).cameras
    assert there.network is not None
    assert there.network.path == both / "net.rpk"
