"""What `watch` writes: lines for people and pipes, JSON for programs, a table for a terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mosquitto import Mosquitto, free_port
from publish_samples import AT, event, later, result, starting, state, stats
from rich.console import Console

from edgecam.commands import watch as watch_module
from edgecam.commands.watch import watch
from edgecam.commands.watch_view import Board
from edgecam.errors import EdgecamError, UsageError
from edgecam.publish import messages
from edgecam.publish.drafts import EventDraft
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.received import parse_message
from edgecam.publish.topics import Topics, parse_topic
from edgecam.publish.wire import parse_broker
from edgecam.records import Reason, State
from edgecam.reports import MqttStats, Notice, NoticeKind, NoticeLevel

TOPICS = Topics("edgecam", "dev")
STATE = TOPICS.state("main")
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "watch.schema.json"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lines show the local time of day: let it be UTC here."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto with retained messages of one device, as a late subscriber finds them."""
    with Mosquitto(tmp_path) as broker:
        publish(
            broker,
            (TOPICS.availability, b"online"),
            (STATE, messages.encode(messages.state(state(), AT, replayed=False))),
        )
        yield broker


def publish(broker: Mosquitto, *retained: tuple[str, bytes]) -> None:
    """Put retained messages on the broker."""
    with MqttLink(parse_broker(broker.url), client_id="device") as link:
        while not link.connected:
            link.step(0.1)
        for topic, payload in retained:
            link.publish(topic, payload, qos=1, retain=True)
            while not link.step(1):
                pass


def board_of(*payloads: tuple[str, dict[str, Any] | bytes]) -> tuple[Board, list[str]]:
    """A board that has taken some messages, and the lines it gave."""
    board = Board("mqtt://box")
    lines = []
    for topic, payload in payloads:
        address = parse_topic(topic, base="edgecam")
        assert address is not None
        data = payload if isinstance(payload, bytes) else messages.encode(payload)
        lines.append(board.take(parse_message(topic, address, data, retained=False)))
    return board, [line for line in lines if line is not None]


def said(record: State, *, replayed: bool = False) -> dict[str, Any]:
    """A state's payload, 2 ms after AT."""
    return messages.state(record, later(2_000_000), replayed=replayed)


def test_there_is_a_line_for_each_change_of_a_state_and_for_nothing_else() -> None:
    """A heartbeat or a new frame of the same label is no news."""
    _, lines = board_of(
        (TOPICS.availability, b"online"),
        (TOPICS.availability, b"online"),
        (STATE, said(starting())),
        (STATE, said(state())),
        (STATE, said(state(seq=8, reason=Reason.HEARTBEAT))),
        (STATE, said(state("dog"), replayed=True)),
        (STATE, said(state(None, reason=Reason.LEFT))),
        (TOPICS.prediction("main"), messages.prediction(result(), AT)),
        (TOPICS.event("main"), EventDraft.of(event(), AT, event_id="x").render(AT, replayed=False)),
        (TOPICS.availability, b"offline"),
    )
    assert [line.partition(" ")[2] for line in (lines[0], lines[1], lines[-1])] == [
        "dev online",
        "main starting (starting)",
        "dev offline",
    ]
    assert lines[2:-1] == [
        "11:59:59 main cat 0.91 age 42 ms (entered)",
        "11:59:59 main dog 0.91 age 42 ms (entered, replayed)",
        "11:59:59 main - age 42 ms (left)",
    ]


STRANGE = st.none() | st.text() | st.integers() | st.floats() | st.lists(st.text(), max_size=2)


@given(st.dictionaries(st.sampled_from(sorted(said(state()))), STRANGE, max_size=4), st.text(max_size=8))
def test_whatever_a_stranger_says_can_be_shown_and_steers_no_terminal(
    changes: dict[str, Any], device: str
) -> None:
    """A state is refused, or shown as a line, as JSON and in the table, without control characters."""
    topic = f"edgecam/{device}/main/state"
    address = parse_topic(topic, base="edgecam")
    if address is None:
        return
    try:
        message = parse_message(topic, address, json.dumps(said(state()) | changes).encode(), retained=False)
    except ValueError:
        return
    board = Board("mqtt://box")
    line = board.take(message) or ""
    json.dumps(message.body, ensure_ascii=False).encode()
    console = Console(file=io.StringIO(), width=300, force_terminal=False)
    console.print(board.table(connected=True))
    assert line.isprintable()
    line.encode()


def test_invented_cameras_do_not_fill_the_memory() -> None:
    """The board has a bound, and goes on showing whom it knows."""
    board, _ = board_of(*((f"edgecam/dev/c{n}/state", said(state())) for n in range(1000)))
    assert len(board._rows) == 200


def test_cameras_of_several_devices_are_told_apart() -> None:
    """With one device its name is noise, with two it is needed."""
    _, lines = board_of((STATE, said(state())), (Topics("edgecam", "b").state("main"), said(state("dog"))))
    assert [line.split()[1] for line in lines] == ["main", "b/main"]


