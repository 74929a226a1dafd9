"""What `doctor` shows to people: a line per finding, by area, the remedy below what is not well."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from edgecam.doctor.finding import Area, Finding, Verdict

_STYLES = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.ERROR: "bold red",
    Verdict.SKIPPED: "dim",
}
_VERDICT_CHARS = max(len(verdict) for verdict in Verdict)


_INDENT = 2
_TEXT_COLUMN = _INDENT + _VERDICT_CHARS + 1
_LEAST_TEXT_CHARS = 20


class Report:
    """Prints findings as they come."""

    def __init__(self, console: Console) -> None:
        """Args: where to."""
        self._console = console
        self._area: Area | None = None
        self._skipped: list[Finding] = []
        """Those with the same words, which are told in one line."""
        self._counts: Counter[Verdict] = Counter()

    def add(self, finding: Finding) -> None:
        """One more; those of an area come one after the other."""
        self._counts[finding.verdict] += 1
        alike = self._skipped and replace(finding, name="") == replace(self._skipped[0], name="")
        if not alike:
            self._flush()
        if finding.verdict is Verdict.SKIPPED:
            self._skipped.append(finding)
        else:
            self._print(finding)

    def end(self) -> None:
        """The sum, as the last line."""
        self._flush()
        errors, warnings = self._counts[Verdict.ERROR], self._counts[Verdict.WARNING]
        self._console.print()
        if not errors and not warnings:
            self._console.print(Text(f"all is well: {self._counts[Verdict.OK]} checks", "green"))
            return
        said = [_count(errors, "error"), _count(warnings, "warning"), f"{self._counts[Verdict.OK]} ok"]
        worst = Verdict.ERROR if errors else Verdict.WARNING
        self._console.print(Text(", ".join(filter(None, said)), _STYLES[worst]))

    def _flush(self) -> None:
        skipped, self._skipped = self._skipped, []
        if skipped:
            self._print(replace(skipped[0], name=", ".join(finding.name for finding in skipped)))

    def _print(self, finding: Finding) -> None:
        if finding.area is not self._area:
            if self._area is not None:
                self._console.print()
            self._area = finding.area
            self._console.print(Text(finding.area, "bold"))
        dim = "dim" if finding.verdict is Verdict.SKIPPED else ""
        head = Text.assemble(
            " " * _INDENT, (f"{finding.verdict:{_VERDICT_CHARS}} ", _STYLES[finding.verdict])
        )
        text = Text.assemble((f"{_clean(finding.name)}: ", "bold"), _clean(finding.found), style=dim)
        self._fold(head, text)
        if finding.remedy:
            head = Text(" " * _TEXT_COLUMN)
            self._fold(head, Text(f"remedy: {_clean(finding.remedy)}", "cyan"))

    def _fold(self, head: Text, text: Text) -> None:
        """Print it, folded where the terminal is narrow, each line of it below the first."""
        width = max(_LEAST_TEXT_CHARS, self._console.width - _TEXT_COLUMN)
        lines = text.wrap(self._console, width) if self._console.is_terminal else [text]
        for line in lines:
            self._console.print(head + line, soft_wrap=True)
            head = Text(" " * _TEXT_COLUMN)


def _clean(text: str) -> str:
    """Without what would steer a terminal: a device or broker may have said it."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number > 1 else ''}" if number else ""
