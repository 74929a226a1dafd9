"""Ctrl-C is not lost in a library."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from edgecam.compress.interruption import interruption_kept


def test_what_a_library_took_for_its_own_failure_is_told_at_the_end() -> None:
    """It catches everything, and goes on."""
    done: list[str] = []

    def convert() -> None:
        with suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        done.append("the rest")

    with pytest.raises(KeyboardInterrupt), interruption_kept():
        convert()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_a_library_made_another_failure_of_is_an_interruption() -> None:
    """Else it would be told that the network cannot be converted."""

    def convert() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as error:
            raise RuntimeError("no strategy is left") from error

    with pytest.raises(KeyboardInterrupt), interruption_kept():
        convert()


def test_where_nothing_came_nothing_is_changed() -> None:
    """A program that hears Ctrl-C in its own way goes on doing so."""
    with interruption_kept():
        pass
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with interruption_kept():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]
