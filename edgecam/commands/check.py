"""`edgecam check`: does the configuration hold, and where does each value come from?"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecam.config.certificates import read_tls
from edgecam.config.loader import LoadedConfig, find_config, leaves, load_config
from edgecam.config.password import read_password
from edgecam.config.service_file import not_of_service
from edgecam.config.source import hide_credentials, parse_source
from edgecam.config.tree import dotted
from edgecam.errors import ConfigError, ModelError, Problem
from edgecam.model.store import find_model
from edgecam.pipeline.assembly import Plan, assemble
from edgecam.pipeline.delegation import vain_wishes


def check(path: Path | None, *, sets: Sequence[str] = (), as_json: bool = False) -> None:
    """Print every value with its origin; credentials in URLs are shown as `***`.

    Also looks whether the broker's password can be read, the models can be used, and the labels exist; what
    can be used and comes to nothing is a warning.

    Args:
        path: the file; None: as `load_config` finds it.
        sets: `key=value` texts of `--set`.
        as_json: print `docs/schemas/check.schema.json` instead, also when there are problems.

    Raises:
        ConfigError: every problem found.
        ModelError: a model is there and cannot be used.
        UsageError: one of `sets` is not `key=value`.
    """
    path = find_config(path, environ=os.environ)
    try:
        loaded, warnings = verified(path, sets=sets, environ=os.environ)
    except (ConfigError, ModelError) as error:
        if as_json:
            _print_json(None, problems=error.problems)
        else:
            # The fault counts more than these words, where stderr takes none.
            with contextlib.suppress(OSError):
                _say(path, "")
        raise
    if as_json:
        _print_json(loaded, warnings=warnings)
        return
    _print_values(loaded)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _say(path, "no problems")


def _say(path: Path | None, verdict: str) -> None:
    """Which file is meant, and whether the service goes by another one; on stderr."""
    file = "no file, the defaults" if path is None else str(path.absolute())
    # A problem names the file as it was given.
    if verdict or path is None or not path.is_absolute():
        print(f"{file}: {verdict}".rstrip(), file=sys.stderr)
    if remark := not_of_service(path, "check"):
        print(remark, file=sys.stderr)


def verified(
    path: Path | None, *, sets: Sequence[str] = (), environ: Mapping[str, str]
) -> tuple[LoadedConfig, Sequence[Problem]]:
    """The configuration, once all that it names was looked up: files, models, labels and groups.

    Beside it what `run` puts up with, and the user may not have meant.

    Args:
        path: the file; None: as `load_config` finds it.
        sets: `key=value` texts of `--set`.
        environ: the environment variables.

    Raises:
        ConfigError: every problem found.
        ModelError: a model is there and cannot be used.
        UsageError: one of `sets` is not `key=value`.
    """
    loaded = load_config(path, sets=sets, environ=environ)
    problems = [*_faults_of_broker(loaded, environ), *_missing_files(loaded)]
    if problems:
        raise ConfigError(problems)
    return loaded, list(_vain_wishes(loaded, assemble(loaded)))


def _vain_wishes(loaded: LoadedConfig, plan: Plan) -> Iterator[Problem]:
    for name, model in plan.models.items():
        for key, text in vain_wishes(loaded.config.models[name], model):
            yield loaded.problem(("models", name, key), text)


def _faults_of_broker(loaded: LoadedConfig, environ: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the files of password and certificates, at the places that name them."""
    mqtt, folder = loaded.config.mqtt, loaded.folder
    for read in (lambda: read_password(mqtt, folder, environ), lambda: read_tls(mqtt, folder)):
        try:
            read()
        except ConfigError as error:
            yield from loaded.placed(error).problems


def _missing_files(loaded: LoadedConfig) -> Iterator[Problem]:
    """Models and recordings that are not there."""
    for name, model in loaded.config.models.items():
        try:
            find_model(model.path, folder=loaded.folder)
        except ModelError as error:
            yield loaded.problem(("models", name, "path"), str(error))
    for name, camera in loaded.config.cameras.items():
        source = parse_source(camera.source)
        if not source.live and not _exists(loaded.folder / source.target):
            text = f"there is no {loaded.folder / source.target}; check the path"
            yield loaded.problem(("cameras", name, "source"), text)


def _exists(path: Path) -> bool:
    """False also where we may not look, and for a name that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _print_values(loaded: LoadedConfig) -> None:
    rows = [
        (dotted(keys), json.dumps(value, ensure_ascii=False), loaded.origins[dotted(keys)])
        for keys, value in leaves(_masked(loaded.config.model_dump(mode="json")))
    ]
    key_width = max(len(key) for key, _, _ in rows)
    value_width = max(len(value) for _, value, _ in rows)
    for key, value, origin in rows:
        print(f"{key:{key_width}}  {value:{value_width}}  {origin}")


def _print_json(
    loaded: LoadedConfig | None, *, problems: Sequence[Problem] = (), warnings: Sequence[Problem] = ()
) -> None:
    answer = {
        "config": None if loaded is None else _masked(loaded.config.model_dump(mode="json")),
        "origins": {} if loaded is None else dict(loaded.origins),
        "problems": [_problem_json(problem) for problem in problems],
        "warnings": [_problem_json(warning) for warning in warnings],
    }
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def _problem_json(problem: Problem) -> dict[str, str]:
    return {"where": problem.where, "path": problem.path, "text": problem.text}


def _masked(value: Any) -> Any:
    """The same without the credentials that a camera's URL may hold."""
    if isinstance(value, dict):
        return {key: _masked(part) for key, part in value.items()}
    return hide_credentials(value) if isinstance(value, str) else value
