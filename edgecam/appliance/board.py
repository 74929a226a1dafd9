"""Which board this is, by an id that a cloned card does not share, and how it does."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from edgecam.appliance.gauges import limits_of, read_text, soc_temperature_c, throttled_bits
from edgecam.reports import BoardStats

INSTANCE_VARIABLE = "EDGECAM_INSTANCE"
# The serial number that a Raspberry Pi's firmware writes into the device tree, and its like.
_SERIAL_FILES = ("proc/device-tree/serial-number", "sys/devices/soc0/serial_number")
_NETWORK = "sys/class/net"
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


def board_model(root: Path = Path("/")) -> str:
    """What kind of board this is: as its device tree says, else its processor's name; empty: not told."""
    name = read_text(root / "proc/device-tree/model").strip("\0\n ")
    processor = re.search(r"^model name\s*:\s*(.+)$", read_text(root / "proc/cpuinfo"), re.MULTILINE)
    return name or (processor[1] if processor else "")


def board_stats(root: Path = Path("/"), *, firmware_bits: int | None = None) -> BoardStats:
    """Memory of this process, heat and power of the board, as far as the kernel tells.

    Args:
        root: where `proc` and `sys` lie.
        firmware_bits: what the firmware said, for want of the kernel's word.
    """
    pages = read_text(root / "proc/self/statm").split()
    bits = throttled_bits(root)
    bits = firmware_bits if bits is None else bits
    return BoardStats(
        memory_bytes=int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if len(pages) > 1 else None,
        temperature_c=soc_temperature_c(root),
        throttled=bits,
        limits=limits_of(bits, root),
    )


def _serial(root: Path) -> str | None:
    for name in _SERIAL_FILES:
        serial = _cleaned(read_text(root / name))
        if serial.strip("0"):
            return serial
    return None


def _mac(root: Path) -> str | None:
    """The address of the first physical card by name; one that hot-plugs last is not first by luck."""
    for card in sorted((root / _NETWORK).glob("*")):
        address = read_text(card / "address").replace(":", "")
        is_physical = (card / "device").exists()
        if is_physical and re.fullmatch(r"[0-9a-f]{12}", address) and address.strip("0"):
            if int(address[:2], 16) & _LOCALLY_ADMINISTERED:
                continue
            return address
    return None


def _cleaned(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.strip().lower()).strip("-")
