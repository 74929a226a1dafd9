"""A network on the camera's sensor, on a stand-in for Picamera2: it has not run on hardware."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import fake_imx500
import pytest
from fake_imx500 import CAMERA_ID, FakeIMX500, answer
from fake_picamera2 import FakePicamera2, FakeRequest, Library, blank, install

from edgecam.capture import picamera
from edgecam.capture.camera import Camera, CameraSettings, SensorNetwork, open_camera
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost, SourceError, UnreadableFrame

PATH = Path("/models/net/model.rpk")
SCORES = (0.25, 0.5, 0.25)
NOTHING: dict[str, Any] = {"SensorTimestamp": 5_000}


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """A fresh stand-in under the library's names."""
    return install(monkeypatch)


@pytest.fixture
def imx500(monkeypatch: pytest.MonkeyPatch, library: Library) -> type[FakeIMX500]:
    """Its camera is an AI Camera."""
    return fake_imx500.install(monkeypatch, library)


def play(library: Library, metadata: Sequence[Mapping[str, object]]) -> list[FakeRequest]:
    """Frames with these metadata come, one a request; then none comes."""
    requests = [FakeRequest(blank(), metadata=each) for each in metadata]
    left = iter(requests)

    def capture_request(self: FakePicamera2, *, wait: bool) -> Future[FakeRequest]:
        job = FakePicamera2.capture_request(self, wait=wait)
        request = next(left, None)
        if request is not None:
            job.set_result(request)
        return job

    library.capture_request = capture_request  # type: ignore[method-assign]
    return requests


def open_it(*, keeps_shape: bool = False) -> Camera:
    """The camera, with a network for its sensor."""
    settings = CameraSettings(size_px=(8, 4), network=SensorNetwork(PATH, keeps_shape))
    return open_camera(parse_source("picamera2:0"), settings)


def test_each_frame_comes_with_the_networks_answer_and_none_without(
    library: Library, imx500: type[FakeIMX500]
) -> None:
    """A network that is slower than its camera leaves frames out: those are no frames of ours, nor leaks."""
    requests = play(library, [NOTHING, answer(SCORES), answer(SCORES[::-1]), NOTHING, answer(SCORES)])
    with open_it() as camera:
        first, none, second = (camera.read(0.05) for _ in range(3))
    assert first is not None
    assert second is not None
    assert none is None
    assert first.outputs is not None
    assert first.outputs.tolist() == list(SCORES[::-1])
    assert second.outputs is not None
    assert second.outputs.tolist() == list(SCORES)
    assert [request.released for request in requests] == [1] * 5
    assert imx500.uploads == [(str(PATH), CAMERA_ID)]


@pytest.mark.parametrize("keeps_shape", [True, False])
def test_the_network_sees_what_the_card_says(
    library: Library, imx500: type[FakeIMX500], *, keeps_shape: bool
) -> None:
    """The middle in the network's shape, or the whole picture, squashed: as it was trained."""
    play(library, [answer(SCORES)])
    open_it(keeps_shape=keeps_shape).close()
    assert imx500.keeps_aspect is keeps_shape


def test_an_upload_may_take_its_time_and_then_ends_in_words(
    library: Library, imx500: type[FakeIMX500], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes pass without an answer while the sensor is given its network; not hours."""
    assert imx500.error is None
    monkeypatch.setattr(picamera, "_READ_S", 0.001)
    monkeypatch.setattr("edgecam.capture.camera._NETWORK_S", 0.05)
    play(library, [NOTHING] * 3)
    with pytest.raises(CameraLost, match="has not answered within"):
        open_it()
    assert library.last.log[-1] == "close"


def test_a_network_that_finds_objects_is_refused(library: Library, imx500: type[FakeIMX500]) -> None:
    """Most that come with the camera do: boxes, scores, classes, count."""
    assert imx500.error is None
    play(library, [answer((1, 2, 3, 4), SCORES, (7, 8, 9), (3,))])
    with pytest.raises(SourceError, match=r"gives \[1, 4\], \[1, 3\], \[1, 3\], \[1, 1\].*that classifies"):
        open_it()
    assert library.last.log[-1] == "close"


def test_an_answer_that_is_torn_costs_its_frame(library: Library, imx500: type[FakeIMX500]) -> None:
    """As when the sensor's line is disturbed."""
    assert imx500.error is None
    torn = {**answer(SCORES), "CnnOutputTensorInfo": [[2], [1]]}
    play(library, [answer(SCORES), torn, answer(SCORES)])
    with open_it() as camera:
        with pytest.raises(UnreadableFrame):
            camera.read(0.05)
        assert camera.read(0.05) is not None


def test_another_camera_is_refused_and_let_go(library: Library) -> None:
    """A network has to be given to a sensor that runs it."""
    play(library, [])
    with pytest.raises(SourceError, match="its sensor is imx708_wide, which runs no network"):
        open_it()
    with pytest.raises(SourceError, match="imx708_wide"):  # not: already open here
        open_it()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("IMX500: Requested camera dev-node not found"),
        PermissionError(13, "Permission denied"),
        StopIteration(),
    ],
)
def test_a_sensor_that_does_not_take_it_is_told(
    library: Library, imx500: type[FakeIMX500], error: Exception
) -> None:
    """Driver, rights or file: with what to install."""
    imx500.error = error
    play(library, [])
    with pytest.raises(SourceError, match=r"does not take /models/net/model\.rpk.*imx500-all"):
        open_it()


def test_a_picamera2_without_the_devices_is_told(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old ones have no such module, and its own needs may be missing."""
    fake_imx500.install(monkeypatch, library)
    monkeypatch.setitem(sys.modules, "picamera2.devices.imx500", None)
    play(library, [])
    with pytest.raises(SourceError, match=r"support of the AI Camera cannot be loaded.*imx500-all"):
        open_it()


def test_no_other_kind_of_source_has_such_a_sensor() -> None:
    """A USB camera would be opened, and its frames had no answers."""
    settings = CameraSettings(network=SensorNetwork(PATH, keeps_shape=True))
    with pytest.raises(SourceError, match=r"only a picamera2 camera has a sensor that runs model\.rpk"):
        open_camera(parse_source("v4l2:/dev/video0"), settings)
