"""A clock that the tests wind, pictures, and the network cameras."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from stream_servers import numbered_jpegs

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
def jpegs() -> list[bytes]:
    """A hundred numbered pictures of 320x240, as JPEG."""
    return numbered_jpegs()
