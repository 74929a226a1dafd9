"""The clocks: BOOTTIME for every age, the wall clock only as a label.

CLOCK_BOOTTIME runs through suspend and never jumps with NTP, and is the clock of Picamera2's
`SensorTimestamp`.
"""

from __future__ import annotations

import ctypes
import time
import uuid
from datetime import datetime
from functools import cache
from pathlib import Path

from edgecam.records import ClockReading

# adjtimex(2): the kernel's return value when the clock is not synchronised.
_TIME_ERROR = 5
# Far more than sizeof(struct timex) (208 bytes on 64-bit Linux); with modes = 0 it only reads.
_TIMEX_BYTES = 512
_SYNC_CHECK_NS = 1_000_000_000
_RTCS = "sys/class/rtc"
# 2025-01-01: no edgecam of this kind was there before.
_LONG_PAST_S = 1_735_689_600
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_ns() -> int:
    """CLOCK_BOOTTIME in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Tells one boot of this machine from another: BOOTTIME begins anew with each."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        # Not known: then no other run is of this boot.
        return uuid.uuid4().hex


def local_now() -> datetime:
    """The wall clock in the device's own time zone, naive: for schedules, which are written so."""
    return datetime.now()  # noqa: DTZ005 - see above


def wall_clock_synced() -> bool:
    """True if the kernel says that NTP (or chrony, timesyncd, …) disciplines the wall clock."""
    libc = _libc()
    if not hasattr(libc, "adjtimex"):
        return False
    answer: int = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return answer not in (-1, _TIME_ERROR)


def wall_clock_set(root: Path = Path("/")) -> bool:
    """True if somebody has set the wall clock: NTP does, or the kernel did at boot by a clock with a battery.

    A board without such a clock starts with the hour at which it was switched off, or in 1970.

    Args:
        root: where `sys` lies.
    """
    return wall_clock_synced() or any(map(_has_set_it, (root / _RTCS).glob("rtc*")))


def _has_set_it(rtc: Path) -> bool:
    try:
        # One whose battery is empty, or was never put in, begins with its own epoch.
        return (rtc / "hctosys").read_text().strip() == "1" and (
            int((rtc / "since_epoch").read_text()) > _LONG_PAST_S
        )
    except (OSError, ValueError):
        return False


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class Clock:
    """Reads all clocks at one moment; asks for synchronisation at most once a second."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._synced = False
        self._checked_ns = -_SYNC_CHECK_NS

    def read(self) -> ClockReading:
        """BOOTTIME, the wall clock, and whether the latter can be believed."""
        now_ns = boot_ns()
        if now_ns - self._checked_ns >= _SYNC_CHECK_NS:
            self._synced = wall_clock_synced()
            self._checked_ns = now_ns
        return ClockReading(boot_ns=now_ns, wall_ns=time.time_ns(), synced=self._synced)
