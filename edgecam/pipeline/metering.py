"""Metrics for Prometheus: listens, goes on trying where that cannot be, watches results for durations."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event

from edgecam.appliance.metrics import Durations, Exposition
from edgecam.appliance.metrics_server import MetricsServer
from edgecam.config.schema import MetricsConfig
from edgecam.pipeline.witness import Stage
from edgecam.records import Result, SkipCause
from edgecam.reports import Notice, NoticeKind, NoticeLevel, Reading

log = logging.getLogger(__name__)

_RETRY_S = 10.0


class Metering:
    """A witness that is scraped. `run` belongs to one thread."""

    def __init__(
        self,
        config: MetricsConfig,
        read: Callable[[], Reading],
        tell: Callable[[Notice], None],
        *,
        retry_s: float = _RETRY_S,
    ) -> None:
        """Args: where to listen; how it is now; who is told when that cannot be; when to try again."""
        self._config = config
        self._tell = tell
        self._retry_s = retry_s
        self._durations = Durations()
        self._exposition = Exposition(read, self._durations)
        self._server: MetricsServer | None = None
        self._closed = Event()
        self._failing = False

    def stage(self, stage: Stage, camera: str, seq: int, *, began_ns: int, ended_ns: int) -> None:
        """What counts of the stages comes with the result."""

    def skipped(self, camera: str, seq: int, cause: SkipCause, *, at_ns: int) -> None:
        """The books count it."""

    def finished(self, result: Result) -> None:
        """A frame was classified."""
        self._durations.add(result)

    def run(self) -> None:
        """Until `close`."""
        while not self._closed.is_set():
            try:
                self._server = self._listen()
                self._listening()
                if self._closed.is_set():
                    # Closed while it opened: it would not hear of it any more.
                    self._server.close()
                self._server.serve()
            except OSError as error:
                self._failed(error.strerror or str(error))
                self._closed.wait(self._retry_s)

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()
        if self._server is not None:
            self._server.close()

    def _listen(self) -> MetricsServer:
        return MetricsServer(
            self._config.host,
            self._config.port,
            self._exposition.render,
            content_type=self._exposition.content_type,
        )

    def _failed(self, reason: str) -> None:
        """Once for an outage."""
        if self._failing:
            return
        self._failing = True
        where = f"{self._config.host}:{self._config.port}"
        log.warning("metrics not available, retrying address=%s reason=%s", where, reason)
        text = f"metrics cannot be served on {where}: {reason}; choose another metrics.port or host"
        self._tell(Notice(NoticeKind.METRICS_FAILED, NoticeLevel.WARNING, text, {"reason": reason}))

    def _listening(self) -> None:
        log.info("metrics served host=%s port=%d", self._config.host, self._config.port)
        if self._failing:
            self._failing = False
            text = "metrics are served again"
            self._tell(Notice(NoticeKind.METRICS_BACK, NoticeLevel.INFO, text))
