"""The user's Picamera2 controls, made ready for libcamera.

libcamera's binding refuses a value of the wrong kind only while the camera starts, and leaves it half
started, so that the process can crash later; a single number where a list belongs even passes. Both are
found here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import index
from typing import Any, SupportsIndex, TypeGuard

from edgecam.errors import SourceError

_MICROSECONDS = 1_000_000
_RATE = "FrameRate"
"""Picamera2's own name for FrameDurationLimits."""
_RATE_CONTROLS = frozenset({"FrameDurationLimits", _RATE})
_RATE_BOUNDS = 2
_ANY_LENGTH = 2**32


def controls_for(picam2: Any, wanted: Mapping[str, object], *, fps: float, shown: str) -> dict[str, Any]:
    """The controls as Picamera2 takes them, and the frame rate `fps` unless `wanted` sets it.

    Lists become tuples; an enumeration's member may be given by its name in libcamera (`AwbMode: Daylight`).

    Raises:
        SourceError: the opened camera has no such control (the text names those it has), or the value is of
            the wrong kind (the text says what is expected).
    """
    known = picam2.camera_ctrl_info
    offered = {*known, _RATE} if "FrameDurationLimits" in known else {*known}
    unknown = sorted(set(wanted) - offered)
    if unknown:
        raise SourceError(
            f"{shown}: controls: this camera has no {', '.join(unknown)}; it has {', '.join(sorted(offered))}"
        )
    controls = {}
    for name, given in wanted.items():
        value = _named(name, _tuples(given))
        expected = _rate_fault(value) if name == _RATE else _fault(value, known[name][0])
        if expected:
            raise SourceError(f"{shown}: controls: {name}: expected {expected}, got {given!r}")
        controls[name] = value
    if "FrameDurationLimits" in offered and not _RATE_CONTROLS & set(controls):
        duration_us = round(_MICROSECONDS / fps)
        controls["FrameDurationLimits"] = (duration_us, duration_us)
    return controls


def _tuples(value: object) -> object:
    """The value with tuples for lists, at any depth."""
    return tuple(_tuples(part) for part in value) if isinstance(value, list | tuple) else value


def _members(name: str) -> Mapping[str, Any]:
    """The members by name of the control's enumeration, if it has one."""
    from libcamera import controls

    enumeration = f"{name}Enum"
    kind = getattr(controls, enumeration, None) or getattr(controls.draft, enumeration, None)
    members: Mapping[str, Any] = getattr(kind, "__members__", {})
    return members


def _named(name: str, value: object) -> object:
    """The enumeration's member if `value` is its name, else the value."""
    return _members(name).get(value, value) if isinstance(value, str) else value


def _rate_fault(value: object) -> str:
    """What FrameRate expects, if `value` is not that; else nothing."""
    rates = value if isinstance(value, tuple) and len(value) == _RATE_BOUNDS else (value,)
    fits = all(_is_number(rate) and rate > 0 for rate in rates)
    return "" if fits else "frames per second, or a list of the least and the most"


def _fault(value: object, control: Any) -> str:
    """What `control` (a libcamera ControlId) expects, if `value` is not that; else nothing."""
    if control.type.name not in _KINDS:  # newer than this table: libcamera itself shall judge
        return ""
    words, fits = _KINDS[control.type.name]
    if not control.isArray:
        names = ", ".join(_members(control.name))
        return "" if fits(value) else f"one of {names} (or its number)" if names else words
    # An array of any length has the greatest size_t for its size.
    length = control.size if control.size < _ANY_LENGTH else None
    if isinstance(value, tuple) and length in (None, len(value)) and all(fits(part) for part in value):
        return ""
    return f"a list of {length or 'any length'}: {words} each"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    """Is it an int that fits in 32 bits, or the member of an enumeration?"""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return False
    return -(2**31) <= index(value) < 2**31


def _is_row(value: object, *, length: int) -> bool:
    return isinstance(value, tuple) and len(value) == length and all(_is_whole(part) for part in value)


_WHOLE = ("a whole number", _is_whole)
# By the name of libcamera's ControlType: what a value of it is, in words and as a test.
_KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "Bool": ("true or false", lambda value: isinstance(value, bool)),
    "Byte": _WHOLE,
    "Unsigned16": _WHOLE,
    "Unsigned32": _WHOLE,
    "Integer32": _WHOLE,
    "Integer64": _WHOLE,
    "Float": ("a number", _is_number),
    # Picamera2 makes these of tuples.
    "Rectangle": ("[x, y, width, height]", partial(_is_row, length=4)),
    "Size": ("[width, height]", partial(_is_row, length=2)),
}
