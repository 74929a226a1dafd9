"""The door to a recipe: a YAML file and flags → a checked `Recipe`, or every problem with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgecam.compress.recipe import Kind, Recipe, Step
from edgecam.config.document import read_yaml
from edgecam.config.explain import faults_of
from edgecam.config.loader import error_of, read_text
from edgecam.config.overrides import apply_sets
from edgecam.config.tree import Fault, Tree, dotted
from edgecam.config.words import Schema, inlined
from edgecam.errors import ConfigError, UsageError


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A recipe, and where its pictures and results lie."""

    recipe: Recipe
    folder: Path
    """In which it lies: what relative paths in it refer to."""
    train: Path
    test: Path
    out: Path


@cache
def recipe_schema() -> Schema:
    """The JSON Schema of a recipe, without references."""
    return inlined(Recipe.model_json_schema(mode="validation"))


def load_recipe(path: Path, *, sets: Sequence[str] = (), out: Path | None = None) -> LoadedRecipe:
    """Read a recipe.

    Args:
        path: the file; relative paths in it refer to its folder.
        sets: `key=value` texts of `--set`.
        out: stands above the recipe's own `out`; relative to the working directory.

    Raises:
        ConfigError: every problem found, as `file:line:column: key: what`.
        UsageError: one of `sets` is not `key=value`.
    """
    try:
        return _loaded(path, sets, out)
    except ConfigError as error:
        raise ConfigError(error.problems, reference="docs/compress.md") from error


def single_step(kind: Kind, settings: Mapping[str, Any]) -> Step:
    """A step by itself, of settings by their key in a recipe.

    Raises:
        UsageError: a setting makes no sense.
    """
    try:
        return Step.model_validate({kind: dict(settings)})
    except ValidationError as error:
        root = inlined(Step.model_json_schema(mode="validation"))
        faults = faults_of(error, Tree(data={kind: dict(settings)}), root=root)
        raise UsageError("; ".join(f"{dotted(fault.path)}: {fault.text}" for fault in faults)) from error


def _loaded(path: Path, sets: Sequence[str], out: Path | None) -> LoadedRecipe:
    text = read_text(path, remedy="name a recipe, such as recipes/compress_cifar10.yaml")
    tree = read_yaml(text, name=str(path))
    if not tree.data and tree.faults:
        raise error_of(tree.faults)
    apply_sets(tree, sets)
    recipe = _checked(tree)
    folder = path.absolute().parent
    train, test = (folder / _at_home(said) for said in (recipe.pictures.train, recipe.pictures.test))
    place = folder / _at_home(recipe.out) if out is None else out.absolute()
    faults = [
        Fault(tree.place_of(keys), keys, f"there is no {place}; name a folder of class folders, or a CSV")
        for keys, place in ((("pictures", "train"), train), (("pictures", "test"), test))
        if not place.exists()
    ]
    for pictures in (train, test):
        if place.resolve().is_relative_to(pictures.resolve()):
            text = f"{place} lies among the pictures in {pictures}, and would be taken for some; name another"
            faults.append(Fault(tree.place_of(("out",)), ("out",), text))
    if faults:
        raise error_of(faults)
    return LoadedRecipe(recipe, folder, train, test, place)


def _at_home(said: str) -> Path:
    """With `~` written out, if anybody is called so."""
    try:
        return Path(said).expanduser()
    except RuntimeError:
        return Path(said)


def _checked(tree: Tree) -> Recipe:
    faults = list(tree.faults)
    try:
        recipe = Recipe.model_validate(tree.data)
    except ValidationError as error:
        faults += faults_of(error, tree, root=recipe_schema())
    if faults:
        raise error_of(faults)
    return recipe
