"""`edgecam history`, as a user calls it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edgecam.commands.history import history, parse_since
from edgecam.errors import UnusableError, UsageError
from edgecam.history.archive import Archive

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "history.schema.json").read_text(encoding="utf-8")
)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def kept(state: Path) -> list[dict[str, Any]]:
    """Two events of two cameras in a folder for states, the first with its picture, and a torn line."""
    archive = Archive(state / "history", max_bytes=10**6, keep_days=30)
    archive.open()
    events = [
        {
            "id": f"{number:032x}", "camera": camera, "event_type": "start", "label": "cat", "score": 0.9,
            "start": f"2026-01-3{number}T12:00:00.000Z", "end": None,
        }
        for number, camera in enumerate("ab")
    ]  # fmt: skip
    for event in events:
        archive.add_event(event, today=None)
    archive.add_picture(events[0], b"jpeg", today=None)
    with (state / "history" / "2026-01-31.jsonl").open("a") as file:
        file.write('{"id": "torn')
    return events


def test_json_is_what_its_schema_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Events with the paths of their pictures, and how much was left out."""
    events = kept(tmp_path)
    history(folder=tmp_path, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA)
    pictures = [event.pop("picture") for event in answer["events"]]
    assert answer["events"] == events
    assert Path(pictures[0]).read_bytes() == b"jpeg"
    assert (pictures[1], answer["unreadable"], answer["folder"]) == (None, 1, str(tmp_path / "history"))


def test_a_line_per_event_and_the_rest_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--camera` and `--since` choose; the folder is the one that systemd or the user has for states."""
    kept(tmp_path)
    environ = {"STATE_DIRECTORY": str(tmp_path)}
    history(environ=environ)
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert "cat" in shown.out
    assert ".jpg" in shown.out
    assert "1 unreadable" in shown.err
    history(camera="b", environ=environ)
    assert " b " in capsys.readouterr().out
    history(since="2026-01-31T00:00+00:00", environ=environ)
    assert len(capsys.readouterr().out.splitlines()) == 1
    history(since="2099-01-01", environ=environ)
    assert capsys.readouterr().out == ""


def test_where_nothing_is_kept_the_remedy_is_told(tmp_path: Path) -> None:
    """It is off by default, and the service has a folder of its own."""
    with pytest.raises(UnusableError, match=r"enabled: true.*--folder /var/lib/edgecam"):
        history(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", "2026-01-31T11:30:00+00:00"),
        ("2h", "2026-01-31T10:00:00+00:00"),
        ("7d", "2026-01-24T12:00:00+00:00"),
        ("2026-01-30T12:00+01:00", "2026-01-30T11:00:00+00:00"),
    ],
)
def test_since_is_a_span_or_a_moment(text: str, moment: str) -> None:
    """As people say it."""
    assert parse_since(text, now=NOW).isoformat() == moment


def test_a_date_is_of_local_time() -> None:
    """As the clock on the wall has it."""
    assert parse_since("2026-01-30", now=NOW) == datetime(2026, 1, 30).astimezone()


@pytest.mark.parametrize("text", ["", "2x", "h", "yesterday", "2026-13-01", "999999d", "-2h", "0001-01-01"])
def test_what_makes_no_sense_is_refused(text: str) -> None:
    """With what was expected."""
    with pytest.raises(UsageError, match="expected 30m, 2h or 7d"):
        parse_since(text, now=NOW)
