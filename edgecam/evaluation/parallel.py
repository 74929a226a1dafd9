"""Pictures scored by several processes, which end with the one that started them, however that ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Self

from edgecam.errors import EdgecamError, EngineError
from edgecam.evaluation.scoring import Lot, ScoredLot, Scorer, ScoringOrder

_STOP_S = 2.0
# Far more than the slowest board takes for the largest picture, or to open an engine.
_PATIENCE_S = 600.0
# How often that is looked at.
_LOOK_S = 10.0
# With `-m`, what it answers with would be of a module `__main__`, which is another one here.
_MAIN = "from edgecam.evaluation.parallel import main; main()"


def score_in_processes(
    order: ScoringOrder, lots: Sequence[Lot], *, processes: int
) -> Iterator[tuple[int, ScoredLot]]:
    """Score lots side by side.

    Args:
        order: what each process opens.
        lots: what is to be scored.
        processes: how many, at least 1.

    Yields:
        The number of a lot and what became of it, in the order in which they are done.

    Raises:
        EngineError: an engine does not open or fails, or a process ended, hangs or cannot be started.
    """
    waiting = iter(enumerate(lots))
    with ExitStack() as crew:
        helpers = [crew.enter_context(_Helper()) for _ in range(processes)]
        working: dict[Connection, _Helper] = {}
        for helper, numbered in zip(helpers, waiting, strict=False):
            helper.open(order)
            helper.give(*numbered)
            working[helper.line] = helper
        looked_s = time.monotonic()
        while working:
            ready = wait(list(working), _LOOK_S)
            now_s = time.monotonic()
            # No more counts than was to be waited: all of us may have been stopped for an hour.
            waited_s, looked_s = min(now_s - looked_s, _LOOK_S), now_s
            for line, helper in list(working.items()):
                if line not in ready:
                    helper.was_silent(waited_s)
                    continue
                done = helper.answer()
                if done is None:
                    continue
                following = next(waiting, None)
                if following is None:
                    del working[helper.line]
                else:
                    helper.give(*following)
                yield done


class _Helper:
    """A process that scores; starts it in the constructor, ends it at the end of the block."""

    def __init__(self) -> None:
        self._number, self._lot = 0, Lot()
        self._place: int | None = None
        """Of the picture that it is at."""
        self._silent_s = 0.0
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                self._process = _start(theirs.fileno())
                self.line = Connection(ours.detach())
        except OSError as error:
            raise EngineError(
                f"no process that scores pictures can be started ({error.strerror}); try --processes 1"
            ) from error

    def open(self, order: ScoringOrder) -> None:
        """Let it open its engine."""
        self._send(order)

    def give(self, number: int, lot: Lot) -> None:
        """A lot to score."""
        self._number, self._lot, self._place, self._silent_s = number, lot, None, 0.0
        self._send(lot)

    def answer(self) -> tuple[int, ScoredLot] | None:
        """What became of its lot; None: it has come to another picture of it; raises EngineError."""
        try:
            said = self.line.recv()
        except (EOFError, OSError) as error:
            raise self._gone() from error
        if isinstance(said, EdgecamError):
            raise said
        if isinstance(said, int):
            self._place, self._silent_s = said, 0.0
            return None
        return self._number, said

    def was_silent(self, waited_s: float) -> None:
        """It was waited for in vain; raises EngineError once that was too long at one picture."""
        self._silent_s += waited_s
        if self._silent_s >= _PATIENCE_S:
            raise EngineError(
                f"a process that scores pictures hangs{self._where()}: it did not go on for "
                f"{_PATIENCE_S / 60:.0f} minutes; see whether the file can be read, or try another --engine"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.line.close()
        if kind is not None:
            self._process.kill()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            # Whoever waits in the kernel, for a file system that is gone, ends when that lets it go.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)

    def _send(self, what: ScoringOrder | Lot) -> None:
        try:
            self.line.send(what)
        except OSError as error:
            raise self._gone() from error

    def _gone(self) -> EngineError:
        try:
            code = self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            how = "does not answer any more"
        else:
            how = f"ended ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"
        return EngineError(
            f"a process that scores pictures {how}{self._where()}; if memory was short, try --processes 1"
        )

    def _where(self) -> str:
        if not self._lot:
            return ""
        if self._place is None:
            return f" before the {len(self._lot)} pictures from {self._lot[0]} on"
        return f" at {self._lot[self._place]}"


def _start(line: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this interpreter, this package's module
        [sys.executable, "-c", _MAIN, str(line)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(line,),
        # Ctrl-C is for the parent, which ends it.
        start_new_session=True,
        # Python looks here first: the same edgecam as ours.
        cwd=Path(__file__).parents[2],
    )


def main() -> None:
    """Open what the other end orders, score what it sends, until it hangs up."""
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        line = Connection(int(sys.argv[1]))
        try:
            with Scorer(line.recv()) as score:
                while True:
                    line.send(score(line.recv(), told=line.send))
        except EdgecamError as fault:
            line.send(fault)
            while True:
                # Who left now would be taken for crashed by whoever is just giving it a lot.
                line.recv()
