"""`edgecam run`: the appliance itself, until a signal or the end of its recordings."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgecam.appliance.board import device_id
from edgecam.appliance.logs import set_up_logging
from edgecam.commands.signals import StopSignals
from edgecam.config.loader import load_config
from edgecam.config.password import read_password
from edgecam.errors import EXIT_INTERRUPTED, EdgecamError
from edgecam.pipeline.assembly import assemble
from edgecam.pipeline.runner import Runner

log = logging.getLogger(__name__)


def run(path: Path | None, *, sets: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> int:
    """Run until SIGTERM (0), Ctrl-C (130), or until every recording has been played (0).

    Args:
        path: the configuration; None: where `load_config` looks.
        sets: `key=value` texts.
        environ: the environment variables.

    Returns:
        The exit code.

    Raises:
        EdgecamError: what cannot be used, at the start; whatever ended a worker.
    """
    loaded = load_config(path, sets=sets, environ=environ)
    config = loaded.config
    set_up_logging(config.log.level, style=config.log.format, environ=environ)
    plan = assemble(loaded)
    password = read_password(config.mqtt, loaded.folder, environ)
    device = device_id() if config.device == "auto" else config.device
    runner = Runner(loaded, plan, device=device, password=password)
    signals = StopSignals(runner.request_stop)
    log.info("starting config=%s device=%s", loaded.path or "defaults", device)
    try:
        runner.start()
        runner.wait()
    except EdgecamError as error:
        # Told before the words of stopping bury it.
        log.error("cannot go on: %s", error)  # noqa: TRY400 - foreseen
        return error.exit_code
    finally:
        runner.stop()
    return EXIT_INTERRUPTED if signals.interrupted else 0
