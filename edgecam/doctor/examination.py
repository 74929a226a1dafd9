"""Runs checks one after the other, each with a deadline; one that breaks down is a finding, too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from edgecam.doctor.finding import Area, Finding, Verdict


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at."""

    area: Area
    name: str
    look: Callable[[], Iterable[Finding]]
    deadline_s: float = 10.0
    """After so long it is left alone: a driver or disk may never answer."""


def examine(checks: Iterable[Check], *, began: Callable[[Check], None] = lambda _: None) -> Iterator[Finding]:
    """What the checks find, as they find it; `began` hears of each before it is made."""
    for check in checks:
        began(check)
        yield from _within_deadline(check)


def _within_deadline(check: Check) -> list[Finding]:
    findings: list[Finding] = []
    faults: list[BaseException] = []

    def look() -> None:
        try:
            findings.extend(check.look())
        except BaseException as fault:  # noqa: BLE001 - told below
            faults.append(fault)

    thread = threading.Thread(target=look, name=f"doctor-{check.name}", daemon=True)
    thread.start()
    thread.join(check.deadline_s)
    # A copy: the thread may still go on.
    seen = list(findings)
    if thread.is_alive():
        text = f"no answer within {check.deadline_s:g} s; what is looked at hangs"
        remedy = "unplug and plug in what it is about, or restart the machine"
        return [*seen, Finding(check.area, check.name, Verdict.ERROR, text, remedy)]
    if faults:
        text = f"this check broke down: {type(faults[0]).__name__}: {faults[0]}"
        return [*seen, Finding(check.area, check.name, Verdict.ERROR, text, "please report it")]
    return seen