def test_notices_are_lines() -> None:
    """What an operator should know is shown, with its level."""
    notice = Notice(NoticeKind.CAMERA_LOST, NoticeLevel.WARNING, "no frames for 3 s")
    _, lines = board_of((TOPICS.notice, messages.notice(notice, AT)))
    assert lines == ["12:00:00 dev warning: no frames for 3 s"]


def test_the_table_shows_what_a_subscriber_received() -> None:
    """Label, score, age, rates, late, skips by cause, what the network said, who is there."""
    mqtt = MqttStats(connected=True, protocol="5", published=9, refused=0, dropped=2, outbox=1, lost=0)
    figures: Any = messages.stats(stats(), mqtt, AT)
    figures["cameras"]["main"]["skipped"]["superseded"] = 39
    board, _ = board_of(
        (TOPICS.availability, b"online"),
        (STATE, said(state())),
        (TOPICS.stats, figures),
        (TOPICS.event("main"), EventDraft.of(event(), AT, event_id="x").render(AT, replayed=False)),
    )
    console = Console(width=160)
    with console.capture() as capture:
        console.print(board.table(connected=True))
    shown = capture.get()
    for part in (
        "mqtt://box connected  dev online",
        "main",
        "cat",
        "0.91",
        "42",
        "30.0",
        "18.0",
        "superseded 39",
        "tabby 0.81, tiger cat 0.10",
        "cat 0.91 age 40 ms start (entered)",
    ):
        assert part in shown


def test_a_camera_that_cannot_be_believed_shows_its_status() -> None:
    """No label is shown for a camera that is not there."""
    board, _ = board_of((STATE, said(starting())))
    console = Console(width=160)
    with console.capture() as capture:
        console.print(board.table(connected=False))
    assert "starting" in capture.get()
    assert "no broker, trying" in capture.get()


def test_plain_lines_end_after_the_seconds(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there are lines, and the time ends it without an error."""
    watch(broker.url, seconds=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        "dev online",
        "main cat 0.91 age 40 ms (entered)",
    ]


def test_json_is_a_line_per_message(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    """Topic and payload, as they came; the shape is in docs/schemas."""
    watch(broker.url, seconds=1, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in lines:
        Draft202012Validator(json.loads(SCHEMA.read_text())).validate(line)
    assert lines == [
        {"topic": TOPICS.availability, "retained": True, "payload": "online"},
        {"topic": STATE, "retained": True, "payload": messages.state(state(), AT, replayed=False)},
    ]


def test_a_time_without_a_broker_is_a_failure() -> None:
    """Exit 1, naming the address and what to look at."""
    url = f"mqtt://127.0.0.1:{free_port()}"
    with pytest.raises(EdgecamError, match=f"no answer from {url} within 0.3 s") as caught:
        watch(url, seconds=0.3)
    assert caught.value.exit_code == 1


def test_without_a_broker_that_nobody_named_the_option_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broker of this machine was a guess: whoever has another one learns how to name it."""
    url = f"mqtt://127.0.0.1:{free_port()}"
    monkeypatch.setattr(watch_module, "_DEFAULT_URL", url)
    monkeypatch.setattr(watch_module, "_PATIENCE_S", 0.0)
    with pytest.raises(EdgecamError, match="; --url names a broker elsewhere"):
        watch(seconds=0.3)
    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith(f"no answer from {url} yet, trying on; ")
    assert "; --url names a broker elsewhere" in told


def test_a_wrong_url_is_a_usage_error() -> None:
    """Exit 2."""
    with pytest.raises(UsageError):
        watch("nonsense", seconds=1)


def test_a_missing_broker_is_told_once_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It keeps trying: a broker that comes later is found."""
    monkeypatch.setattr(watch_module, "_PATIENCE_S", 0.2)
    broker = Mosquitto(tmp_path)
    starter = threading.Timer(0.5, broker.start)
    starter.start()
    try:
        watch(broker.url, seconds=4)
    finally:
        starter.join()
        broker.stop()
    captured = capsys.readouterr()
    assert captured.err == f"no answer from {broker.url} yet, trying on; is the broker running there?\n"


def run_watch(broker: Mosquitto, arguments: str) -> subprocess.Popen[str]:
    """`watch` in a process of its own."""
    program = f"from edgecam.commands.watch import watch; watch({broker.url!r}, {arguments})"
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_reader_that_has_had_enough_is_no_error(broker: Mosquitto) -> None:
    """`edgecam watch --json | head -1` ends quietly."""
    with run_watch(broker, "as_json=True") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        publish(broker, (TOPICS.availability, b"offline"), (TOPICS.availability, b"online"))
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_a_terminal_gets_the_live_table(broker: Mosquitto) -> None:
    """The view that the demonstration shows, on a real pseudo-terminal."""
    ours, theirs = pty.openpty()
    program = f"from edgecam.commands.watch import watch; watch({broker.url!r}, seconds=1.5)"
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "150", "LINES": "40"}
    with subprocess.Popen([sys.executable, "-c", program], stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65536):
                shown += part
        assert process.wait(20) == 0
    os.close(ours)
    text = shown.decode()
    for wanted in ("network said", "cat", "0.91", "tabby 0.81", "online"):
        assert wanted in text
