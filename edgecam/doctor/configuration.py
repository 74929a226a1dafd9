"""Which configuration is it, and does it hold, with all that it names?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgecam.config.certificates import read_tls
from edgecam.config.last_good import last_good_path
from edgecam.config.loader import LoadedConfig, find_config, load_config
from edgecam.config.password import read_password
from edgecam.config.service_file import not_of_service
from edgecam.config.state_folder import state_folder
from edgecam.doctor.finding import Area, Finding, Verdict, told
from edgecam.doctor.processes import running_edgecams
from edgecam.doctor.subject import Subject
from edgecam.errors import ConfigError, ModelError, Problem
from edgecam.pipeline.assembly import assemble

_REMEDY = "correct it there; docs/configuration.md has every key"
DEADLINE_S = 30.0
"""Models are read and hashed, from a slow card perhaps."""


def absolute_config(path: Path | None, *, environ: Mapping[str, str]) -> Path | None:
    """The file that `load_config` reads, from the root on, so that nobody takes it for another one."""
    found = find_config(path, environ=environ)
    return None if found is None else found.absolute()


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


def look(subject: Subject, faults: Sequence[Finding]) -> Iterator[Finding]:
    """Look up what the configuration names: files of secrets and certificates, labels and groups.

    Args:
        subject: what is examined.
        faults: what is wrong with the configuration; empty if it could be loaded.
    """
    loaded = subject.loaded
    found = faults or ([] if loaded is None else [_wrong(p) for p in _faults(loaded, subject.environ)])
    yield from found
    if found:
        yield from _last_good(subject)
    elif loaded is not None:
        yield _sound(loaded)
    text, _, remedy = not_of_service(subject.path, "doctor", subject.root).partition("; for that: ")
    if text:
        yield Finding(Area.CONFIGURATION, _name(subject.path), Verdict.WARNING, text, f"for that: {remedy}")


def _sound(loaded: LoadedConfig) -> Finding:
    if loaded.path is None:
        found = f"no file was found in {loaded.folder} or /etc/edgecam, so the defaults hold"
        remedy = "write one with edgecam init, or name it with --config"
        return Finding(Area.CONFIGURATION, _name(None), Verdict.WARNING, found, remedy)
    cameras = len(loaded.config.cameras)
    found = f"no problems, {cameras} camera{'s' if cameras > 1 else ''}"
    return Finding(Area.CONFIGURATION, _name(loaded.path), Verdict.OK, found)


def _name(path: Path | None) -> str:
    return "defaults" if path is None else str(path)


def _last_good(subject: Subject) -> Iterator[Finding]:
    """What a service that runs goes by, if its file is refused."""
    path = subject.path
    if path is None or subject.service_environ is subject.environ or not running_edgecams(subject.root):
        return
    kept = last_good_path(path, state_folder(subject.service_environ))
    try:
        is_the_same = kept.read_bytes() == path.read_bytes()
    except OSError:
        return
    if not is_the_same:
        text = f"till the file is right, the service goes by the last one that ran, kept in {kept}"
        remedy = "correct the file, then sudo systemctl reload edgecam"
        yield Finding(Area.CONFIGURATION, "last good", Verdict.WARNING, text, remedy)


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
