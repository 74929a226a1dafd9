"""Lines that come again and again."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from edgecam.appliance.repeats import RepeatCounter


class Bench:
    """A logger that writes to memory, with a clock set by hand."""

    def __init__(self) -> None:
        """At 0 s."""
        self.now_s = 0.0
        self.stream = io.StringIO()
        self.handler = RepeatCounter(self.stream, read_s=lambda: self.now_s)
        self.log = logging.Logger("edgecam.x")  # noqa: LOG001 - one that pytest does not listen to
        self.log.addHandler(self.handler)

    @property
    def lines(self) -> list[str]:
        """What was written."""
        return self.stream.getvalue().splitlines()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Closed at the end."""
    made = Bench()
    yield made
    made.handler.close()


def test_a_line_in_a_loop_is_written_three_times_and_then_counted(bench: Bench) -> None:
    """The journal of a card is not filled by one fault; how often it came is told when the minute is over."""
    for _ in range(100):
        bench.log.warning("camera lost camera=%s", "door")
    assert bench.lines == ["camera lost camera=door"] * 3
    bench.now_s = 60.0
    bench.log.info("something else")
    assert bench.lines[3:] == ["repeated times=97 line='camera lost camera=door'", "something else"]


def test_each_minute_begins_anew(bench: Bench) -> None:
    """A fault that lasts is heard of for as long as it lasts."""
    for minute in range(3):
        bench.now_s = minute * 60.0
        for _ in range(5):
            bench.log.warning("x")
    assert bench.lines.count("x") == 9
    assert bench.lines.count("repeated times=2 line='x'") == 2


def test_lines_that_differ_in_a_value_or_level_are_not_repeats(bench: Bench) -> None:
    """Another camera is other news; so is the same as an error."""
    for camera in range(10):
        bench.log.warning("camera lost camera=%d", camera)
    for _ in range(3):
        bench.log.error("camera lost camera=%d", 0)
    assert len(bench.lines) == 13


def test_the_end_tells_what_was_only_counted(bench: Bench) -> None:
    """A stop within the minute, or another log setting, swallows nothing."""
    for _ in range(4):
        bench.log.warning("x")
    bench.handler.close()
    bench.handler.close()
    assert bench.lines == ["x", "x", "x", "repeated times=1 line='x'"]


def test_the_memory_of_lines_has_a_bound(bench: Bench) -> None:
    """A value that is never the same twice does not make it grow; what is forgotten early is told."""
    for _ in range(5):
        bench.log.warning("old")
    for number in range(2000):
        bench.log.warning("new=%d", number)
    assert len(bench.handler._said) <= 500
    assert bench.lines.count("repeated times=2 line='old'") == 1


def test_a_message_without_its_values_does_not_stop_the_log(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug in a log call is told on stderr, as `logging` does, and ends nothing."""
    bench.log.warning("a=%d", "text")
    bench.log.warning("next")
    assert bench.lines == ["next"]
    assert "Logging error" in capsys.readouterr().err
