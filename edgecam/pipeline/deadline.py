"""How long a call into a driver or engine may take before it is taken for hung. Pure: times are arguments."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping

_S = 1_000_000_000
# A look that comes later than this after the one before says more of us than of whom we look at: the machine
# slept, or was too busy to let us look.
_LONGEST_LOOK_NS = _S // 2
_LEAST_NS = 2 * _S
_FACTOR = 20
_PERCENTILE = 0.99
_WINDOW = 100
# Loading, delegates that compile, caches that are filled.
FIRST_NS = 60 * _S


class InvokeDeadline:
    """The deadline of one model's inferences: 20 times the 99th percentile of the last 100, 2 s at least.

    The first has longer: nothing is known yet, and it fills caches. One thread records, another may ask.
    """

    def __init__(self, *, timeout_ns: int | None = None) -> None:
        """Args: timeout_ns: in the place of that rule; None: the rule."""
        self._timeout_ns = timeout_ns
        self._ring = [0] * _WINDOW
        self._count = 0

    def record(self, took_ns: int) -> None:
        """An inference came back."""
        self._ring[self._count % _WINDOW] = took_ns
        self._count += 1

    @property
    def limit_ns(self) -> int:
        """How long the one under way may take."""
        if self._count == 0:
            return self.first_ns
        if self._timeout_ns is not None:
            return self._timeout_ns
        ordered = sorted(self._ring[: self._count])
        return max(_LEAST_NS, _FACTOR * ordered[math.ceil(_PERCENTILE * len(ordered)) - 1])

    @property
    def first_ns(self) -> int:
        """How long the engine's opening may take, and the first inference."""
        return max(FIRST_NS, self._timeout_ns or 0)


class CallWatch:
    """How long a call has been under way, as looks at it tell.

    Time in which nobody looked hardly counts: neither a machine that was suspended nor a process that was
    stopped or starved makes a call look hung.
    """

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._call: Hashable = None
        self._lasted_ns = 0
        self._looked_ns = 0

    def look(self, call: Hashable, *, now_ns: int) -> int:
        """Look again.

        Args:
            call: what tells this call from any other; None: there is none.
            now_ns: a steady clock.

        Returns:
            For how long, in ns, it has been seen.
        """
        is_same = call is not None and call == self._call
        since_ns = min(now_ns - self._looked_ns, _LONGEST_LOOK_NS)
        self._lasted_ns = self._lasted_ns + since_ns if is_same else 0
        self._call, self._looked_ns = call, now_ns
        return self._lasted_ns


class EngineCalls:
    """What an engine worker asks of its engines: which call is under way, and whether it hangs.

    The worker's thread says when a call begins and ends; another one looks.
    """

    def __init__(self, timeouts_ns: Mapping[str, int]) -> None:
        """Args: timeouts_ns: by model, where it is not the rule."""
        self._deadlines = defaultdict[str, InvokeDeadline](InvokeDeadline)
        self._deadlines.update(
            {model: InvokeDeadline(timeout_ns=timeout_ns) for model, timeout_ns in timeouts_ns.items()}
        )
        self._calls = 0
        self._under_way: tuple[int, str, bool, int] | None = None
        """Which one it is, the model, whether its engine is being opened, and how long it may be away."""
        self._watch = CallWatch()

    def begin(self, model: str, *, opening: bool = False, elsewhere_ns: int = 0) -> None:
        """An inference begins, or the opening of an engine, which holds its first one.

        Args:
            model: what is to be run.
            opening: its engine is being opened.
            elsewhere_ns: so long it may be in another process, which has a deadline of its own.
        """
        self._calls += 1
        self._under_way = (self._calls, model, opening, elsewhere_ns)

    def learn(self, model: str, took_ns: int) -> None:
        """An inference took so long that was not asked for here."""
        self._deadlines[model].record(took_ns)

    def end(self, took_ns: int | None = None) -> None:
        """It has come back; None: without anything to learn from."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None and took_ns is not None:
            self._deadlines[under_way[1]].record(took_ns)

    def hangs(self, *, now_ns: int) -> str | None:
        """What is overdue, in words; to be asked several times a second, at a steady clock's `now_ns`."""
        under_way = self._under_way
        lasted_ns = self._watch.look(under_way, now_ns=now_ns)
        if under_way is None:
            return None
        if lasted_ns <= self._limit_ns(under_way):
            return None
        _, model, opening, _ = under_way
        what = "opening the engine" if opening else "an inference"
        return f"{what} of {model} does not come back (for {lasted_ns / _S:.1f} s)"

    @property
    def allowed_ns(self) -> int:
        """How long the call under way may take; 0: there is none."""
        under_way = self._under_way
        return 0 if under_way is None else self._limit_ns(under_way)

    def _limit_ns(self, call: tuple[int, str, bool, int]) -> int:
        _, model, opening, elsewhere_ns = call
        deadline = self._deadlines[model]
        return deadline.first_ns if opening else deadline.limit_ns + elsewhere_ns
