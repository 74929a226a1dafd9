"""When a camera's next frame will come, from when its frames came. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low

# Half a second at 30 fps: long enough for a median that jitter does not move, short enough to follow a
# camera that halves its rate in the dark.
_WINDOW = 15
_ENOUGH = 5
# It changes slowly, and is asked for at every choice.
_EVERY = 5


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a camera's frames come."""

    period_ns: int
    """Between the capture times of two frames."""
    lag_ns: int
    """From a frame's capture to the moment at which it can be taken."""


class Metronome:
    """Listens to one camera's frames."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.rhythm: Rhythm | None = None
        """Medians of the last frames; None while there are too few to tell."""
        self._captured_ns: deque[int] = deque(maxlen=_WINDOW)
        self._lags_ns: deque[int] = deque(maxlen=_WINDOW)
        self._count = 0

    def heard(self, captured_ns: int, *, arrived_ns: int) -> None:
        """A frame has come."""
        self._captured_ns.append(captured_ns)
        self._lags_ns.append(arrived_ns - captured_ns)
        self._count += 1
        if self._count % _EVERY == 0 and len(self._captured_ns) >= _ENOUGH:
            gaps = [later - earlier for earlier, later in pairwise(self._captured_ns)]
            self.rhythm = Rhythm(period_ns=median_low(gaps), lag_ns=median_low(self._lags_ns))
