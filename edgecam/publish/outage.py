"""How an outage is told: few lines in the log. No clock is read here."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class Outage:
    """From the first failure to the next success; each failure is logged once, and the end once."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._began_s: float | None = None
        self._attempts = 0
        self._told: set[str] = set()

    def failed(self, text: str, *, now_s: float) -> None:
        """One more failed attempt or lost connection; the same text is logged once per outage."""
        if self._began_s is None:
            self._began_s = now_s
        self._attempts += 1
        if text not in self._told:
            self._told.add(text)
            log.warning("broker not available, retrying broker=%s reason=%s", self._broker, text)

    def ended(self, *, protocol: str, now_s: float) -> None:
        """Connected."""
        if self._began_s is None:
            log.info("broker connected broker=%s protocol=%s", self._broker, protocol)
            return
        log.info(
            "broker back broker=%s protocol=%s after_s=%.1f attempts=%d",
            self._broker,
            protocol,
            now_s - self._began_s,
            self._attempts,
        )
        self._began_s = None
        self._attempts = 0
        self._told.clear()


class Tally:
    """Tells of something that repeats: the first time at once, then its count, at most every `every_s`."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._told = 0
        self._quiet_until_s = 0.0

    def news(self, total: int, *, now_s: float) -> int:
        """How many more there are than were told of; 0 when there are none, or it is too early to say."""
        if total == self._told or now_s < self._quiet_until_s:
            return 0
        news, self._told = total - self._told, total
        self._quiet_until_s = now_s + self._every_s
        return news
