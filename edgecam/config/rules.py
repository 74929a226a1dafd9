"""The rules of single values that a type alone cannot say; each raises ValueError with what was expected.

The messages never repeat a value that may hold a password.
"""

from __future__ import annotations

import re
from typing import Any

from edgecam.broker_url import parse_broker_url
from edgecam.config.hours import parse_window

ID_PATTERN = r"^[a-z0-9_-]+$"

# A camera's id is a topic level beside these words.
TOPIC_WORDS = frozenset(
    {"availability", "cmd", "enabled", "event", "homeassistant", "info"}
    | {"notice", "prediction", "snapshot", "state", "stats"}
)

# Half-open: rounding of x + width may pass 1 by this much.
_ROI_SLACK = 1e-9


def check_broker(url: str) -> str:
    """The URL itself, if `parse_broker_url` accepts it."""
    parse_broker_url(url, embedded=True)
    return url


def check_camera_id(name: str) -> str:
    """The id itself, if it may stand as a topic level beside edgecam's own words."""
    if not re.fullmatch(ID_PATTERN, name):
        raise ValueError("expected an id of a-z, 0-9, _ and -")
    if name in TOPIC_WORDS:
        raise ValueError(f'expected another id: "{name}" is a word of the MQTT topics')
    return name


def check_base(base: str) -> str:
    """The topic prefix itself, if a client may publish below it (MQTT 5.0, section 4.7)."""
    if not base or base.startswith("$") or not all(base.split("/")) or re.search(r"[+#\x00-\x1f]", base):
        raise ValueError(
            "expected a topic prefix such as edgecam or home/edgecam"
            f' (no + or #, no empty level, no $ in front), got "{base}"'
        )
    return base


def check_roi(roi: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The region itself, if it lies inside the picture."""
    x, y, width, height = roi
    inside = min(x, y) >= 0 and max(x + width, y + height) <= 1 + _ROI_SLACK
    if not inside or width <= 0 or height <= 0:
        raise ValueError(
            f"expected [x, y, width, height] as fractions inside the picture (0 to 1), got {list(roi)}"
        )
    return roi


def check_rungs(names: list[str]) -> list[str]:
    """The ladder itself, if no model stands on it twice."""
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise ValueError(f'expected each model once, got "{twice[0]}" again')
    return names


def check_window(text: str) -> str:
    """The text itself, if it is a window of a schedule."""
    parse_window(text)
    return text


def check_control(value: Any) -> Any:
    """The value itself, if libcamera could take it: true/false, number, text, or lists of numbers."""
    items = value if isinstance(value, list) else [value]
    flat = [number for item in items for number in (item if isinstance(item, list) else [item])]
    kinds = (bool, int, float) if isinstance(value, list) else (bool, int, float, str)
    if not flat or not all(isinstance(item, kinds) for item in flat):
        raise ValueError("expected true, false, a number, a text or a list of numbers")
    return value
