"""A clock that the tests wind, pictures, and the network cameras."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from edgecam.capture.opencv import prepare_opencv
from edgecam.capture.pacing import Pacer
from edgecam.capture.pattern import draw_pattern


@dataclass
class FakeClock:
    """A clock that only waiting moves."""

    now: int = 1_000_000_000_000

    def now_ns(self) -> int:
        """The time, in ns."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let this time pass."""
        self.now += round(seconds * 1e9)

    def pacer(self) -> Pacer:
        """A pacer that lives by this clock."""
        return Pacer(now_ns=self.now_ns, wait=self.wait)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that only waiting moves."""
    return FakeClock()


@pytest.fixture(scope="session", autouse=True)
def _quiet_opencv() -> None:
    """As every door does before its first capture; here a VideoWriter may come first."""
    prepare_opencv()


@pytest.fixture(scope="session")
def stream_servers() -> ModuleType:
    """`stream_servers.py` beside this file, loaded by its path."""
    path = Path(__file__).parent / "stream_servers.py"
    spec = importlib.util.spec_from_file_location("edgecam_test_stream_servers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def jpegs() -> list[bytes]:
    """A hundred numbered pictures of 320x240, as JPEG."""
    import cv2

    images = (draw_pattern(number, width_px=320, height_px=240) for number in range(100))
    return [cv2.imencode(".jpg", image.pixels)[1].tobytes() for image in images]
