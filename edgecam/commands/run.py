"""`edgecam run`: the appliance itself, until a signal or the end of its recordings."""

from __future__ import annotations

import faulthandler
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecam.appliance.board import instance_name
from edgecam.appliance.logs import set_up_logging
from edgecam.appliance.systemd import Notifier
from edgecam.backoff import Backoff
from edgecam.commands.leaving import leave_wedged
from edgecam.commands.signals import ReloadSignal, StopSignals
from edgecam.commands.wanted_trace import WantedTrace
from edgecam.config.state_folder import history_path, outbox_path
from edgecam.errors import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EdgecamError,
    ModelError,
    UnusableError,
    WedgedError,
)
from edgecam.pipeline.orders import OrderBook, Orders
from edgecam.pipeline.reloading import Reloader
from edgecam.pipeline.runner import Runner
from edgecam.pipeline.supervision import Supervision
from edgecam.pipeline.trace import Trace

log = logging.getLogger(__name__)

_UMASK = 0o077
_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 30.0


def run(
    path: Path | None,
    *,
    sets: Sequence[str] = (),
    trace_path: Path | None = None,
    reload_signal: ReloadSignal | None = None,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """Run until SIGTERM (0), Ctrl-C (130), or until every recording has been played (0).

    Args:
        path: the configuration; None: where `load_config` looks.
        sets: `key=value` texts.
        trace_path: where the trace is written, at the end and at each SIGUSR1; None: none is kept.
        reload_signal: has heard SIGHUP since the program began to load; None: nobody has.
        environ: the environment variables.

    Returns:
        The exit code.

    Raises:
        EdgecamError: what cannot be used, at the start; whatever ended a worker.
    """
    # What it keeps is nobody else's.
    os.umask(_UMASK)
    service = _Service(
        OrderBook(path, sets=sets, environ=environ),
        environ,
        trace=Trace(trace_path) if trace_path else None,
        reload_signal=reload_signal or ReloadSignal(),
    )
    return service.serve()


@dataclass(frozen=True, slots=True)
class _Fallback:
    """With what to begin again, and why."""

    orders: Orders
    fault: EdgecamError


class _Service:
    """This process, as whoever started it sees it."""

    def __init__(
        self,
        book: OrderBook,
        environ: Mapping[str, str],
        *,
        trace: Trace | None,
        reload_signal: ReloadSignal,
    ) -> None:
        self._book = book
        self._environ = environ
        self._trace = trace
        self._wanted = WantedTrace(trace)
        self._reload_signal = reload_signal
        self._signals = StopSignals()
        self._notifier = Notifier(environ)
        if self._notifier.watchdog_ns is not None:
            # What stood still when the watchdog bites (SIGABRT): the stack of each thread, on stderr.
            faulthandler.enable()

    def serve(self) -> int:
        """By the orders of now; by the last good ones, if these cannot be used and never could."""
        try:
            found = self._read()
            if found is None:
                return self._code
            orders, fault = found
            reloader = Reloader(
                self._book, orders, notifier=self._notifier, set_up=self._set_up_log, fault=fault
            )
            outcome = self._run(orders, reloader, may_fall_back=fault is None)
            if isinstance(outcome, _Fallback):
                reloader.begin_again(outcome.orders, outcome.fault)
                outcome = self._run(outcome.orders, reloader, may_fall_back=False)
            return self._code if isinstance(outcome, _Fallback) else outcome
        finally:
            self._wanted.write()

    def _read(self) -> tuple[Orders, EdgecamError | None] | None:
        """As `OrderBook.read_for_start`; what may come back is waited for. None: stopped meanwhile."""
        backoff = Backoff(first_s=_FIRST_RETRY_S, cap_s=_LONGEST_RETRY_S)
        while True:
            try:
                return self._book.read_for_start()
            except ModelError as fault:
                if not self._book.may_come_back():
                    raise
                log.error("cannot start yet, trying again reason=%s", fault)  # noqa: TRY400 - foreseen
                self._notifier.status(f"cannot start yet: {fault}")
            if self._signals.wait(backoff.next_s()):
                return None

    def _run(self, orders: Orders, reloader: Reloader, *, may_fall_back: bool) -> int | _Fallback:
        self._set_up_log(orders)
        runner = self._runner(orders, reloader)
        self._signals.attach(runner.request_stop)
        self._reload_signal.attach(reloader.ask, runner.request_stop)
        supervision = Supervision(self._notifier, runner, remark=lambda: reloader.remark)

        def meanwhile() -> None:
            self._wanted.write_if_asked()
            reloader.tend(runner)
            supervision.turned()

        log.info("starting config=%s device=%s", orders.loaded.path or "defaults", orders.device)
        outcome: int | _Fallback = EXIT_OK
        try:
            if not self._signals.received:
                runner.start()
                with supervision:
                    runner.wait(meanwhile=meanwhile)
            outcome = self._code
        except WedgedError as error:
            log.error("cannot go on reason=%s", error)  # noqa: TRY400 - foreseen
            leave_wedged(runner.abandon)
        except EdgecamError as error:
            spare = self._fallback(runner, orders, error) if may_fall_back else None
            # Told before the words of stopping bury it.
            if spare is None:
                log.error("cannot go on reason=%s", error)  # noqa: TRY400 - foreseen
            else:
                log.error("beginning again with the last good configuration reason=%s", error)  # noqa: TRY400
            outcome = spare or error.exit_code
        finally:
            if isinstance(outcome, int):
                self._notifier.stopping("stopping")
            runner.stop()
            if may_fall_back:
                self._book.ended()
        return outcome

    @property
    def _code(self) -> int:
        """Of an end in order."""
        return EXIT_INTERRUPTED if self._signals.interrupted else EXIT_OK

    def _fallback(self, runner: Runner, orders: Orders, error: EdgecamError) -> _Fallback | None:
        """Where the orders cannot be used and never could: the last good ones."""
        if runner.is_settled or not isinstance(error, UnusableError):
            return None
        instead = self._book.read_last_good(instead_of=orders)
        return None if instead is None else _Fallback(instead, error.with_traceback(None))

    def _runner(self, orders: Orders, reloader: Reloader) -> Runner:
        loaded = orders.loaded
        return Runner(
            loaded,
            orders.plan,
            device=orders.device,
            password=orders.password,
            instance=instance_name(self._environ),
            outbox=outbox_path(loaded.config.mqtt.outbox, loaded.folder, self._environ),
            history=history_path(self._environ),
            witnesses=[self._trace] if self._trace else [],
            reload=reloader.ask,
            patient=orders.are_proven,
        )

    def _set_up_log(self, orders: Orders) -> None:
        config = orders.loaded.config.log
        set_up_logging(config.level, style=config.format, environ=self._environ)
