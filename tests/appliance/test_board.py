"""Who this board is."""

from __future__ import annotations

from pathlib import Path

from edgecam.appliance.board import board_model, board_stats, device_id
from edgecam.reports import BoardStats


def write(root: Path, name: str, text: str) -> None:
    """A file of /proc or /sys."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def test_a_raspberry_pi_is_its_serial_number(tmp_path: Path) -> None:
    """The firmware ends it with a NUL."""
    write(tmp_path, "proc/device-tree/serial-number", "10000000ABCDEF01\0")
    assert device_id(tmp_path) == "10000000abcdef01"


def test_without_a_serial_number_it_is_the_first_physical_network_card(tmp_path: Path) -> None:
    """Not the loopback, not a bridge, not an address that software made up."""
    write(tmp_path, "sys/class/net/lo/address", "00:00:00:00:00:00\n")
    write(tmp_path, "sys/class/net/br0/address", "b8:27:eb:00:00:01\n")
    write(tmp_path, "sys/class/net/aaa0/address", "02:11:22:33:44:55\n")
    (tmp_path / "sys/class/net/aaa0/device").mkdir()
    write(tmp_path, "sys/class/net/eth0/address", "b8:27:eb:12:34:56\n")
    (tmp_path / "sys/class/net/eth0/device").mkdir()
    assert device_id(tmp_path) == "b827eb123456"


def test_a_board_without_either_still_has_an_id_that_fits_a_topic(tmp_path: Path) -> None:
    """The host name, cleaned."""
    assert set(device_id(tmp_path)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert device_id(tmp_path)


def test_a_serial_number_of_zeros_is_none(tmp_path: Path) -> None:
    """Some boards ship with it; all of them would share one id."""
    write(tmp_path, "proc/device-tree/serial-number", "0000000000000000\0")
    write(tmp_path, "sys/class/net/eth0/address", "b8:27:eb:12:34:56")
    (tmp_path / "sys/class/net/eth0/device").mkdir()
    assert device_id(tmp_path) == "b827eb123456"


def test_temperature_and_throttling_are_read_where_the_kernel_tells(tmp_path: Path) -> None:
    """In degrees and as the firmware's bits; nothing is made up where there is none."""
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "48312\n")
    write(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "0x50005\n")
    stats = board_stats(tmp_path)
    assert (stats.temperature_c, stats.throttled, stats.memory_bytes) == (48.312, 0x50005, None)
    assert board_stats(tmp_path / "none") == BoardStats()


def test_memory_is_that_of_this_process() -> None:
    """More than Python alone, less than the machine."""
    used = board_stats().memory_bytes
    assert used is not None
    assert 5e6 < used < 1e10


def test_a_board_is_of_the_kind_that_its_device_tree_or_processor_says(tmp_path: Path) -> None:
    """What was measured on one kind is worth nothing on another; a PC has no device tree."""
    assert board_model(tmp_path) == ""
    write(tmp_path, "proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU 3\n\nprocessor\t: 1\n")
    assert board_model(tmp_path) == "some cpu 3"
    write(tmp_path, "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    assert board_model(tmp_path) == "raspberry pi 4 model b rev 1.4"
