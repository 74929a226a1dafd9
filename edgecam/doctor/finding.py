"""The words of the doctor: what was looked at, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from edgecam.errors import ConfigError, EdgecamError, UnusableError

_HIDDEN = "***"


class Verdict(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    """edgecam runs; something is worse than it could be, or soon will be."""
    ERROR = "error"
    """Something that is wanted does not work."""
    SKIPPED = "skipped"
    """Not looked at, not there, or not told by this machine."""


class Area(StrEnum):
    """What a check is about, in the order in which it is told."""

    CONFIGURATION = "configuration"
    CAMERAS = "cameras"
    RUNTIME = "runtime"
    ACCELERATORS = "accelerators"
    MODELS = "models"
    BROKER = "broker"
    BOARD = "board"
    STORAGE = "storage"
    SERVICE = "service"


_UNUSABLE = frozenset({Area.CAMERAS, Area.RUNTIME, Area.ACCELERATORS, Area.MODELS, Area.BROKER})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    area: Area
    name: str
    """What was looked at: a camera's or model's name, `disk`, `login`."""
    verdict: Verdict
    found: str
    remedy: str = ""
    """What to do; empty where nothing is to be done."""

    def without(self, secrets: Iterable[str]) -> Finding:
        """The same with each of these texts hidden."""
        found, remedy = self.found, self.remedy
        for secret in sorted(secrets, key=len, reverse=True):
            found, remedy = found.replace(secret, _HIDDEN), remedy.replace(secret, _HIDDEN)
        return replace(self, found=found, remedy=remedy)


def told(area: Area, name: str, text: str, verdict: Verdict = Verdict.ERROR) -> Finding:
    """A finding from one of edgecam's own messages: what happened, `; `, what to do."""
    found, _, remedy = text.partition("; ")
    return Finding(area, name, verdict, found, remedy)


def exit_code(findings: Iterable[Finding]) -> int:
    """78 for a wrong configuration, 69 for what cannot be used, 1 for other errors; 0 with warnings, too."""
    areas = {finding.area for finding in findings if finding.verdict is Verdict.ERROR}
    if Area.CONFIGURATION in areas:
        return ConfigError.exit_code
    if areas & _UNUSABLE:
        return UnusableError.exit_code
    return EdgecamError.exit_code if areas else 0
