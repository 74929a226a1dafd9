"""`edgecam run`: the appliance itself, until a signal or the end of its recordings."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from edgecam.appliance.board import instance_name
from edgecam.appliance.logs import set_up_logging
from edgecam.appliance.systemd import Notifier
from edgecam.commands.leaving import leave_wedged
from edgecam.commands.signals import ReloadSignal, StopSignals
from edgecam.config.state_folder import history_path, outbox_path
from edgecam.errors import EXIT_INTERRUPTED, EdgecamError, WedgedError
from edgecam.inference.memory import use_one_heap
from edgecam.pipeline.orders import OrderBook, Orders
from edgecam.pipeline.reloading import Reloader
from edgecam.pipeline.runner import Runner
from edgecam.pipeline.supervision import Supervision
from edgecam.pipeline.trace import Trace

log = logging.getLogger(__name__)

_UMASK = 0o077


class WantedTrace:
    """Writes the trace at the end, and after SIGUSR1, outside the signal handler."""

    def __init__(self, trace: Trace | None) -> None:
        """Without a trace the signal keeps its usual meaning."""
        self._trace = trace
        self._asked = False
        if trace is not None:
            signal.signal(signal.SIGUSR1, self._ask)

    def write_if_asked(self) -> None:
        """Called now and then."""
        if self._asked:
            self._asked = False
            self.write()

    def write(self) -> None:
        """A trace that cannot be written ends nothing, and hides no other failure."""
        if self._trace is None:
            return
        try:
            self._trace.write()
        except EdgecamError as error:
            log.error("no trace reason=%s", error)  # noqa: TRY400 - foreseen
        else:
            log.info("trace written")

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True


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
    use_one_heap()
    trace = Trace(trace_path) if trace_path else None
    book = OrderBook(path, sets=sets, environ=environ)
    orders, fault = book.read_for_start()
    loaded, config = orders.loaded, orders.loaded.config
    _set_up_log(orders, environ)
    notifier = Notifier(environ)
    if notifier.watchdog_ns is not None:
        # What stood still when the watchdog bites (SIGABRT): the stack of each thread, on stderr.
        faulthandler.enable()
    reloader = Reloader(
        book, orders, notifier=notifier, set_up=lambda new: _set_up_log(new, environ), fault=fault
    )
    runner = Runner(
        loaded,
        orders.plan,
        device=orders.device,
        password=orders.password,
        instance=instance_name(environ),
        outbox=outbox_path(config.mqtt.outbox, loaded.folder, environ),
        history=history_path(environ),
        witnesses=[trace] if trace else [],
        reload=reloader.ask,
    )
    signals = StopSignals(runner.request_stop)
    (reload_signal or ReloadSignal()).attach(reloader.ask, runner.request_stop)
    wanted = WantedTrace(trace)
    supervision = Supervision(notifier, runner, remark=lambda: reloader.remark)

    def meanwhile() -> None:
        wanted.write_if_asked()
        reloader.tend(runner)
        supervision.turned()

    log.info("starting config=%s device=%s", loaded.path or "defaults", orders.device)
    try:
        runner.start()
        with supervision:
            runner.wait(meanwhile=meanwhile)
    except WedgedError as error:
        log.error("cannot go on reason=%s", error)  # noqa: TRY400 - foreseen
        leave_wedged(runner.abandon)
    except EdgecamError as error:
        # Told before the words of stopping bury it.
        log.error("cannot go on reason=%s", error)  # noqa: TRY400 - foreseen
        return error.exit_code
    finally:
        runner.stop()
        wanted.write()
    return EXIT_INTERRUPTED if signals.interrupted else 0


def _set_up_log(orders: Orders, environ: Mapping[str, str]) -> None:
    config = orders.loaded.config.log
    set_up_logging(config.level, style=config.format, environ=environ)
