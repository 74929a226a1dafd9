"""Which board this is, by an id that a cloned card does not share, and how it does."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from edgecam.reports import BoardStats

INSTANCE_VARIABLE = "EDGECAM_INSTANCE"
# The serial number that a Raspberry Pi's firmware writes into the device tree, and its like.
_SERIAL_FILES = ("proc/device-tree/serial-number", "sys/devices/soc0/serial_number")
_NETWORK = "sys/class/net"
_TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"
_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
# Bit 1 of the first octet: an address that software made up (IEEE 802), new at each boot perhaps.
_LOCALLY_ADMINISTERED = 0x02


def instance_name(environ: Mapping[str, str] = os.environ) -> str:
    """Which of several edgecams on this board: `$EDGECAM_INSTANCE`, set by the unit; empty: the only one."""
    return _cleaned(environ.get(INSTANCE_VARIABLE, ""))


def device_id(root: Path = Path("/"), *, instance: str = "") -> str:
    """The board's serial number, else the MAC address of its first network card, else its host name.

    Never the machine id, which every clone of a card shares.

    Args:
        root: where `proc` and `sys` lie.
        instance: of several edgecams on this board; it is put behind the id.

    Returns:
        An id of the characters a-z, 0-9, `_` and `-`.
    """
    board = _serial(root) or _mac(root) or _cleaned(socket.gethostname()) or "edgecam"
    return f"{board}-{instance}" if instance else board


def board_stats(root: Path = Path("/")) -> BoardStats:
    """Memory of this process, temperature and throttling of the board, as far as the kernel tells.

    Args:
        root: where `proc` and `sys` lie.
    """
    pages = _read(root / "proc/self/statm").split()
    millidegrees = _read(root / _TEMPERATURE)
    bits = _read(root / _THROTTLED).removeprefix("0x")
    return BoardStats(
        memory_bytes=int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if len(pages) > 1 else None,
        temperature_c=int(millidegrees) / 1000 if re.fullmatch(r"-?\d+", millidegrees) else None,
        throttled=int(bits, 16) if re.fullmatch(r"[0-9a-f]+", bits) else None,
    )


def _serial(root: Path) -> str | None:
    for name in _SERIAL_FILES:
        serial = _cleaned(_read(root / name))
        if serial.strip("0"):
            return serial
    return None


def _mac(root: Path) -> str | None:
    """The address of the first physical card by name; one that hot-plugs last is not first by luck."""
    for card in sorted((root / _NETWORK).glob("*")):
        address = _read(card / "address").replace(":", "")
        is_physical = (card / "device").exists()
        if is_physical and re.fullmatch(r"[0-9a-f]{12}", address) and address.strip("0"):
            if int(address[:2], 16) & _LOCALLY_ADMINISTERED:
                continue
            return address
    return None


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("ascii", "ignore").strip("\0\n ").lower()
    except OSError:
        return ""


def _cleaned(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.strip().lower()).strip("-")
