"""How long an isolated engine is waited for, and how often it is started: rules only, without a clock."""

from __future__ import annotations

from collections import deque

_LEAST_S = 0.25
_TIMES_P99 = 10
_WINDOW = 200
# Between two looks at the window; sorting it for each frame would cost more than the rule is worth.
_LOOK_EVERY = 25

_MOST_STARTS = 5
_WITHIN_S = 60.0
_FIRST_PAUSE_S = 1.0
# Something that cannot be seen from outside may have been mended.
_LASTING_PAUSE_S = 600.0


class InvokeDeadline:
    """The deadline of one inference: what was set, else max(250 ms, 10 times the 99th percentile)."""

    def __init__(self, timeout_s: float | None = None) -> None:
        """Args: what was set; None: by the rule."""
        self._set_s = timeout_s
        self._took_s: deque[float] = deque(maxlen=_WINDOW)
        self._recorded = 0
        self.s = timeout_s if timeout_s is not None else _LEAST_S
        """The deadline now, in s."""

    @property
    def is_known(self) -> bool:
        """It was set, or something has been measured."""
        return self._set_s is not None or bool(self._took_s)

    def record(self, took_s: float) -> None:
        """An inference has ended in time."""
        self._took_s.append(took_s)
        self._recorded += 1
        if self._set_s is None and self._recorded % _LOOK_EVERY == 1:
            ordered = sorted(self._took_s)
            self.s = max(_LEAST_S, _TIMES_P99 * ordered[(99 * len(ordered) - 1) // 100])


class RestartBudget:
    """When a child may be started: 5 times in 60 s, further and further apart, then once a minute.

    After a failure that lasts: in ten minutes.
    """

    def __init__(self, *, most: int = _MOST_STARTS, first_pause_s: float = _FIRST_PAUSE_S) -> None:
        """Args: starts before only one a minute is left; the pause before the second restart."""
        self._most, self._first_pause_s = most, first_pause_s
        self._starts_s: deque[float] = deque(maxlen=most)
        self._quick = 0
        self._spent = self._lasting = False

    def started(self, now_s: float) -> None:
        """A child is being started."""
        self._starts_s.append(now_s)
        self._lasting = False
        self._quick += 1
        full = len(self._starts_s) == self._most
        self._spent = self._spent or (full and now_s - self._starts_s[0] < _WITHIN_S)

    def served(self, for_s: float) -> None:
        """A child that worked has ended; after a minute of work all is forgiven."""
        if for_s >= _WITHIN_S:
            self.forgive()

    def lasts(self) -> None:
        """The last one failed for a reason that stays until somebody changes something."""
        self._lasting = True

    def forgive(self) -> None:
        """Something has changed: a child may be started now, and as often as at first."""
        self._starts_s.clear()
        self._quick, self._spent, self._lasting = 0, False, False

    def wait_s(self, now_s: float) -> float:
        """How long to wait before the next start; 0: start now."""
        if not self._starts_s:
            return 0.0
        # The first restart follows at once: most children die of something that does not last.
        doublings = min(self._quick - 2, 5)
        pause_s = 0.0 if self._quick == 1 else self._first_pause_s * 2**doublings
        pause_s = _WITHIN_S if self._spent else min(pause_s, _WITHIN_S)
        due_s = self._starts_s[-1] + (_LASTING_PAUSE_S if self._lasting else pause_s)
        return max(0.0, due_s - now_s)
