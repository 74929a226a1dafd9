"""How the board does: its power, heat, memory and clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from edgecam.appliance.board import board_stats
from edgecam.appliance.gauges import ask_firmware, passive_trip_c
from edgecam.doctor.finding import Area, Finding, Verdict
from edgecam.reports import Limit, Limits

_SLOWED = {
    Limit.FREQUENCY_CAPPED: "frequency capped",
    Limit.THROTTLED: "throttled",
    Limit.SOFT_TEMP_LIMIT: "near its limit of heat",
}
_HOT_C = 80.0
_LOW_MEMORY_BYTES = 100_000_000
# No machine that runs this has a clock before it.
_EARLIEST_YEAR = 2025


def look_at_power(
    root: Path = Path("/"), *, ask: Callable[[], int | None] = ask_firmware
) -> Iterator[Finding]:
    """Under-voltage, throttling and temperature, where the board tells.

    Args:
        root: where `sys` lies.
        ask: the firmware's bits, for want of the kernel's word.
    """
    stats = board_stats(root, firmware_bits=ask())
    yield _power(stats.limits)
    heat_c, hot_c = stats.temperature_c, passive_trip_c(root) or _HOT_C
    if heat_c is None:
        yield Finding(Area.BOARD, "temperature", Verdict.SKIPPED, "this board does not tell it")
    elif heat_c >= hot_c:
        text = f"{heat_c:.0f} °C: from {hot_c:.0f} °C on it is slowed down"
        remedy = "give it a heat sink, a fan or shade; max_fps or gate: motion let it work less"
        yield Finding(Area.BOARD, "temperature", Verdict.WARNING, text, remedy)
    else:
        yield Finding(Area.BOARD, "temperature", Verdict.OK, f"{heat_c:.0f} °C")


def look_at_memory(root: Path = Path("/")) -> Iterator[Finding]:
    """How much the kernel can still give."""
    try:
        text = (root / "proc/meminfo").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        text = ""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    if found is None:
        yield Finding(Area.BOARD, "memory", Verdict.SKIPPED, "the kernel does not tell it")
        return
    available_bytes = int(found[1]) * 1024
    said = f"{available_bytes / 1e6:.0f} MB available"
    if available_bytes < _LOW_MEMORY_BYTES:
        remedy = "end other programs; a desktop takes most of a small board's memory"
        yield Finding(Area.BOARD, "memory", Verdict.WARNING, said, remedy)
    else:
        yield Finding(Area.BOARD, "memory", Verdict.OK, said)


def look_at_clock(is_synced: Callable[[], bool], now: datetime, root: Path = Path("/")) -> Iterator[Finding]:
    """Whether the wall clock can be believed: it labels what is published, and judges certificates.

    Args:
        is_synced: asks the kernel.
        now: the wall clock.
        root: where `sys` lies.
    """
    shown = now.isoformat(timespec="seconds")
    if is_synced():
        yield Finding(Area.BOARD, "clock", Verdict.OK, f"{shown}, synchronised")
        return
    lasting = any((root / "sys/class/rtc").glob("rtc*"))
    text = f"{shown}, not synchronised: messages say so (ts_synced)"
    if not lasting:
        text += ", and without a real-time clock it is wrong after each power cut"
    remedy = "sudo timedatectl set-ntp true, and let port 123/udp out to a time server; timedatectl shows it"
    verdict = Verdict.WARNING
    if now.year < _EARLIEST_YEAR:
        verdict = Verdict.ERROR
        text = f"{shown} cannot be; certificates count as not yet valid"
    yield Finding(Area.BOARD, "clock", verdict, text, remedy)


def _power(limits: Limits | None) -> Finding:
    if limits is None:
        return Finding(Area.BOARD, "power", Verdict.SKIPPED, "this board does not tell it")
    supply = "use the supply made for this board, and a short cable; unplug what draws much from USB"
    if Limit.UNDER_VOLTAGE in limits.now:
        return Finding(Area.BOARD, "power", Verdict.ERROR, "under-voltage now", supply)
    if slowed := _in_words(limits.now):
        remedy = "see the temperature: give it a heat sink, a fan or shade"
        return Finding(Area.BOARD, "power", Verdict.WARNING, f"{slowed} now", remedy)
    if Limit.UNDER_VOLTAGE in limits.since_boot:
        return Finding(Area.BOARD, "power", Verdict.WARNING, "under-voltage since boot, not now", supply)
    if slowed := _in_words(limits.since_boot):
        remedy = "watch it under load; a heat sink or fan helps"
        return Finding(Area.BOARD, "power", Verdict.WARNING, f"{slowed} since boot, not now", remedy)
    return Finding(Area.BOARD, "power", Verdict.OK, "neither under-voltage nor throttling since boot")


def _in_words(limits: Iterable[Limit]) -> str:
    return ", ".join(_SLOWED[limit] for limit in limits if limit in _SLOWED)
