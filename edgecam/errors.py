"""What can go wrong, and the exit code that each failure owns.

::

    EdgecamError             1   any failure that has no better name
    ├── UsageError           2   the command line makes no sense
    ├── UnusableError       69   something this command needs cannot be used
    │   ├── SourceError          a camera or recording: absent, wrong kind, unreadable
    │   ├── ModelError           a model directory or file
    │   ├── EngineError          a runtime or delegate, or its refusal of a model
    │   │   └── LastingError     the same again, until somebody changes something
    │   └── BrokerError          a broker that this command cannot do without
    ├── WedgedError         75   hangs beyond repair in this process: start me again
    ├── ConfigError         78   the configuration, with all its problems
    └── (not failures of the program; the capture worker handles them)
        ├── CameraLost           a live source stopped or stalled: reopen it
        ├── UnreadableFrame      one picture could not be decoded: the next may be fine
        └── EndOfRecording       a recording has been played to its end

An exception that is none of these is a bug: exit 70. Ctrl-C ends with 130.
Each message says what happened, where, and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass

EXIT_OK = 0
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


class EdgecamError(Exception):
    """A failure that edgecam foresaw; its text is written for the user."""

    exit_code = 1


class UsageError(EdgecamError):
    """The command line makes no sense."""

    exit_code = 2


class UnusableError(EdgecamError):
    """A model, library or device needed by this command cannot be used."""

    exit_code = 69


class SourceError(UnusableError):
    """A camera or recording is absent, of the wrong kind, or unreadable."""


class ModelError(UnusableError):
    """A model directory or file is missing, damaged or not supported."""

    def __init__(self, text: str, problem: Problem | None = None) -> None:
        """Args: the message; where a configuration names the model, if one does, with the same words."""
        super().__init__(text)
        self.problems = [] if problem is None else [problem]


class EngineError(UnusableError):
    """A runtime or delegate is missing, or refuses the model."""


class LastingError(EngineError):
    """An engine cannot be had, and trying again is of no use until something was changed."""


class BrokerError(UnusableError):
    """A broker that this command cannot do without cannot be used."""


class WedgedError(EdgecamError):
    """An engine or camera hangs beyond repair in this process."""

    exit_code = 75


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a configuration."""

    where: str
    """`file:line:column`, or the origin of the value: `--set`, `EDGECAM_MQTT__URL`."""
    path: str
    """Dotted key, `cameras.main.fps`; empty for the file as a whole."""
    text: str
    """What was expected, what was found, what to do."""

    def __str__(self) -> str:
        """`where: path: text`, as it is shown."""
        return ": ".join(part for part in (self.where, self.path, self.text) if part)


class ConfigError(EdgecamError):
    """A configuration that cannot be used; carries every problem at once."""

    exit_code = 78

    def __init__(self, problems: list[Problem], *, reference: str = "docs/configuration.md") -> None:
        """Build the message: a line per problem.

        Args:
            problems: all of them.
            reference: where it stands what is right.
        """
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.reference = reference


class CameraLost(EdgecamError):
    """A live source stopped or stalled; reopening it may help."""


class UnreadableFrame(EdgecamError):
    """One picture could not be decoded; the next one may be fine."""


class EndOfRecording(EdgecamError):
    """A recording has been played to its end."""
