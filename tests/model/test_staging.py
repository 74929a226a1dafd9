"""Putting a model directory together: what an earlier try left is not in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.errors import ModelError
from edgecam.model.staging import locked, publish, staged


def test_what_an_ended_try_left_is_gone_with_its_folders(tmp_path: Path) -> None:
    """A process that was killed may leave files, and folders of files."""
    left = tmp_path / ".incoming" / "model"
    (left / "network").mkdir(parents=True)
    (left / "network" / "weights").write_text("old", encoding="utf-8")
    (left / "card.yaml").write_text("old", encoding="utf-8")

    with staged(tmp_path, "model") as folder:
        assert list(folder.iterdir()) == []
        (folder / "network").mkdir()
        (folder / "network" / "weights").write_text("new", encoding="utf-8")
        publish(folder, tmp_path / "model")

    assert (tmp_path / "model" / "network" / "weights").read_text("utf-8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_two_are_not_at_work_in_one_folder(tmp_path: Path) -> None:
    """The second is told so, and the first goes on."""
    with (
        locked(tmp_path),
        pytest.raises(ModelError, match="another edgecam is at work in it"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass
