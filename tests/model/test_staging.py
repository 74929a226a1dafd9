"""Putting a model directory together: what an earlier try left is not in the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edgecam.errors import ModelError
from edgecam.model import replacement
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


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("at", range(1, 5))
def test_a_model_is_there_whenever_a_replacement_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, *, at_once: bool
) -> None:
    """Ctrl-C before any change of the folders leaves the old model or the new one, also in two steps."""
    place = tmp_path / "model"
    place.mkdir()
    (place / "card.yaml").write_text("old", encoding="utf-8")
    left = [at]

    def interrupted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **how: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return change(*arguments, **how)

        return changed

    exchange = replacement._exchange if at_once else lambda *_: False
    monkeypatch.setattr(Path, "rename", interrupted(Path.rename))
    monkeypatch.setattr(shutil, "rmtree", interrupted(shutil.rmtree))
    monkeypatch.setattr(replacement, "_exchange", interrupted(exchange))
    with suppress(KeyboardInterrupt), staged(tmp_path, "model") as folder:
        (folder / "card.yaml").write_text("new", encoding="utf-8")
        publish(folder, place)
    assert left[0] <= 0
    assert (place / "card.yaml").read_text("utf-8") in {"old", "new"}


def test_a_model_is_never_away_while_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut may come at any moment: the old one goes and the new one comes in one step."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    if not replacement._exchange(one, other):
        pytest.skip("this file system does not let two folders change places")
    with staged(tmp_path, "model") as folder:
        publish(folder, tmp_path / "model")
    rename = Path.rename

    def seen(path: Path, to: Path) -> Path:
        moved: Path = rename(path, to)
        assert (tmp_path / "model").is_dir()
        return moved

    monkeypatch.setattr(Path, "rename", seen)
    with staged(tmp_path, "model") as folder:
        publish(folder, tmp_path / "model")
