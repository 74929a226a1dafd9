"""A result's file is whole or as it was, whatever happens while it is written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from edgecam.errors import EdgecamError
from edgecam.measure.whole_file import whole_file, write_whole


def test_what_was_there_is_replaced_in_the_end(tmp_path: Path) -> None:
    """Until then a reader finds the old file; after that nothing else lies there."""
    path = tmp_path / "page.html"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path) -> None:
    """By the name that the user gave, also if it comes out only when the file is closed."""
    path = tmp_path / "page.html"
    path.write_bytes(b"old")
    (tmp_path / ".page.html.part").symlink_to("/dev/full")
    with pytest.raises(EdgecamError, match=r"page\.html: cannot be written \(No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_broken_off_leaves_the_old_file(tmp_path: Path) -> None:
    """Ctrl-C, a bug: nothing of the new one is seen."""
    path = tmp_path / "page.html"
    path.write_bytes(b"old")

    def break_off() -> None:
        with whole_file(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(EdgecamError, match=r"page\.html: cannot be written .*; name a file in a folder of"):
        write_whole(tmp_path / "gone" / "page.html", b"new")


def test_a_link_stays_one(tmp_path: Path) -> None:
    """Whoever publishes by a link finds the new file where it leads."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "page.html"
    link.symlink_to(tmp_path / "there" / "page.html")
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "there" / "page.html").read_bytes() == b"new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """As /dev/stdout and /dev/null are, which must not be replaced by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"new")
    reader.join()
    assert found == [b"new"]
    assert pipe.is_fifo()
