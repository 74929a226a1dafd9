"""What ends the process: decided on workers whose engines and cameras are in a given state."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from edgecam.errors import WedgedError
from edgecam.pipeline.wedges import look_for_wedges, tell_of_wedges
from edgecam.records import Status


@dataclass
class Calls:
    """An engine's."""

    overdue: str | None = None

    def hangs(self, *, now_ns: int) -> str | None:
        """What was set."""
        assert now_ns > 0
        return self.overdue


@dataclass
class Engine:
    """Stands where an engine worker stands."""

    calls: Calls = field(default_factory=Calls)
    given_up: list[str] = field(default_factory=list)

    def give_up(self, why: str) -> None:
        """Remember it."""
        self.given_up.append(why)


@dataclass
class Camera:
    """Stands where a capture worker, its lane and its desk stand."""

    is_wedged: bool = False
    troubles: set[Status] = field(default_factory=set)

    @property
    def desk(self) -> Camera:
        """Its own."""
        return self

    def has(self, trouble: Status) -> bool:
        """One of those that were set."""
        return trouble in self.troubles


def look(*cameras: Camera, engine: Engine | None = None) -> None:
    """With one engine."""
    named = {f"camera{number}": camera for number, camera in enumerate(cameras)}
    look_for_wedges({"default": engine or Engine()}, named, named)  # type: ignore[arg-type,dict-item]


LOST = frozenset({Status.NO_CAMERA})


def test_an_engine_that_hangs_ends_the_process_whatever_the_cameras_do() -> None:
    """And its cameras are told first, once."""
    engine = Engine(Calls("an inference of m does not come back (for 2.1 s)"))
    with pytest.raises(WedgedError, match="an inference of m does not come back") as caught:
        look(Camera(), engine=engine)
    assert caught.value.exit_code == 75
    tell_of_wedges({"a": engine, "b": Engine()})  # type: ignore[dict-item]
    (why,) = engine.given_up
    assert "hangs" in why


@pytest.mark.parametrize(
    "others",
    [
        [],
        [Camera(troubles={Status.NO_CAMERA})],
        [Camera(troubles={Status.DISABLED})],
        [Camera(is_wedged=True, troubles={Status.NO_CAMERA})],
        [Camera(troubles={Status.NO_CAMERA, Status.ERROR})],
    ],
)
def test_a_wedged_camera_ends_the_process_when_no_other_works(others: list[Camera]) -> None:
    """Absent, switched off, at its end, or wedged as well: nothing is lost by starting again."""
    with pytest.raises(WedgedError, match=r"camera camera0.* can be neither read nor closed"):
        look(Camera(is_wedged=True, troubles=set(LOST)), *others)


@pytest.mark.parametrize("troubles", [set(), {Status.ERROR}])
def test_while_another_camera_works_nothing_ends(troubles: set[Status]) -> None:
    """Also while that one's engine is being opened anew."""
    look(Camera(is_wedged=True, troubles=set(LOST)), Camera(troubles=troubles))


def test_a_wedged_camera_that_nobody_wants_now_ends_nothing() -> None:
    """It is switched off, or outside its hours."""
    look(Camera(is_wedged=True, troubles={Status.NO_CAMERA, Status.DISABLED}), Camera(troubles=set(LOST)))


def test_cameras_that_are_only_lost_are_waited_for() -> None:
    """For ever: unplugged is not wedged."""
    look(Camera(troubles=set(LOST)), Camera(troubles=set(LOST)))
