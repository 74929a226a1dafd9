"""What comes in from strangers: read, or refused for a reason; nothing raises, nothing is echoed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edgecam.publish.commands import (
    MAX_COMMAND_BYTES,
    Call,
    Command,
    Refusal,
    Refused,
    Reply,
    Switch,
    filters,
    read_command,
    response,
)
from edgecam.publish.topics import Topics, matches
from edgecam.publish.wire import Received

TOPICS = Topics("home/edgecam", "box")
CAMERAS = ("main", "yard")
ALL = tuple(Command)
SWITCH = TOPICS.enabled_set("yard")
SNAPSHOT = TOPICS.command("snapshot")
USUAL = Reply(TOPICS.response("snapshot"))


def read(
    topic: str,
    payload: bytes = b"",
    *,
    cameras: tuple[str, ...] = CAMERAS,
    allowed: tuple[Command, ...] = ALL,
    response_topic: str | None = None,
    correlation: bytes | None = None,
) -> Switch | Call | Refused:
    """A command that happens now."""
    received = Received(
        topic, payload, retained=False, response_topic=response_topic, correlation=correlation
    )
    return read_command(received, TOPICS, cameras=cameras, allowed=allowed)


def reason(command: Switch | Call | Refused) -> Refusal:
    """Why it was refused."""
    assert isinstance(command, Refused), command
    return command.reason


@pytest.mark.parametrize(
    ("payload", "on"), [(b"ON", True), (b"OFF", False), (b"on", True), (b"Off", False), (b" off\n", False)]
)
def test_a_switch_takes_on_and_off_however_it_is_written(payload: bytes, *, on: bool) -> None:
    """As Home Assistant writes it, and as people type it."""
    assert read(SWITCH, payload) == Switch("yard", on)


@pytest.mark.parametrize("payload", [b"", b"1", b"true", b"ONN", b"\xff", "ÖN".encode(), b'{"state": "ON"}'])
def test_any_other_word_switches_nothing(payload: bytes) -> None:
    """A switch is not guessed at."""
    assert reason(read(SWITCH, payload)) is Refusal.MALFORMED


def test_a_snapshot_names_its_camera_unless_there_is_one_only() -> None:
    """Empty, or an object; keys of a later version are ignored."""
    assert read(SNAPSHOT, b'{"camera": "yard", "later": 1}') == Call(Command.SNAPSHOT, "yard", USUAL)
    assert read(SNAPSHOT, cameras=("main",)) == Call(Command.SNAPSHOT, "main", USUAL)
    assert reason(read(SNAPSHOT)) is Refusal.MALFORMED
    assert reason(read(SNAPSHOT, b'{"camera": ["main"]}')) is Refusal.MALFORMED
    assert reason(read(SNAPSHOT, b'{"camera": "attic"}')) is Refusal.UNKNOWN_CAMERA


@pytest.mark.parametrize(
    "payload", [b"[]", b"null", b"{", b"\xff", b'{"a": NaN}', b"[" * 4000, b'{"a": "\\ud800"}', b"1" * 4090]
)
def test_a_payload_that_is_no_json_object_is_refused_and_answered(payload: bytes) -> None:
    """The requester learns of it; JSON bombs and half characters are no more than malformed."""
    refused = read(SNAPSHOT, payload)
    assert reason(refused) is Refusal.MALFORMED
    assert isinstance(refused, Refused)
    assert refused.reply == USUAL


def test_retained_commands_are_refused_and_not_answered() -> None:
    """They would be followed at each connection, for ever."""
    for topic, payload in ((SWITCH, b"OFF"), (SNAPSHOT, b'{"camera": "main"}')):
        kept = Received(topic, payload, retained=True)
        refused = read_command(kept, TOPICS, cameras=CAMERAS, allowed=ALL)
        assert (reason(refused), isinstance(refused, Refused) and refused.reply) == (Refusal.RETAINED, None)
        assert not isinstance(
            read_command(replace(kept, retained=False), TOPICS, cameras=CAMERAS, allowed=ALL), Refused
        )


def test_a_command_of_more_than_4_kib_is_refused_unread() -> None:
    """The correlation data count, too: we would have to send them back."""
    padded = b'{"camera": "main"}'.ljust(MAX_COMMAND_BYTES)
    assert isinstance(read(SNAPSHOT, padded), Call)
    assert reason(read(SNAPSHOT, padded + b" ")) is Refusal.OVERSIZED
    assert reason(read(SNAPSHOT, padded, correlation=b"x")) is Refusal.OVERSIZED


@pytest.mark.parametrize("camera", ["attic", "", "+", "MAIN", "main/enabled"])
def test_a_switch_of_no_camera_is_refused(camera: str) -> None:
    """There is nothing that it could switch."""
    assert reason(read(TOPICS.enabled_set(camera), b"OFF")) in {Refusal.UNKNOWN_CAMERA, Refusal.UNLISTED}


def test_only_what_is_allowed_is_heard_and_followed() -> None:
    """What `mqtt.commands` does not list is not subscribed to, and refused should it come all the same."""
    assert list(filters(TOPICS, ())) == []
    heard = list(filters(TOPICS, (Command.ENABLED, Command.SNAPSHOT)))
    assert heard == ["home/edgecam/box/+/enabled/set", "home/edgecam/box/cmd/snapshot"]
    assert reason(read(SWITCH, b"OFF", allowed=(Command.SNAPSHOT,))) is Refusal.UNLISTED
    assert reason(read(SNAPSHOT, allowed=(Command.ENABLED,))) is Refusal.UNLISTED
    for topic in (TOPICS.command("shell"), TOPICS.command("enabled"), TOPICS.response("snapshot"), "x", ""):
        assert reason(read(topic)) is Refusal.UNLISTED


def test_an_answer_goes_where_the_requester_wants_it() -> None:
    """MQTT 5: response topic and correlation data; without them it goes to the usual place."""
    asked = read(SNAPSHOT, b'{"camera": "main"}', response_topic="clients/7/answers", correlation=b"\x00\xff")
    assert isinstance(asked, Call)
    assert asked.reply == Reply("clients/7/answers", b"\x00\xff")
    below = f"{USUAL.topic}/7"
    assert read(SNAPSHOT, b'{"camera": "main"}', response_topic=below) == Call(
        Command.SNAPSHOT, "main", Reply(below)
    )


@pytest.mark.parametrize(
    "topic",
    [
        "", "a/+", "#", "$SYS/x", "a\x00b", "a\nb", "x" * 513, TOPICS.state("main"),
        TOPICS.command("snapshot"), TOPICS.response("reload"), "home/edgecam/other/main/event",
        f"{USUAL.topic}/+", f"{USUAL.topic}2",
    ],
)  # fmt: skip
def test_no_answer_goes_where_it_could_do_harm(topic: str) -> None:
    """A stranger cannot let us speak in our own or another device's name, nor to the broker itself."""
    refused = read(SNAPSHOT, b'{"camera": "main"}', response_topic=topic)
    assert reason(refused) is Refusal.RESPONSE_TOPIC
    assert isinstance(refused, Refused)
    assert refused.reply is None


