"""What the last door makes of failures that no command foresaw."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

import edgecam.cli
from edgecam.__main__ import main


def leave(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> int:
    """The exit code of a program that does this."""

    def app(*, standalone_mode: bool) -> None:
        assert not standalone_mode
        work()

    monkeypatch.setattr(edgecam.cli, "app", app)
    monkeypatch.setattr(sys, "argv", ["edgecam", "run"])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def stumble() -> None:
    """Wait for a thread that was never started."""
    threading.Thread(target=stumble).join()


def fail_and_stumble() -> None:
    """The thread cannot be started: no machine has room for its stack."""
    before_bytes = threading.stack_size(2**62)
    try:
        threading.Thread(target=stumble).start()
    finally:
        threading.stack_size(before_bytes)
        stumble()


def test_a_lack_of_threads_is_told_with_what_to_change_and_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever set the limit can lift it; nobody has to report it. systemd starts again after a 1."""
    assert leave(monkeypatch, fail_and_stumble) == 1
    said = capsys.readouterr().err
    assert said.startswith("no thread can be started: ")
    assert "TasksMax" in said
    assert "bug" not in said


def test_whatever_else_was_not_foreseen_is_a_bug_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same stumble without that cause."""
    assert leave(monkeypatch, stumble) == 70
    said = capsys.readouterr().err
    assert "RuntimeError: cannot join thread before it is started" in said
    assert "this is a bug in edgecam" in said
