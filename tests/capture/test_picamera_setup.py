"""Finding and taking a Picamera2 camera: whatever is in the way is named with its remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.capture.picamera_setup import acquire, import_picamera2, release
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost, SourceError

IMX708 = "/base/soc/i2c0mux/i2c@1/imx708@1a"
IMX219 = "/base/soc/i2c0mux/i2c@0/imx219@10"


class Library:
    """The class Picamera2, as far as it lists and opens cameras."""

    def __init__(self) -> None:
        """Two cameras, all is well."""
        self.cameras: list[dict[str, Any]] = [
            {"Model": "imx708_wide", "Location": 2, "Rotation": 180, "Id": IMX708, "Num": 0},
            {"Model": "imx219", "Location": 2, "Rotation": 180, "Id": IMX219, "Num": 1},
        ]
        self.list_error: Exception | None = None
        self.open_error: Exception | None = None
        self.opened: list[int] = []
        self.chain = "__cause__"

    def global_camera_info(self) -> list[dict[str, Any]]:
        """The cameras that libcamera found."""
        if self.list_error:
            raise self.list_error
        return self.cameras

    def __call__(self, camera_num: int) -> str:
        """Open one."""
        if self.open_error:
            failed = RuntimeError("Camera __init__ sequence did not complete.")
            # With `from`, or merely inside `except` as older releases raise it.
            setattr(failed, self.chain, self.open_error)
            raise failed
        self.opened.append(camera_num)
        return f"camera {camera_num}"


@pytest.fixture
def library() -> Library:
    """Two cameras, all is well."""
    return Library()


@contextmanager
def acquired(library: Library, target: str) -> Iterator[str]:
    """What was opened; given back at the end."""
    camera, camera_id = acquire(library, parse_source(f"picamera2:{target}"))
    try:
        yield camera
    finally:
        release(SimpleNamespace(close=lambda: None), camera_id)


@pytest.mark.parametrize(
    ("target", "number"), [("0", 0), ("1", 1), ("imx219", 1), (IMX219, 1), ("imx708_wide", 0)]
)
def test_a_camera_is_found_by_number_model_or_id(library: Library, target: str, number: int) -> None:
    """Numbers change when a camera is added; a model or an id does not."""
    with acquired(library, target) as camera:
        assert camera == f"camera {number}"


def test_a_camera_is_opened_once_in_a_process_and_again_when_it_was_released(library: Library) -> None:
    """In many releases of Picamera2 a second opening fails, and takes the first one with it."""
    with acquired(library, "0"), acquired(library, "1"):
        with pytest.raises(CameraLost, match="already open here; give each camera a source of its own"):
            acquire(library, parse_source("picamera2:imx708_wide"))
        assert library.opened == [0, 1]
    with acquired(library, "imx708_wide"):
        assert library.opened == [0, 1, 0]


def test_a_camera_that_could_not_be_opened_can_be_tried_again(library: Library) -> None:
    """The worker does, until it is back."""
    library.open_error = OSError("no i2c answer")
    for _ in range(2):
        with pytest.raises(CameraLost, match="no i2c answer"):
            acquire(library, parse_source("picamera2:0"))


def test_a_model_that_two_cameras_have_is_refused_with_their_ids(library: Library) -> None:
    """Which one would be chance."""
    library.cameras[0]["Model"] = "imx219"
    with pytest.raises(SourceError) as raised:
        acquire(library, parse_source("picamera2:imx219"))
    assert IMX708 in str(raised.value)
    assert IMX219 in str(raised.value)


@pytest.mark.parametrize("target", ["2", "ov5647", "-1"])
def test_an_absent_camera_may_come_back_and_the_message_lists_what_is_there(
    library: Library, target: str
) -> None:
    """A live source that is absent is CameraLost, with the remedy."""
    with pytest.raises(CameraLost) as raised:
        acquire(library, parse_source(f"picamera2:{target}"))
    assert f"picamera2:{target}: no such camera; found: 0: imx708_wide at {IMX708}; 1: " in str(raised.value)
    assert "rpicam-hello --list-cameras" in str(raised.value)


def test_no_camera_at_all_is_said(library: Library) -> None:
    """As on a board whose cable is loose."""
    library.cameras.clear()
    with pytest.raises(CameraLost, match="found: none; check the cable"):
        acquire(library, parse_source("picamera2:0"))


@pytest.mark.parametrize("chain", ["__cause__", "__context__"])
def test_a_camera_that_another_program_holds_may_come_back(library: Library, chain: str) -> None:
    """Picamera2 hides libcamera's reason behind its own words; the user gets the reason."""
    library.chain = chain
    library.open_error = RuntimeError("Failed to acquire camera: Device or resource busy")
    with pytest.raises(CameraLost, match="another program holds it; stop that"):
        acquire(library, parse_source("picamera2:0"))


def test_a_camera_that_cannot_be_opened_says_all_reasons(library: Library) -> None:
    """The last one is the one that helps."""
    library.open_error = OSError("no i2c answer")
    with pytest.raises(CameraLost, match="sequence did not complete: no i2c answer"):
        acquire(library, parse_source("picamera2:0"))


def test_a_libcamera_that_does_not_come_up_is_a_fault_of_the_installation(library: Library) -> None:
    """It lists no cameras, it fails."""
    library.list_error = RuntimeError("Failed to start CameraManager")
    with pytest.raises(SourceError, match="libcamera does not start: Failed to start CameraManager"):
        acquire(library, parse_source("picamera2:0"))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import libcamera", ("has no module libcamera", "python3-picamera2", "--system-site-packages")),
        ("import pykms", ("has no module pykms", "python3-picamera2")),
        (
            "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
            ("built for another numpy", 'pip install "numpy<2"'),
        ),
        ("raise ImportError('libcamera.so.0.5: cannot open')", ("cannot be loaded", "libcamera.so.0.5")),
    ],
    ids=["libcamera", "pykms", "numpy", "shared library"],
)
def test_a_broken_installation_names_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, words: tuple[str, ...]
) -> None:
    """picamera2 is there, and what it needs is not: the commonest trouble of a virtual environment."""
    (tmp_path / "picamera2.py").write_text(module + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    for absent in ("libcamera", "pykms"):
        monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(SourceError) as raised:
        import_picamera2("picamera2:0")
    assert all(word in str(raised.value) for word in ("picamera2:0: ", *words))


def test_a_missing_picamera2_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not among edgecam's own requirements."""
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match=r"has no module picamera2; .*sudo apt install python3-picamera2"):
        open_camera(parse_source("picamera2:0"), CameraSettings())


def test_the_remedy_of_an_installed_service_is_its_installer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is not the user's to make: the installer does, and looks whether picamera2 is there."""
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setattr(sys, "prefix", "/opt/edgecam/releases/1.0-20261124")
    with pytest.raises(SourceError, match=r"python3-picamera2, then run deploy/install\.sh again$"):
        import_picamera2("picamera2:0")