TOPIC_TEXTS = st.one_of(
    st.text(),
    st.sampled_from(["", "ON", "OFF", *CAMERAS, *Command]).map(TOPICS.command),
    st.text().map(TOPICS.enabled_set),
    st.sampled_from([SWITCH, SNAPSHOT, TOPICS.command("reload")]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(CAMERAS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("camera"), inner),
    max_leaves=10,
)
PAYLOADS = st.one_of(
    st.binary(max_size=5000),
    JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.sampled_from([b"ON", b"OFF", b"{}"]),
)


@given(
    topic=TOPIC_TEXTS,
    payload=PAYLOADS,
    retained=st.booleans(),
    response_topic=st.none() | TOPIC_TEXTS,
    correlation=st.none() | st.binary(max_size=100),
)
@example(
    topic=SNAPSHOT, payload=b'{"camera": "\\ud800"}', retained=False, response_topic="\ud800", correlation=b""
)
def test_whatever_comes_in_is_a_command_or_a_refusal(
    topic: str, payload: bytes, *, retained: bool, response_topic: str | None, correlation: bytes | None
) -> None:
    """No exception escapes; what is followed is of a camera that exists, and answered where it may be."""
    received = Received(topic, payload, retained, response_topic, correlation)
    command = read_command(received, TOPICS, cameras=CAMERAS, allowed=ALL)
    if isinstance(command, Refused):
        assert command.text.isprintable()
        reply = command.reply
    else:
        assert not retained
        assert command.camera in {*CAMERAS, None}
        reply = command.reply if isinstance(command, Call) else None
    if reply is not None:
        assert not {"+", "#", "\x00"} & set(reply.topic)
        assert not reply.topic.startswith("$")
        reply.topic.encode("utf-8")


def test_an_answer_keeps_its_schema() -> None:
    """The contract: docs/schemas/response.schema.json."""
    path = Path(__file__).parents[2] / "docs" / "schemas" / "response.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    for body in (
        response(ok=True, message="on its way", data={"camera": "main"}),
        response(ok=False, message="no", data={}),
    ):
        Draft202012Validator(schema).validate(json.loads(json.dumps(body)))


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True), ("a/b", "a/b/c", False), ("a/b/c", "a/b", False), ("a/+", "a/b", True),
        ("a/+", "a", False), ("a/+", "a/", True), ("a/#", "a", True), ("a/#", "a/b/c", True),
        ("#", "a/b", True), ("#", "$SYS/a", False), ("+/a", "$SYS/a", False), ("$SYS/#", "$SYS/a", True),
        ("a/+/c", "a/b/c", True), ("a/+/c", "a/b/d", False), ("a/+/c", "a/b", False),
    ],
)  # fmt: skip
def test_a_filter_means_what_the_standard_says(topic_filter: str, topic: str, *, expected: bool) -> None:
    """MQTT 5.0, section 4.7, with its own examples among them."""
    assert matches(topic_filter, topic) is expected
