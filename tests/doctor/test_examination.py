"""Checks neither end the doctor nor hold it up, and its exit code says what is wrong."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecam.doctor.examination import Check, examine
from edgecam.doctor.finding import Area, Finding, Verdict, exit_code, told
from edgecam.doctor.probing import probe

FINE = Finding(Area.BOARD, "power", Verdict.OK, "fine")


def test_a_check_that_breaks_down_is_a_finding_and_the_others_go_on() -> None:
    """What it had found before is kept."""

    def broken() -> Iterator[Finding]:
        yield FINE
        raise ZeroDivisionError("by zero")

    checks = [Check(Area.BOARD, "bad", broken), Check(Area.BOARD, "good", lambda: [FINE])]
    first, second, third = examine(checks)
    assert (first, third) == (FINE, FINE)
    assert second.verdict is Verdict.ERROR
    assert "ZeroDivisionError: by zero" in second.found


def test_a_check_that_hangs_is_left_alone() -> None:
    """A driver may never answer."""
    release = threading.Event()

    def hang() -> Iterator[Finding]:
        release.wait()
        yield FINE

    checks = [
        Check(Area.CAMERAS, "main", hang, deadline_s=0.05),
        Check(Area.BOARD, "good", lambda: [FINE]),
    ]
    hung, good = examine(checks)
    release.set()
    assert (hung.verdict, good) == (Verdict.ERROR, FINE)
    assert "hangs" in hung.found


@pytest.mark.parametrize(
    ("areas", "code"),
    [
        ([], 0),
        ([Area.STORAGE], 1),
        ([Area.STORAGE, Area.CAMERAS], 69),
        ([Area.BROKER], 69),
        ([Area.MODELS, Area.CONFIGURATION], 78),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_kind(areas: list[Area], code: int) -> None:
    """78 before 69 before 1; warnings are none."""
    warning = Finding(Area.CAMERAS, "x", Verdict.WARNING, "so so")
    errors = [Finding(area, "x", Verdict.ERROR, "broken") for area in areas]
    assert exit_code([warning, FINE, *errors]) == code


def test_secrets_are_hidden_in_both_parts_the_longer_one_first() -> None:
    """Of a login and its password, no half is left over."""
    finding = Finding(Area.BROKER, "x", Verdict.ERROR, "me:pass failed", "do not write pass")
    hidden = finding.without({"pass", "me:pass"})
    assert (hidden.found, hidden.remedy) == ("*** failed", "do not write ***")


def test_a_message_is_taken_apart_into_fault_and_remedy() -> None:
    """As all of edgecam's messages are written."""
    finding = told(Area.MODELS, "x", "it is gone; fetch it; or not")
    assert (finding.found, finding.remedy) == ("it is gone", "fetch it; or not")


def test_a_probe_that_takes_too_long_is_ended() -> None:
    """And said to have had no answer."""
    answer = probe("camera", {"source": "pattern:", "open": True}, deadline_s=0.001)
    assert "no answer" in answer.fault
    assert not answer.crashed


def test_a_probe_that_raises_says_so_in_words() -> None:
    """Whatever a library raises is an answer, and no crash."""
    answer = probe("runtime", {"module": "no_such_module"}, deadline_s=60)
    assert "no_such_module" in answer.fault
    assert not answer.crashed


def test_a_probe_needs_no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A full disk is what the doctor is asked about: no check may break down of it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    assert probe("runtime", {"module": "json"}, deadline_s=60).values["name"] == "json"
