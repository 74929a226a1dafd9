"""`edgecam models add`: a file of one's own becomes a model that a configuration can name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from edgecam.commands.proving import prove
from edgecam.errors import UsageError
from edgecam.model.add import QUESTIONS, Told, add, unsaid
from edgecam.model.card import Channels, Fit, OutputKind
from edgecam.model.staging import check_name

_Kind = TypeVar("_Kind", bound=StrEnum)


def add_model(
    file: Path,
    told: Told,
    *,
    folder: Path,
    called: str | None = None,
    force: bool = False,
) -> None:
    """Make a model directory of a file in `folder`/models; on a terminal, ask what is not known.

    Args:
        file: a `.tflite` or `.onnx`.
        told: what the options say.
        folder: where the configuration lies.
        called: its name; None: the file's.
        force: replace a model of that name.

    Raises:
        UsageError: something is not known and nobody can be asked, or the name is taken.
        ModelError, EngineError: the file cannot be used, does not fit, or does not run.
    """
    questions = unsaid(file, told)
    if questions:
        if not _can_ask():
            wanted = "".join(f"\n  --{question}: {QUESTIONS[question]}" for question in questions)
            raise UsageError(f"{file}: does not say all that is needed; give{wanted}")
        told = _ask(told, questions)
    name = called or _name_of(file)
    print(add(file, folder / "models", told, name=name, force=force, prove=prove))


def _name_of(file: Path) -> str:
    try:
        return check_name(file.stem.replace(" ", "_"))
    except UsageError as error:
        raise UsageError(f"{error}; give one with --name") from error


def told_by(
    plain: Mapping[str, Any],
    *,
    fit: str | None,
    color: str | None,
    output: str | None,
    twins: Mapping[str, Path],
) -> Told:
    """What the options say.

    Args:
        plain: by the field of `Told`.
        fit: a value of `Fit`.
        color: of `Channels`.
        output: of `OutputKind`.
        twins: files by the delegate that runs them.

    Raises:
        UsageError: a value that is none.
    """
    return Told(
        **plain,
        fit=_choice("--fit", Fit, fit),
        color=_choice("--color", Channels, color),
        kind=_choice("--output", OutputKind, output),
        twins=twins,
    )


def _choice(option: str, kind: type[_Kind], text: str | None) -> _Kind | None:
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"{option}: expected one of {', '.join(kind)}, got {text!r}") from None


def _numbers(text: str, question: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"{question}: expected one number or three with commas between, got {text!r}"
        ) from None


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(told: Told, questions: tuple[str, ...]) -> Told:
    console = Console(stderr=True)
    answers: dict[str, Any] = {}
    for question in questions:
        answer = ""
        while not answer:
            answer = console.input(f"{QUESTIONS[question]}: ", markup=False).strip()
        if question in {"mean", "std"}:
            answers[question] = _numbers(answer, question)
        else:
            answers[question] = Path(answer) if question == "labels" else answer
    return replace(told, **answers)
