"""Whether edgecam does what it is there for: what a ping to the service manager vouches for.

Pure: times are arguments. A thread that lives proves nothing; frames that finish do. Looked at are:

1. A camera that should work delivers frames.
2. What a camera delivered does not stay in its slot or in the engine's hands: the engine decides on frames.
   Frames that only push each other out of the slot do not count.
3. The publish worker turns, whether there is a broker or not.
4. The main loop turns; a reload, or a disk that hangs, may hold it up for a while.

An outage that was declared (`no_camera`, `disabled`, an engine that waits to be opened anew) is being
handled, and excuses what it explains; but a frame in hand must finish, whatever has become of its camera.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_S = 1_000_000_000
_PATIENCE_NS = 15 * _S
"""On top of what something may take by its own rules."""
# A name server that does not answer holds the publish worker up for so long.
_PUBLISH_PATIENCE_NS = 90 * _S
# Opening an engine anew takes the main loop so long on a slow board.
_MAIN_PATIENCE_NS = 120 * _S


@dataclass(frozen=True, slots=True)
class CameraSigns:
    """How far one camera's frames have come, counted since the start, and what explains a standstill."""

    captured: int
    decided: int
    """Classified, or skipped by the engine's own choice."""
    in_flight: int
    """In the slot or in the engine's hands."""
    declared_within_ns: int
    """Silent for so long, it is declared lost."""
    engine_may_take_ns: int = 0
    """For what is under way in its engine; who watches that ends the process, and tells why."""
    is_out: bool = False
    """Declared: no frames are to be expected."""
    engine_is_out: bool = False
    """Declared: its engine waits to be opened anew."""


@dataclass(frozen=True, slots=True)
class Signs:
    """All that is looked at, at one moment."""

    cameras: Mapping[str, CameraSigns]
    publish_turns: int
    """How often the publish worker's loop has turned,"""
    main_turns: int = 0
    """and the main loop."""


@dataclass(frozen=True, slots=True)
class _Movement:
    """Something that should move."""

    name: str
    count: int
    excused: bool
    patience_ns: int


class Vitality:
    """Remembers since when each count has stood still."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}
        """Count, and the moment at which it last moved or was excused."""

    def observe(self, signs: Signs, *, now_ns: int) -> list[str]:
        """Look again.

        Args:
            signs: how it is now.
            now_ns: BOOTTIME, never less than before.

        Returns:
            What stands still for too long, for people to read; nothing: all is well.
        """
        movements = list(_movements(signs))
        before, self._seen = self._seen, {}
        still = []
        for movement in movements:
            count, since_ns = before.get(movement.name, (movement.count, now_ns))
            if movement.excused or movement.count != count:
                since_ns = now_ns
            self._seen[movement.name] = (movement.count, since_ns)
            if now_ns - since_ns > movement.patience_ns:
                still.append(movement.name)
        return still


def _movements(signs: Signs) -> Iterator[_Movement]:
    for name, camera in signs.cameras.items():
        # A recording that skips nothing waits for its engine.
        silent = camera.is_out or camera.engine_is_out
        yield _Movement(f"camera {name}", camera.captured, silent, _PATIENCE_NS + camera.declared_within_ns)
        idle = camera.in_flight == 0 or camera.engine_is_out
        patience_ns = _PATIENCE_NS + camera.engine_may_take_ns
        yield _Movement(f"engine of camera {name}", camera.decided, idle, patience_ns)
    yield _Movement("publish worker", signs.publish_turns, excused=False, patience_ns=_PUBLISH_PATIENCE_NS)
    yield _Movement("main loop", signs.main_turns, excused=False, patience_ns=_MAIN_PATIENCE_NS)
