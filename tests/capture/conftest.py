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
def jpegs(stream_servers: ModuleType) -> list[bytes]:
    """A hundred numbered pictures of 320x240, as JPEG."""
    numbered: list[bytes] = stream_servers.numbered_jpegs()
    return numbered
