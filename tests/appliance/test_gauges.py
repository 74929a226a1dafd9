"""Heat and power, from files as kernels write them and from a firmware's answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecam.appliance.board import board_stats
from edgecam.appliance.gauges import Firmware, ask_firmware, limits_of, passive_trip_c, soc_temperature_c
from edgecam.reports import Limit, Limits


def zone(root: Path, number: int, kind: str, millidegrees: str, **trips: str) -> None:
    """A thermal zone, with its trip points by kind."""
    folder = root / f"sys/class/thermal/thermal_zone{number}"
    folder.mkdir(parents=True)
    (folder / "type").write_text(f"{kind}\n")
    (folder / "temp").write_text(f"{millidegrees}\n")
    for place, (name, limit) in enumerate(trips.items()):
        (folder / f"trip_point_{place}_type").write_text(f"{name}\n")
        (folder / f"trip_point_{place}_temp").write_text(f"{limit}\n")


@pytest.mark.parametrize("kind", ["cpu-thermal", "soc-thermal", "x86_pkg_temp", "package-thermal", "SoC"])
def test_the_temperature_is_that_of_the_soc_by_the_type_of_its_zone(tmp_path: Path, kind: str) -> None:
    """Zone 0 may be the battery's, the radio's or the graphics'; zone 10 does not stand before zone 2."""
    zone(tmp_path, 0, "gpu-thermal", "30000")
    zone(tmp_path, 2, kind, "61500")
    zone(tmp_path, 10, "cpu1-thermal", "99000")
    assert soc_temperature_c(tmp_path) == 61.5


def test_without_such_a_zone_it_is_the_first_and_without_any_nothing(tmp_path: Path) -> None:
    """A zone that gives no number, as one whose sensor sleeps, is no temperature."""
    assert soc_temperature_c(tmp_path) is None
    zone(tmp_path, 1, "sensor1", "n/a")
    assert soc_temperature_c(tmp_path) is None
    zone(tmp_path, 0, "sensor0", "-5000")
    assert soc_temperature_c(tmp_path) == -5


def test_the_kernel_slows_down_from_its_lowest_passive_trip_point_on(tmp_path: Path) -> None:
    """`critical` switches off, `active` turns a fan on."""
    assert passive_trip_c(tmp_path) is None
    zone(tmp_path, 0, "cpu-thermal", "50000", critical="110000", active="50000")
    assert passive_trip_c(tmp_path) is None
    zone(tmp_path / "b", 0, "soc-thermal", "50000", passive="85000", critical="115000", hot="90000")
    assert passive_trip_c(tmp_path / "b") == 85


def test_the_bits_in_words() -> None:
    """0 to 3 hold now, 16 to 19 have held since boot."""
    assert limits_of(0) == Limits((), ())
    assert limits_of(0x50005) == Limits(
        (Limit.UNDER_VOLTAGE, Limit.THROTTLED), (Limit.UNDER_VOLTAGE, Limit.THROTTLED)
    )
    assert limits_of(0xA0008) == Limits(
        (Limit.SOFT_TEMP_LIMIT,), (Limit.FREQUENCY_CAPPED, Limit.SOFT_TEMP_LIMIT)
    )


@pytest.mark.parametrize(("alarm", "found"), [("0", ()), ("1", (Limit.UNDER_VOLTAGE,))])
def test_without_bits_the_voltage_monitor_is_asked(
    tmp_path: Path, alarm: str, found: tuple[Limit, ...]
) -> None:
    """A kernel without the vendor's additions has that alone; another chip's alarm says nothing of this."""
    for number, (name, value) in enumerate((("cpu_thermal", None), ("other", "1"), ("rpi_volt", alarm))):
        folder = tmp_path / f"sys/class/hwmon/hwmon{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        if value is not None:
            (folder / "in0_lcrit_alarm").write_text(f"{value}\n")
    assert limits_of(None, tmp_path) == Limits(found, found)
    assert board_stats(tmp_path).throttled is None
    assert limits_of(None, tmp_path / "elsewhere") is None


def test_the_kernel_goes_before_the_firmware(tmp_path: Path) -> None:
    """The firmware is asked once a minute; the kernel's file is of now."""
    assert board_stats(tmp_path, firmware_bits=0x4).throttled == 4
    path = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    path.parent.mkdir(parents=True)
    path.write_text("0\n")
    stats = board_stats(tmp_path, firmware_bits=0x4)
    assert (stats.throttled, stats.limits) == (0, Limits((), ()))


def test_the_firmware_is_asked_once_a_minute() -> None:
    """A process started for each look would be a load of its own."""
    now_s, answers = [0.0], iter([1, None, 3])
    firmware = Firmware(lambda: next(answers), read_s=lambda: now_s[0])
    seen = []
    for now_s[0] in (0, 10, 59, 60, 119, 121):
        firmware.refresh()
        seen.append(firmware.bits)
    assert seen == [1, 1, 1, None, None, 3]


@pytest.mark.parametrize(
    ("script", "bits"),
    [
        ("echo throttled=0x50005", 0x50005),
        ("echo 'VCHI initialization failed'; exit 255", None),
        ("echo throttled=0x", None),
        ("exec sleep 60", None),
        (None, None),
    ],
)
def test_vcgencmd_may_be_absent_refuse_or_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, bits: int | None
) -> None:
    """Without the group `video` it fails; on any other board it is not there."""
    if script is not None:
        command = tmp_path / "vcgencmd"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin" if script else str(tmp_path))
    monkeypatch.setattr("edgecam.appliance.gauges._ASK_S", 0.5)
    assert ask_firmware() == bits
