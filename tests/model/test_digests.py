"""Is a file the one that was meant? Told without reading what need not be read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from edgecam.errors import ModelError
from edgecam.model import digests
from edgecam.model.digests import MOST_BYTES, check_file, digest_of

CONTENT = b"a model"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small one."""
    path = tmp_path / "model.tflite"
    path.write_bytes(CONTENT)
    return path


def test_a_hole_is_refused_for_its_size_and_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no room on the disk and minutes to hash, in which no camera would be served."""
    os.truncate(file, MOST_BYTES + 1)
    monkeypatch.setattr(digests, "hashlib", None)
    with pytest.raises(ModelError, match="is larger than 1000000000 bytes"):
        digest_of(file)


def test_a_file_of_another_length_is_refused_by_that(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that was cut short need not be hashed to be another file."""
    monkeypatch.setattr(digests, "hashlib", None)
    with pytest.raises(ModelError, match=r"net: is not the file.*expected 8 bytes, got 7;"):
        check_file(file, shown="net", sha256=DIGEST, length=8)


def test_length_and_hash_have_to_be_right(file: Path) -> None:
    """Either alone would let another file pass; what is not known is not asked for."""
    check_file(file, shown="net")
    check_file(file, shown="net", sha256=DIGEST[:16], length=7)
    assert digest_of(file) == DIGEST
    with pytest.raises(ModelError, match=rf"expected sha256 0000.*got {DIGEST[:12]}"):
        check_file(file, shown="net", sha256="0" * 64, length=7)


@pytest.mark.parametrize("length", [None, 7])
def test_no_pipe_is_waited_for(tmp_path: Path, length: int | None) -> None:
    """Whatever its length is said to be."""
    pipe = tmp_path / "model.tflite"
    os.mkfifo(pipe)
    with pytest.raises(ModelError, match="it is no file"):
        check_file(pipe, shown="net", sha256=DIGEST, length=length)
