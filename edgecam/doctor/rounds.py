"""The list of all checks, in the order in which they are made and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial

from edgecam.clock import wall_clock_synced
from edgecam.doctor import (
    accelerators,
    board,
    broker,
    cameras,
    configuration,
    models,
    runtime,
    service,
    storage,
)
from edgecam.doctor.examination import Check
from edgecam.doctor.finding import Area, Finding, Verdict
from edgecam.doctor.subject import Subject


def all_checks(subject: Subject, faults: list[Finding]) -> Iterator[Check]:
    """Every check; those that need the configuration say so where there is none.

    Args:
        subject: what is examined.
        faults: what is wrong with the configuration; empty if it could be loaded.
    """
    yield _of_configuration(subject, faults)
    config = subject.loaded.config if subject.loaded else None
    yield from _each(
        Area.CAMERAS,
        list(config.cameras) if config else None,
        partial(cameras.look, subject),
        cameras.DEADLINE_S,
    )
    here = runtime.this_platform()
    is_needed = config is None or any(models.runs_on_tflite(subject, name) for name in config.models)
    look = partial(runtime.look, here, is_needed=is_needed)
    yield Check(Area.RUNTIME, "tflite", look, runtime.DEADLINE_S)
    delegates = partial(accelerators.look, root=subject.root)
    yield Check(Area.ACCELERATORS, "delegates", delegates, accelerators.DEADLINE_S)
    yield from _each(
        Area.MODELS, list(config.models) if config else None, partial(models.look, subject), models.DEADLINE_S
    )
    if config is None:
        yield _unread(Area.BROKER)
    else:
        yield Check(Area.BROKER, "connection", partial(broker.look, subject), broker.DEADLINE_S)
    yield from _of_machine(subject)


def _of_configuration(subject: Subject, faults: list[Finding]) -> Check:
    look = partial(configuration.look, subject, faults)
    return Check(Area.CONFIGURATION, "file", look, configuration.DEADLINE_S)


def _each(
    area: Area, names: list[str] | None, look: Callable[[str], Iterable[Finding]], deadline_s: float
) -> Iterator[Check]:
    if names is None:
        yield _unread(area)
        return
    for name in names:
        yield Check(area, name, partial(look, name), deadline_s)


def _unread(area: Area) -> Check:
    text = "not looked at, since the configuration cannot be used"
    return Check(area, "all", lambda: [Finding(area, "all", Verdict.SKIPPED, text)])


def _of_machine(subject: Subject) -> Iterator[Check]:
    root = subject.root
    yield Check(Area.BOARD, "power", partial(board.look_at_power, root))
    yield Check(Area.BOARD, "memory", partial(board.look_at_memory, root))
    now = datetime.now().astimezone()
    yield Check(Area.BOARD, "clock", partial(board.look_at_clock, wall_clock_synced, now, root))
    yield Check(Area.STORAGE, "disk", partial(storage.look, subject))
    yield Check(Area.SERVICE, "systemd", service.look)
