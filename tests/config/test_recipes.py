"""The recipes, as somebody would copy them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgecam.compress.recipe_file import load_recipe
from edgecam.config.loader import load_config
from edgecam.pipeline.assembly import assemble

RECIPES = Path(__file__).parents[2] / "recipes"
EVERY = sorted(path.name for path in RECIPES.glob("*.yaml"))
NAMES = [name for name in EVERY if not name.startswith("compress_")]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_accepted_as_it_stands(name: str, tmp_path: Path) -> None:
    """Each key is one of today's, and the shipped model has every label and group that is watched."""
    shutil.copy(RECIPES / name, tmp_path / "config.yaml")
    (tmp_path / "mqtt-password").write_text("secret", encoding="utf-8")
    loaded = load_config(tmp_path / "config.yaml", environ={})
    watched = {camera: set(config.watch) for camera, config in loaded.config.cameras.items()}
    assert watched
    assert all(watched.values())
    assert {camera.camera for camera in assemble(loaded).cameras} == set(watched)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in NAMES])
def test_a_recipe_for_models_is_accepted_as_it_stands(name: str, tmp_path: Path) -> None:
    """Each key is one of today's, and each step stands on one above it."""
    shutil.copy(RECIPES / name, tmp_path / name)
    pictures = [f"pictures.{part}={tmp_path / part}" for part in ("train", "test")]
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
    assert len(load_recipe(tmp_path / name, sets=pictures).recipe.steps) > 1


def test_the_readme_names_every_recipe() -> None:
    """What is not in the table is not found."""
    table = (RECIPES / "README.md").read_text(encoding="utf-8")
    assert len(NAMES) == 3
    assert all(f"[{name}]({name})" in table for name in EVERY)
