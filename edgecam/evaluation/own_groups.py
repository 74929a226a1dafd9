"""The groups that a configuration adds to a model's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgecam.config.loader import LoadedConfig
from edgecam.errors import ConfigError, ModelError, Problem
from edgecam.model.model import Model
from edgecam.model.store import find_model


def with_own_groups(model: Model, place: Path, loaded: LoadedConfig) -> Model | None:
    """The model with the configuration's groups beside its own, over which they win.

    Args:
        model: of the place.
        place: the model directory or bare file, by which the configuration names it.
        loaded: the configuration.

    Returns:
        None: the configuration does not name that model.

    Raises:
        ConfigError: a group has a label that the model has not.
    """
    names = [name for name in loaded.config.models if _place_of(name, loaded) == place.resolve()]
    if not names:
        return None
    problems = [problem for name in names for problem in _unknown_labels(model, name, loaded)]
    if problems:
        raise ConfigError(problems)
    groups = dict(model.groups)
    for name in names:
        for group, members in loaded.config.models[name].groups.items():
            groups[group] = tuple(index for index, label in enumerate(model.labels) if label in members)
    return replace(model, groups=groups)


def _place_of(name: str, loaded: LoadedConfig) -> Path | None:
    try:
        return find_model(loaded.config.models[name].path, folder=loaded.folder).resolve()
    except ModelError:
        # It is another one's fault, and not looked at.
        return None


def _unknown_labels(model: Model, name: str, loaded: LoadedConfig) -> Iterator[Problem]:
    for group, members in loaded.config.models[name].groups.items():
        for label in members:
            if label not in model.labels:
                near = difflib.get_close_matches(label, model.labels, n=1)
                hint = f'; did you mean "{near[0]}"?' if near else ""
                text = f'the model has no label "{label}"{hint}'
                yield loaded.problem(("models", name, "groups", group), text)
