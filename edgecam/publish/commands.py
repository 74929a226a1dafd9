"""What others may tell this device to do, read from the wire. Pure; nothing that comes in raises.

The switch of a camera, `<camera>/enabled/set`, takes `ON` or `OFF`. A verb, `cmd/<verb>`, takes a JSON object
or nothing, and is answered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from edgecam.publish.messages import SCHEMA, Payload
from edgecam.publish.received import read_object
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Received

MAX_COMMAND_BYTES = 4096
"""Of the payload and the correlation data together."""

_SWITCH = {"ON": True, "OFF": False}
# Characters of a response topic; MQTT allows 65535 bytes.
_MAX_TOPIC = 512


class Command(StrEnum):
    """What can be allowed in `mqtt.commands`."""

    ENABLED = "enabled"
    """The switch of a camera."""
    RELOAD = "reload"
    SNAPSHOT = "snapshot"


class Refusal(StrEnum):
    """Why a command is not followed."""

    RETAINED = "retained"
    """It is as old as the broker's memory."""
    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    UNKNOWN_CAMERA = "unknown_camera"
    UNLISTED = "unlisted"
    """Not in `mqtt.commands`, or no command at all."""
    RESPONSE_TOPIC = "response_topic"
    """The answer is wanted where none may go."""
    RATE = "rate"
    """Too many in too short a time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Where an answer goes."""

    topic: str
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """Let a camera work, or not."""

    camera: str
    on: bool


@dataclass(frozen=True, slots=True)
class Call:
    """Do something once, and answer."""

    verb: Command
    camera: str | None
    """None: it is of no camera."""
    reply: Reply


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that is not followed."""

    reason: Refusal
    text: str
    """For people; nothing of what was sent is repeated."""
    reply: Reply | None = None
    """None: it is not answered."""


class _RefusedError(Exception):
    def __init__(self, reason: Refusal, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def filters(topics: Topics, allowed: Collection[Command]) -> Iterator[str]:
    """The topic filters to subscribe to: only what is allowed is heard."""
    for command in allowed:
        yield topics.enabled_set("+") if command is Command.ENABLED else topics.command(command)


def read_command(
    received: Received, topics: Topics, *, cameras: Collection[str], allowed: Collection[Command]
) -> Switch | Call | Refused:
    """What a message wants, or why it is refused; never raises.

    Args:
        received: the message.
        topics: our own.
        cameras: those that there are.
        allowed: the commands that are followed.
    """
    try:
        _check_envelope(received)
        return _read(received, topics, cameras, allowed)
    except _RefusedError as refused:
        return Refused(refused.reason, str(refused))


def response(*, ok: bool, message: str, data: Mapping[str, str | None]) -> Payload:
    """The payload of an answer."""
    return {"schema": SCHEMA, "ok": ok, "message": message, "data": dict(data)}


def _check_envelope(received: Received) -> None:
    if received.retained:
        raise _RefusedError(Refusal.RETAINED, "a retained command may be of any age; publish it not retained")
    if len(received.payload) + len(received.correlation or b"") > MAX_COMMAND_BYTES:
        raise _RefusedError(Refusal.OVERSIZED, f"expected at most {MAX_COMMAND_BYTES} bytes")


def _read(
    received: Received, topics: Topics, cameras: Collection[str], allowed: Collection[Command]
) -> Switch | Call | Refused:
    match received.topic.removeprefix(f"{topics.base}/{topics.device}/").split("/"):
        case [camera, Command.ENABLED, "set"] if Command.ENABLED in allowed:
            return _read_switch(camera, received.payload, cameras)
        case ["cmd", word] if word in set(allowed) - {Command.ENABLED}:
            return _read_call(Command(word), received, topics, cameras)
        case _:
            raise _RefusedError(Refusal.UNLISTED, "not among the commands that mqtt.commands allows")


def _read_call(verb: Command, received: Received, topics: Topics, cameras: Collection[str]) -> Call | Refused:
    reply = Reply(_response_topic(received, topics, verb), received.correlation)
    try:
        arguments = _arguments(received.payload)
        camera = _camera_of(arguments, cameras) if verb is Command.SNAPSHOT else None
    except _RefusedError as refused:
        return Refused(refused.reason, str(refused), reply)
    return Call(verb, camera, reply)


def _read_switch(camera: str, payload: bytes, cameras: Collection[str]) -> Switch:
    _check_camera(camera, cameras)
    on = _SWITCH.get(payload.decode("ascii", "replace").strip().upper())
    if on is None:
        raise _RefusedError(Refusal.MALFORMED, "expected ON or OFF")
    return Switch(camera, on)


def _response_topic(received: Received, topics: Topics, verb: Command) -> str:
    """Where the answer goes: wherever the requester wants it, but never where it could be taken for ours."""
    usual = topics.response(verb)
    wanted = usual if received.response_topic is None else received.response_topic
    is_usual = wanted == usual or wanted.startswith(f"{usual}/")
    if not is_usual and wanted.startswith((f"{topics.base}/", "$")):
        text = f"expected a response topic at {usual}, or one outside {topics.base}/ and $"
        raise _RefusedError(Refusal.RESPONSE_TOPIC, text)
    if not wanted.isprintable() or set("+#") & set(wanted) or not 0 < len(wanted) <= _MAX_TOPIC:
        text = f"expected a response topic without wildcards, of at most {_MAX_TOPIC} characters"
        raise _RefusedError(Refusal.RESPONSE_TOPIC, text)
    return wanted


def _arguments(payload: bytes) -> Mapping[str, object]:
    if not payload.strip():
        return {}
    try:
        return read_object(payload)
    except ValueError:
        raise _RefusedError(Refusal.MALFORMED, "expected a JSON object in UTF-8, or nothing") from None


def _camera_of(arguments: Mapping[str, object], cameras: Collection[str]) -> str:
    """The camera that is meant: with a single one it need not be named."""
    camera = arguments.get("camera", next(iter(cameras)) if len(cameras) == 1 else None)
    if not isinstance(camera, str):
        raise _RefusedError(Refusal.MALFORMED, f'expected {{"camera": ID}}, one of {", ".join(cameras)}')
    _check_camera(camera, cameras)
    return camera


def _check_camera(camera: str, cameras: Collection[str]) -> None:
    if camera not in cameras:
        raise _RefusedError(Refusal.UNKNOWN_CAMERA, f"expected a camera out of {', '.join(cameras)}")
