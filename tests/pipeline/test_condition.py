"""How a run is seen to do while its configuration changes under whoever looks."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from house import House

from edgecam.pipeline.condition import signs_of
from edgecam.pipeline.lane import Lane


@dataclass
class Calls:
    """An engine's."""

    allowed_ns: int = 7


@dataclass
class Engine:
    """Stands where an engine worker stands."""

    rungs: dict[str, None]
    calls: Calls = field(default_factory=Calls)
    is_waiting_to_reopen: bool = False


@dataclass
class Capture:
    """Stands where a capture worker stands."""

    declared_within_s: float = 1.0


@dataclass
class Workers:
    """Stands where the workforce stands."""

    lanes: dict[str, Lane]
    engines: dict[str, Engine]
    captures: dict[str, Capture]


@dataclass
class Link:
    """Stands where the uplink stands."""

    turns: int = 3


@pytest.mark.parametrize("missing", ["engine", "capture", "nobody"])
def test_a_camera_that_is_about_to_begin_is_looked_at_once_it_has_all_its_workers(missing: str) -> None:
    """Whoever pings the watchdog looks from a thread of its own, also between two steps of a reload."""
    lane = House().lane
    old, new = Capture(), Capture()
    signs = signs_of(
        Workers(  # type: ignore[arg-type]
            lanes={"old": lane, "new": lane},
            engines={"m": Engine({"old": None} if missing == "engine" else {"old": None, "new": None})},
            captures={"old": old} if missing == "capture" else {"old": old, "new": new},
        ),
        Link(),  # type: ignore[arg-type]
    )
    assert list(signs.cameras) == (["old", "new"] if missing == "nobody" else ["old"])
    assert signs.cameras["old"].engine_may_take_ns == 7
    assert signs.publish_turns == 3
