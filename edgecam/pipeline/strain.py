"""When it is told that the board lacks power or is slowed down, and that this is over. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from edgecam.reports import Limit, Limits, Notice, NoticeKind, NoticeLevel

# It comes and goes within seconds: over is what did not come again for so long.
_CALM_NS = 60_000_000_000
_TOLD_OF = {
    NoticeKind.UNDER_VOLTAGE: frozenset({Limit.UNDER_VOLTAGE}),
    NoticeKind.THROTTLED: frozenset({Limit.FREQUENCY_CAPPED, Limit.THROTTLED, Limit.SOFT_TEMP_LIMIT}),
}
_BEGAN = {
    NoticeKind.UNDER_VOLTAGE: (
        "the board's supply voltage is too low: use a stronger power supply and a short, thick cable"
    ),
    NoticeKind.THROTTLED: "the board is slowed down or about to be ({}): cool it, or give it less to do",
}
_ENDED = {
    NoticeKind.UNDER_VOLTAGE: "the board's supply voltage is good again",
    NoticeKind.THROTTLED: "the board runs at full speed again",
}


class Strain:
    """Remembers what was told."""

    def __init__(self) -> None:
        """Nothing was."""
        self._seen_ns: dict[NoticeKind, int] = {}
        """When it was seen last, of what goes on."""
        self._since_boot: Collection[Limit] | None = None

    def observe(self, limits: Limits | None, *, temperature_c: float | None, now_ns: int) -> list[Notice]:
        """Look again.

        Args:
            limits: What holds; None: the board does not tell.
            temperature_c: Of the SoC.
            now_ns: BOOTTIME.

        Returns:
            What is news.
        """
        if limits is None:
            return []
        # What came and went between two looks has left its mark.
        before = limits.since_boot if self._since_boot is None else self._since_boot
        missed = set(limits.since_boot) - set(before)
        self._since_boot = limits.since_boot
        return list(self._news({*limits.now, *missed}, temperature_c, now_ns))

    def _news(self, holding: set[Limit], temperature_c: float | None, now_ns: int) -> Iterator[Notice]:
        for kind, limits in _TOLD_OF.items():
            found = [limit.value for limit in Limit if limit in limits & holding]
            was_told = kind in self._seen_ns
            if found:
                self._seen_ns[kind] = now_ns
            if found and not was_told:
                text = _BEGAN[kind].format(", ".join(found))
                yield Notice(kind, NoticeLevel.WARNING, text, _data(temperature_c, found))
            elif was_told and now_ns - self._seen_ns[kind] >= _CALM_NS:
                del self._seen_ns[kind]
                yield Notice(kind, NoticeLevel.INFO, _ENDED[kind], _data(temperature_c, []))


def is_strained(limits: Limits | None, *, temperature_c: float | None, passive_trip_c: float | None) -> bool:
    """Whether the board is slowed down, or about to be, for its heat or for want of power."""
    if limits is not None and any(limit is not Limit.UNDER_VOLTAGE for limit in limits.now):
        return True
    return temperature_c is not None and passive_trip_c is not None and temperature_c >= passive_trip_c


def _data(temperature_c: float | None, found: Sequence[str]) -> dict[str, str | int | float | bool | None]:
    return {"active": bool(found), "limits": ",".join(found), "temperature_c": temperature_c}
