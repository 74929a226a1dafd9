"""Pictures scored by several processes, which end with the one that started them, however that ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Self

from edgecam.errors import EdgecamError, EngineError
from edgecam.evaluation.scoring import Lot, ScoredLot, Scorer, ScoringOrder

_STOP_S = 2.0
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
        EngineError: an engine does not open or fails, or a process ended or cannot be started.
    """
    waiting = iter(enumerate(lots))
    with ExitStack() as crew:
        helpers = [crew.enter_context(_Helper()) for _ in range(processes)]
        working: dict[Connection, _Helper] = {}
        for helper, numbered in zip(helpers, waiting, strict=False):
            helper.open(order)
            helper.give(*numbered)
            working[helper.line] = helper
        while working:
            ready = wait(list(working))
            for helper in [helper for line, helper in working.items() if line in ready]:
                done = helper.answer()
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
        self._number, self._lot = number, lot
        self._send(lot)

    def answer(self) -> tuple[int, ScoredLot]:
        """What became of its lot; raises EngineError."""
        try:
            said = self.line.recv()
        except (EOFError, OSError) as error:
            raise self._gone() from error
        if isinstance(said, EdgecamError):
            raise said
        return self._number, said

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
        with self._process as process:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()

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
        where = f" at one of the {len(self._lot)} pictures from {self._lot[0]} on" if self._lot else ""
        return EngineError(
            f"a process that scores pictures {how}{where}; if memory was short, try --processes 1"
        )


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
                    line.send(score(line.recv()))
        except EdgecamError as fault:
            line.send(fault)
            while True:
                # Who left now would be taken for crashed by whoever is just giving it a lot.
                line.recv()
