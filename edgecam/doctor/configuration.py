"""Does the configuration hold, with all that it names?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgecam.config.certificates import read_tls
from edgecam.config.loader import LoadedConfig, load_config
from edgecam.config.password import read_password
from edgecam.doctor.finding import Area, Finding, Verdict, told
from edgecam.errors import ConfigError, ModelError, Problem
from edgecam.pipeline.assembly import assemble

_REMEDY = "correct it there; docs/configuration.md has every key"
DEADLINE_S = 30.0
"""Models are read and hashed, from a slow card perhaps."""


def load(
    path: Path | None, *, sets: Sequence[str], environ: Mapping[str, str]
) -> tuple[LoadedConfig | None, list[Finding]]:
    """The configuration, or None and what is wrong with it.

    Raises:
        UsageError: one of `sets` is not `key=value`.
    """
    try:
        return load_config(path, sets=sets, environ=environ), []
    except ConfigError as error:
        return None, [_wrong(problem) for problem in error.problems]


def look(loaded: LoadedConfig, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look up what the configuration names: files of secrets and certificates, labels and groups."""
    problems = list(_faults(loaded, environ))
    yield from map(_wrong, problems)
    if problems:
        return
    name = str(loaded.path or "defaults")
    if loaded.path is None:
        found = "no file was found, so the defaults hold"
        remedy = "write one with edgecam init, or name it with --config"
        yield Finding(Area.CONFIGURATION, name, Verdict.WARNING, found, remedy)
        return
    cameras = len(loaded.config.cameras)
    found = f"no problems, {cameras} camera{'s' if cameras > 1 else ''}"
    yield Finding(Area.CONFIGURATION, name, Verdict.OK, found)


def _faults(loaded: LoadedConfig, environ: Mapping[str, str]) -> Iterator[Problem]:
    mqtt = loaded.config.mqtt
    try:
        read_password(mqtt, loaded.folder, environ)
    except ConfigError as error:
        yield from error.problems
    try:
        read_tls(mqtt, loaded.folder)
    except ConfigError as error:
        yield from error.problems
    try:
        assemble(loaded)
    except ConfigError as error:
        yield from error.problems
    except ModelError:
        # Told where the models are looked at.
        return


def _wrong(problem: Problem) -> Finding:
    text = f"{problem.path}: {problem.text}" if problem.path else problem.text
    finding = told(Area.CONFIGURATION, problem.where or "configuration", text)
    return finding if finding.remedy else replace(finding, remedy=_REMEDY)
