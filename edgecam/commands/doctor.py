"""`edgecam doctor`: what may be wrong, and what to do."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from edgecam import __version__
from edgecam.commands.consoles import result_console
from edgecam.commands.doctor_view import Report
from edgecam.doctor.configuration import absolute_config, load
from edgecam.doctor.examination import Check, examine
from edgecam.doctor.finding import Finding, Verdict, exit_code
from edgecam.doctor.rounds import all_checks
from edgecam.doctor.subject import Subject


def doctor(
    path: Path | None, *, sets: Sequence[str] = (), opens_cameras: bool = True, as_json: bool = False
) -> int:
    """Look at everything that users trip over, and print what was found, each fault with its remedy.

    Args:
        path: the configuration; None: as `load_config` finds it.
        sets: `key=value` texts of `--set`.
        opens_cameras: take a first frame of each.
        as_json: print docs/schemas/doctor.schema.json instead.

    Returns:
        78 for a wrong configuration, 69 for something that cannot be used, 1 for other errors, 0 with
        warnings alone.

    Raises:
        UsageError: one of `sets` is not `key=value`.
    """
    # What the doors would log, the findings say.
    logging.getLogger("edgecam").addHandler(logging.NullHandler())
    # As a whole, so that whoever reads on knows which file it is.
    path = absolute_config(path, environ=os.environ)
    loaded, faults = load(path, sets=sets, environ=os.environ)
    subject = Subject(os.environ, loaded, opens_cameras, refused=path)
    secrets = subject.secrets()
    console = result_console()
    found = _with_progress(
        all_checks(subject, faults), console if console.is_terminal else Console(stderr=True)
    )
    findings = (finding.without(secrets) for finding in found)
    if as_json:
        known = list(findings)
        print(json.dumps(_answer(known, subject), indent=2, ensure_ascii=False))
    else:
        known = []
        report = Report(console)
        for finding in findings:
            known.append(finding)
            report.add(finding)
        report.end()
    return exit_code(known)


def _with_progress(checks: Iterable[Check], console: Console) -> Iterator[Finding]:
    """The findings; meanwhile the console says what is looked at, if it is a terminal."""
    if not console.is_terminal:
        yield from examine(checks)
        return
    with console.status("") as status:
        yield from examine(checks, began=lambda check: status.update(escape(f"{check.area}: {check.name}")))


def _answer(findings: Sequence[Finding], subject: Subject) -> dict[str, Any]:
    counts = Counter(finding.verdict for finding in findings)
    worst = next((v for v in (Verdict.ERROR, Verdict.WARNING) if counts[v]), Verdict.OK)
    path = subject.loaded.path if subject.loaded else None
    return {
        "schema": 1,
        "version": __version__,
        "device": subject.device,
        "config": None if path is None else str(path),
        "verdict": worst,
        "exit_code": exit_code(findings),
        "counts": {verdict: counts[verdict] for verdict in Verdict},
        "findings": [
            {
                "area": finding.area,
                "name": finding.name,
                "verdict": finding.verdict,
                "found": finding.found,
                "remedy": finding.remedy or None,
            }
            for finding in findings
        ],
    }
