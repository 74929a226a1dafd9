"""Heat and power of the board, as the kernel tells, or else a Raspberry Pi's firmware."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from edgecam.reports import LIMITS, Limit, Limits

_ZONES = "sys/class/thermal"
# What boards call the zone of their SoC: Raspberry Pi, Rockchip, Amlogic, NXP; PCs.
_SOC_ZONE = re.compile(r"(cpu|soc|package|pkg)", re.ASCII)
_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
_VOLTAGE_MONITOR = "rpi_volt"
# The upper half of the bits: the same since boot.
_SINCE_BOOT = 16
_ASK_S = 2.0
_KEEP_S = 60.0


def read_text(path: Path) -> str:
    """A small file of the kernel's, in lower case; empty where there is none."""
    try:
        return path.read_bytes().decode("ascii", "ignore").strip("\0\n ").lower()
    except OSError:
        return ""


def soc_temperature_c(root: Path = Path("/")) -> float | None:
    """Of the zone that is the SoC's by its type, else of the first; None where the kernel does not tell."""
    zone = _soc_zone(root)
    return None if zone is None else _celsius(read_text(zone / "temp"))


def passive_trip_c(root: Path = Path("/")) -> float | None:
    """From where on the kernel slows the SoC down for its heat; None: it does not say."""
    zone = _soc_zone(root)
    if zone is None:
        return None
    trips = [
        _celsius(read_text(kind.with_name(kind.name.removesuffix("type") + "temp")))
        for kind in zone.glob("trip_point_*_type")
        if read_text(kind) == "passive"
    ]
    return min((trip for trip in trips if trip is not None and trip > 0), default=None)


def throttled_bits(root: Path = Path("/")) -> int | None:
    """The Raspberry Pi firmware's bits, by the kernel; None where it does not tell."""
    bits = read_text(root / _THROTTLED).removeprefix("0x")
    return int(bits, 16) if re.fullmatch(r"[0-9a-f]{1,8}", bits) else None


def limits_of(bits: int | None, root: Path = Path("/")) -> Limits | None:
    """The bits in words; where there are none, what the kernel's voltage monitor says."""
    if bits is not None:
        now, before = (
            tuple(limit for place, limit in enumerate(LIMITS) if bits >> (place + shift) & 1)
            for shift in (0, _SINCE_BOOT)
        )
        return Limits(now, before)
    for monitor in sorted((root / "sys/class/hwmon").glob("*")):
        alarm = read_text(monitor / "in0_lcrit_alarm")
        if read_text(monitor / "name") == _VOLTAGE_MONITOR and alarm:
            found = (Limit.UNDER_VOLTAGE,) if alarm == "1" else ()
            return Limits(found, found)
    return None


def ask_firmware() -> int | None:
    """The bits by `vcgencmd`, which needs the group `video`; None: it is not there, or gives no answer."""
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - found on the path, no argument from outside
            [command, "get_throttled"], capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"throttled=0x([0-9a-fA-F]{1,8})\b", done.stdout)
    return int(found[1], 16) if found else None


class Firmware:
    """Asks the firmware at most once a minute; for a thread that may wait."""

    def __init__(
        self, ask: Callable[[], int | None] = ask_firmware, *, read_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Args: how it is asked; a clock in seconds."""
        self._ask = ask
        self._read_s = read_s
        self._due_s = float("-inf")
        self.bits: int | None = None
        """What it said last; for any thread."""

    def refresh(self) -> None:
        """Ask again, if it is time."""
        now_s = self._read_s()
        if now_s >= self._due_s:
            self._due_s = now_s + _KEEP_S
            self.bits = self._ask()


def _soc_zone(root: Path) -> Path | None:
    zones = sorted((root / _ZONES).glob("thermal_zone*"), key=lambda zone: (len(zone.name), zone.name))
    by_type = [zone for zone in zones if _SOC_ZONE.search(read_text(zone / "type"))]
    return next(iter(by_type or zones), None)


def _celsius(millidegrees: str) -> float | None:
    return int(millidegrees) / 1000 if re.fullmatch(r"-?\d{1,9}", millidegrees) else None
