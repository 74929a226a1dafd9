"""Picamera2 controls: what a camera does not have, or libcamera would choke on, is refused in time."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from edgecam.capture.picamera_controls import controls_for
from edgecam.errors import SourceError


class AwbModeEnum(IntEnum):
    """Libcamera.controls.AwbModeEnum, in part."""

    Auto = 0
    Daylight = 5


class NoiseReductionModeEnum(IntEnum):
    """Libcamera.controls.draft.NoiseReductionModeEnum, in part."""

    Off = 0
    Fast = 1


def control(name: str, kind: str, *, size: int | None) -> tuple[str, tuple[SimpleNamespace, None]]:
    """An item of `camera_ctrl_info`: libcamera's ControlId and, unused here, its range."""
    control_id = SimpleNamespace(
        name=name, type=SimpleNamespace(name=kind), isArray=size is not None, size=size or 0
    )
    return name, (control_id, None)


@pytest.fixture(autouse=True)
def _libcamera(monkeypatch: pytest.MonkeyPatch) -> None:
    """The enumerations under the library's name."""
    libcamera = ModuleType("libcamera")
    libcamera.controls = SimpleNamespace(  # type: ignore[attr-defined]
        AwbModeEnum=AwbModeEnum, draft=SimpleNamespace(NoiseReductionModeEnum=NoiseReductionModeEnum)
    )
    monkeypatch.setitem(sys.modules, "libcamera", libcamera)


OFFERED = dict(
    control(name, kind, size=size)
    for name, kind, size in (
        ("AeEnable", "Bool", None),
        ("AnalogueGain", "Float", None),
        ("AwbMode", "Integer32", None),
        ("AfWindows", "Rectangle", 2**64 - 1),
        ("ColourGains", "Float", 2),
        ("ExposureTime", "Integer32", None),
        ("FrameDurationLimits", "Integer64", 2),
        ("NoiseReductionMode", "Integer32", None),
        ("ScalerCrop", "Rectangle", None),
        ("SomethingNew", "Matrix", None),
    )
)


def passed_on(wanted: Mapping[str, object], *, offered: Mapping[str, object] = OFFERED) -> dict[str, Any]:
    """What reaches an opened camera at 30 fps."""
    camera = SimpleNamespace(camera_ctrl_info=offered)
    return controls_for(camera, wanted, fps=30.0, shown="picamera2:0")


def test_the_frame_rate_is_asked_for_in_microseconds() -> None:
    """FrameDurationLimits holds the least and the greatest frame time."""
    assert passed_on({}) == {"FrameDurationLimits": (33333, 33333)}


def test_a_camera_without_frame_durations_is_left_at_its_own_rate() -> None:
    """Picamera2 refuses a control that the camera does not have."""
    assert passed_on({}, offered={}) == {}


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ({"FrameRate": 10}, {"FrameRate": 10}),
        ({"FrameRate": [5, 10]}, {"FrameRate": (5, 10)}),
        ({"FrameDurationLimits": [1, 2]}, {"FrameDurationLimits": (1, 2)}),
    ],
)
def test_a_rate_among_the_controls_goes_before_fps(
    given: dict[str, object], passed: dict[str, object]
) -> None:
    """Both set the same thing; the more particular word is the user's."""
    assert passed_on(given) == passed


@pytest.mark.parametrize(
    ("name", "given", "passed"),
    [
        ("AeEnable", False, False),
        ("AnalogueGain", 2, 2),
        ("AwbMode", "Daylight", AwbModeEnum.Daylight),
        ("AwbMode", 5, 5),
        ("NoiseReductionMode", "Fast", NoiseReductionModeEnum.Fast),
        ("ColourGains", [1.5, 2], (1.5, 2)),
        ("ScalerCrop", [0, 0, 100, 50], (0, 0, 100, 50)),
        ("AfWindows", [[0, 0, 100, 50]], ((0, 0, 100, 50),)),
        ("SomethingNew", 7, 7),
    ],
)
def test_controls_reach_the_camera_as_libcamera_takes_them(name: str, given: object, passed: object) -> None:
    """Lists of YAML are tuples, and an enumeration's member has a name."""
    assert passed_on({name: given})[name] == passed


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("AeEnable", 1, "true or false"),
        ("AnalogueGain", "much", "a number"),
        ("AnalogueGain", True, "a number"),
        ("ExposureTime", 10000.0, "a whole number"),
        ("ExposureTime", None, "a whole number"),
        ("ExposureTime", 2**31, "a whole number"),
        ("AwbMode", "Sunny", "one of Auto, Daylight (or its number)"),
        ("FrameDurationLimits", 33333, "a list of 2: a whole number each"),
        ("ColourGains", [1.5], "a list of 2: a number each"),
        ("ScalerCrop", [0, 0, 100], "[x, y, width, height]"),
        ("AfWindows", [0, 0, 100, 50], "a list of any length: [x, y, width, height] each"),
        ("FrameRate", 0, "frames per second, or a list of the least and the most"),
    ],
)
def test_a_control_of_the_wrong_kind_is_refused_before_the_camera_starts(
    name: str, given: object, expected: str
) -> None:
    """Libcamera finds it only while starting, and may crash afterwards."""
    with pytest.raises(SourceError) as raised:
        passed_on({name: given})
    assert f"controls: {name}: expected {expected}, got {given!r}" in str(raised.value)


def test_an_unknown_control_is_refused_with_those_that_there_are() -> None:
    """A typing error is mended by a look at the list."""
    with pytest.raises(SourceError) as raised:
        passed_on({"ExposureTme": 1000, "AeEnable": False})
    assert "picamera2:0: controls: this camera has no ExposureTme; it has AeEnable, " in str(raised.value)
    assert "ExposureTime" in str(raised.value)
