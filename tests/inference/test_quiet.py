"""Only a native library's chatter is kept off stderr, and only while it loads."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import pytest

from edgecam.inference.quiet import chatter_caught, stderr_caught


def test_chatter_goes_to_the_debug_log_and_the_rest_to_stderr(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error line of the library, or another thread's message, is never swallowed."""
    with caplog.at_level(logging.DEBUG), chatter_caught():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(2, b"ERROR: something broke\nI0000 00:00:17 x.cc:1] hello\nhalf a line")
    assert capfd.readouterr().err == "ERROR: something broke\nhalf a line"
    assert "Created TensorFlow Lite XNNPACK delegate" in caplog.text
    assert "x.cc:1" in caplog.text
    assert "something broke" not in caplog.text


def test_stderr_is_given_back_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """A refused model must not leave the program mute, and what was said before the failure is kept."""

    def fail() -> None:
        with chatter_caught():
            os.write(2, b"before\n")
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_a_closed_stderr_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may run without one."""

    def refuse(descriptor: int) -> int:
        raise OSError(9, "Bad file descriptor", str(descriptor))

    monkeypatch.setattr(os, "dup", refuse)
    ran = False
    with chatter_caught():
        ran = True
    assert ran


def test_it_needs_no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model opens also where every folder for temporary files is full or read-only."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError), tempfile.TemporaryFile():
        pass
    with stderr_caught() as caught:
        os.write(2, b"INFO: loading\n")
    assert caught.text == "INFO: loading\n"


def test_words_that_stderr_does_not_take_are_no_failure() -> None:
    """A log on a full disk, or a pipe that nobody reads: then no model is refused for what others say."""
    kept = os.dup(2)
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - its descriptor alone is wanted
        os.dup2(full.fileno(), 2)
    ran = False
    try:
        with chatter_caught():
            os.write(2, b"12:00:01 WARNING camera lost camera=main\n")
            ran = True
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert ran
