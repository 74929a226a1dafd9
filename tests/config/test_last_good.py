"""What is kept for a start with a bad file, and when a watched file counts as changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecam.config.file_watch import FileWatch
from edgecam.config.last_good import keep_last_good, kept_since, last_good_path
from edgecam.config.loader import load_config


def test_a_text_is_kept_for_us_alone_and_not_written_twice(tmp_path: Path) -> None:
    """Mode 0600, no file besides, and no write, which wears out cards, when nothing has changed."""
    path = last_good_path(tmp_path / "config.yaml", tmp_path / "state")
    assert keep_last_good(path, "budget_ms: 100\n")
    before = path.stat()
    assert not keep_last_good(path, "budget_ms: 100\n")
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino
    assert before.st_mode & 0o777 == 0o600
    assert keep_last_good(path, "budget_ms: 200\n")
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "budget_ms: 200\n"


def test_a_leftover_of_a_crash_is_in_nobodys_way(tmp_path: Path) -> None:
    """A power cut between writing and renaming must not end the keeping for good."""
    path = last_good_path(tmp_path / "config.yaml", tmp_path)
    path.with_suffix(".new").write_text("half")
    assert keep_last_good(path, "{}\n")
    assert path.read_text() == "{}\n"


def test_two_configurations_do_not_take_each_others_place(tmp_path: Path) -> None:
    """By the file's own path: one user may run several from one folder for states."""
    assert last_good_path(tmp_path / "a.yaml", tmp_path) != last_good_path(tmp_path / "b.yaml", tmp_path)


def test_a_stand_in_is_read_as_if_it_stood_in_the_files_place(tmp_path: Path) -> None:
    """Relative paths refer to the folder of the file itself; so the same text means the same."""
    (tmp_path / "state").mkdir()
    stand_in = tmp_path / "state" / "kept.yaml"
    stand_in.write_text("budget_ms: 123\n")
    loaded = load_config(tmp_path / "config.yaml", environ={}, stand_in=stand_in)
    assert (loaded.folder, loaded.config.budget_ms) == (tmp_path, 123)
    assert (loaded.text, loaded.path) == ("budget_ms: 123\n", tmp_path / "config.yaml")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_change_counts_once_and_only_when_it_is_written_to_the_end(tmp_path: Path, replaced: bool) -> None:  # noqa: FBT001
    """Two looks must see the same: a half-written file is not read; nor is one that is missing."""
    path = tmp_path / "config.yaml"
    path.write_text("a")
    watch = FileWatch(path)
    assert not watch.has_changed(1.0)
    assert not watch.has_changed(2.0)
    if replaced:
        (tmp_path / "new").write_text("b")
        (tmp_path / "new").replace(path)
    else:
        path.write_text("ab")
    assert not watch.has_changed(3.0)
    path.write_text("abc")
    os.utime(path, ns=(7, 7))
    assert not watch.has_changed(4.0)
    assert not watch.has_changed(4.5)
    assert watch.has_changed(5.0)
    assert not watch.has_changed(6.0)
    path.unlink()
    assert not watch.has_changed(7.0)
    assert not watch.has_changed(8.0)


def test_what_is_about_to_be_read_is_no_news(tmp_path: Path) -> None:
    """A reload by signal is not followed by another one of the same file."""
    path = tmp_path / "config.yaml"
    path.write_text("a")
    watch = FileWatch(path)
    path.write_text("ab")
    watch.forget()
    assert [watch.has_changed(s) for s in (1.0, 2.0, 3.0)] == [False] * 3


def test_it_is_told_when_a_text_was_kept(tmp_path: Path) -> None:
    """People recognise by it which of their changes runs; one that is gone is no failure."""
    path = tmp_path / "kept.yaml"
    assert kept_since(path) == "unknown"
    keep_last_good(path, "{}\n")
    os.utime(path, (86_400, 86_400))
    assert kept_since(path) == "1970-01-02 00:00:00+00:00"
