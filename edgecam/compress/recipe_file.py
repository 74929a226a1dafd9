"""The door to a recipe: a YAML file and flags → a checked `Recipe`, or every problem with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgecam.compress.picture_sets import above_sets, lies_among
from edgecam.compress.recipe import Kind, PruneStep, Recipe, Step
from edgecam.config.document import read_yaml
from edgecam.config.explain import faults_of
from edgecam.config.loader import error_of, read_text
from edgecam.config.overrides import apply_sets
from edgecam.config.tree import Fault, Tree
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
    """A step by itself, as options of a command ask for it.

    Args:
        kind: what it does.
        settings: by their key in a recipe; those that no option gave are left out.

    Raises:
        UsageError: a setting makes no sense; it is called as its option.
    """
    try:
        return Step.model_validate({kind: dict(settings)})
    except ValidationError as error:
        root = inlined(Step.model_json_schema(mode="validation"))
        faults = faults_of(error, Tree(data={kind: dict(settings)}), root=root)
        raise UsageError("; ".join(map(_by_option, faults))) from error


def _by_option(fault: Fault) -> str:
    """A fault of a single step in the words of who typed options."""
    match fault.path:
        case (_, str(key)):
            # An option that is left out is what null is in a recipe.
            return f"{option_of(key)}: {fault.text.replace(', or null', '')}"
        case _:
            # A rule for several keys names them.
            keys = "|".join(PruneStep.model_fields)
            return re.sub(rf"\b({keys})\b", lambda found: option_of(found[0]), fault.text)


def option_of(key: str) -> str:
    """What the command line calls a key of a step."""
    return f"--{key.removesuffix('_px').replace('_', '-')}"


def unlabelled_of(recipe: Recipe, folder: Path) -> dict[str, Path]:
    """The folder of pictures without labels of each step that has one, by its name.

    Args:
        recipe: which.
        folder: in which it lies.
    """
    return {
        name: folder / step.distil.unlabelled
        for name, step in recipe.steps.items()
        if step.distil is not None and step.distil.unlabelled is not None
    }


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
    faults += [
        Fault(tree.place_of(("out",)), ("out",), among)
        for pictures in (train, test, *unlabelled_of(recipe, folder).values())
        if (among := lies_among(place, pictures)) is not None
    ]
    faults += [
        Fault(tree.place_of(("pictures", part)), ("pictures", part), above)
        for part, pictures in (("train", train), ("test", test))
        if (above := above_sets(pictures, part)) is not None
    ]
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
