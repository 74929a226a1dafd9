"""Looks at the board's heat and power, tells of changes, and lets the ladders know."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from threading import Event

from edgecam import clock
from edgecam.appliance.board import board_stats
from edgecam.appliance.gauges import Firmware, passive_trip_c
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.strain import Strain, is_strained
from edgecam.reports import BoardStats, Notice, NoticeLevel

log = logging.getLogger(__name__)

_LOOK_S = 10.0


class BoardWatch:
    """`run` belongs to one thread, since a sensor or the firmware may keep whoever asks it waiting."""

    def __init__(self, tell: Callable[[Notice], None], engines: Callable[[], Iterable[EngineWorker]]) -> None:
        """Args: who is told; the engines that there are."""
        self._tell = tell
        self._engines = engines
        self._firmware = Firmware()
        self._strain = Strain()
        self._closed = Event()

    def run(self) -> None:
        """Until `close`."""
        while not self._closed.is_set():
            self._firmware.refresh()
            self._look(self.stats())
            self._closed.wait(_LOOK_S)

    def close(self) -> None:
        """End `run` soon."""
        self._closed.set()

    def stats(self) -> BoardStats:
        """How the board does; quick, for any thread."""
        return board_stats(firmware_bits=self._firmware.bits)

    def _look(self, board: BoardStats) -> None:
        heat_c = board.temperature_c
        strained = is_strained(board.limits, temperature_c=heat_c, passive_trip_c=passive_trip_c())
        for engine in self._engines():
            engine.is_strained = strained
        for notice in self._strain.observe(board.limits, temperature_c=heat_c, now_ns=clock.boot_ns()):
            level = logging.INFO if notice.level is NoticeLevel.INFO else logging.WARNING
            log.log(level, "board says message=%s", notice.message)
            self._tell(notice)
