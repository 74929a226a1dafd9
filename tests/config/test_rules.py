"""The rules of single values."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edgecam.config.rules import (
    TOPIC_WORDS,
    check_base,
    check_camera_id,
    check_control,
    check_roi,
)
from edgecam.config.schema import CameraConfig, Config


@pytest.mark.parametrize("base", ["edgecam", "home/porch 1", "a/b/c"])
def test_a_topic_prefix_may_have_levels(base: str) -> None:
    """What MQTT allows in a topic is allowed."""
    assert check_base(base) == base


@pytest.mark.parametrize("base", ["", "/a", "a/", "a//b", "a/+", "a#", "$SYS", "a\0", "a\n"])
def test_a_prefix_that_is_no_topic_is_refused(base: str) -> None:
    """Wildcards, empty levels, the broker's own $-topics, control characters."""
    with pytest.raises(ValueError, match="expected a topic prefix"):
        check_base(base)


@pytest.mark.parametrize("name", [*sorted(TOPIC_WORDS), "", "Main", "a b", "a/b", "ä", "a\n"])
def test_a_camera_id_is_a_topic_level_of_its_own(name: str) -> None:
    """It must not collide with edgecam's own topics, nor need escaping."""
    with pytest.raises(ValueError, match="expected"):
        check_camera_id(name)


@pytest.mark.parametrize("roi", [(0, 0, 1, 1), (0.1, 0.2, 0.9, 0.8), (0.7, 0.7, 0.3, 0.3)])
def test_a_region_inside_the_picture_is_accepted(roi: tuple[float, float, float, float]) -> None:
    """Rounding of x + width is no fault."""
    assert check_roi(roi) == roi


@pytest.mark.parametrize(
    "roi",
    [(-0.1, 0, 1, 1), (0, 0, 0, 1), (0.5, 0, 0.6, 1), (0, 0.5, 1, 0.6), (0, 0, 640, 480), (0, 0, 1, -1)],
)
def test_a_region_outside_the_picture_is_refused(roi: tuple[float, float, float, float]) -> None:
    """Pixels instead of fractions are the common mistake."""
    with pytest.raises(ValueError, match="as fractions inside the picture"):
        check_roi(roi)


@pytest.mark.parametrize("value", [True, 1, 0.5, "x", [1.5, 2], [[0, 0, 10, 10]]])
def test_a_control_takes_what_libcamera_takes(value: object) -> None:
    """Switches, numbers, enumerations, gains, windows."""
    assert check_control(value) == value


@pytest.mark.parametrize("value", [None, {}, {"a": 1}, [], [None], ["x"], [[["deep"]]]])
def test_other_controls_are_refused(value: object) -> None:
    """Picamera2 would fail on them much later, and without a line number."""
    with pytest.raises(ValueError, match="expected true, false, a number"):
        check_control(value)


def test_the_configuration_cannot_be_changed_after_loading() -> None:
    """Workers share it without a lock."""
    with pytest.raises(ValidationError, match="frozen"):
        Config().budget_ms = 5


def test_the_main_picture_is_not_smaller_than_the_analysed_one() -> None:
    """The small stream is made from what the large one shows; a camera would refuse it at the start."""
    base = {"source": "picamera2:0", "size": [640, 480]}
    assert CameraConfig.model_validate({**base, "main_size": [640, 480]}).main_size == (640, 480)
    for main_size in ([639, 1080], [1920, 479]):
        with pytest.raises(ValidationError, match=r"expected at least the value of size \(\[640, 480\]\)"):
            CameraConfig.model_validate({**base, "main_size": main_size})


@pytest.mark.parametrize(
    ("key", "value"), [("fps", "30"), ("fps", True), ("loop", 1), ("size", [640.0, 480]), ("rotate", "90")]
)
def test_types_are_not_guessed(key: str, value: object) -> None:
    """A quoted number is a mistake to be told, not a number."""
    with pytest.raises(ValidationError):
        CameraConfig.model_validate({"source": "pattern:", key: value})
