"""The contract read backwards: from a topic and its payload to a typed message. Pure.

Each message keeps its whole `body`: keys that this version does not know are there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, TypeAdapter, ValidationError

from edgecam.publish.topics import Address, CameraTopic, DeviceTopic
from edgecam.records import Score

# Far above the largest payload of the contract, far below what would hurt.
MAX_PAYLOAD_BYTES = 262_144
# Any time zone can be applied to these years without leaving what `datetime` can hold.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


def _check_moment(moment: datetime) -> datetime:
    if moment.tzinfo is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"expected a moment with a time zone from {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment


Moment = Annotated[datetime, AfterValidator(_check_moment)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What all messages have."""

    topic: str
    device: str
    retained: bool
    """It was waiting at the broker when we came, it did not happen now."""
    body: Mapping[str, object] = field(repr=False)
    """The whole payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityMessage(Message):
    """A device came or went."""

    online: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoMessage(Message):
    """What runs on a device."""

    ts: Moment
    ts_synced: bool
    versions: Mapping[str, object]
    models: Mapping[str, object]
    cameras: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeMessage(Message):
    """What an operator should know."""

    ts: Moment
    ts_synced: bool
    kind: str
    level: str
    """`info`, `warning`, `error`."""
    message: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles in milliseconds; None when nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """One camera's part of the stats."""

    captured: int
    results: int
    late: int
    skipped: Mapping[str, int]
    """By cause."""
    fps_in: float
    fps_out: float
    age_ms: Spread
    stages_ms: Mapping[str, Spread]
    engines: Mapping[str, int] = field(default_factory=dict)
    """Results by the engine that ran them; empty from devices that do not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsMessage(Message):
    """How well a device does."""

    ts: Moment
    ts_synced: bool
    uptime_s: float
    cameras: Mapping[str, CameraFigures]
    mqtt: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMessage(Message):
    """What all messages of a camera have."""

    camera: str
    ts: Moment | None
    """Capture time; None before the first result."""
    ts_synced: bool
    seq: int | None
    age_ms: int | None
    """When it was handed over by the device."""
    age_basis: str | None
    late: bool
    top: tuple[Score, ...]
    """What the network said, best first."""
    model: str | None
    engine: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionMessage(CameraMessage):
    """What the network said of one frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMessage(CameraMessage):
    """What a camera shows now."""

    status: str
    """`starting`, `ok`, `no_camera`, `disabled`, `error`."""
    replayed: bool
    label: str | None
    score: float | None
    since: Moment | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMessage(StateMessage):
    """One end of an episode; drop a repeat by its `id`."""

    id: str
    episode: str
    event_type: str
    """`start`, `end`."""
    start: Moment
    end: Moment | None
    peak_score: float
    delayed_s: float


_ADAPTERS: Mapping[DeviceTopic | CameraTopic, TypeAdapter[Message]] = {
    DeviceTopic.INFO: TypeAdapter(InfoMessage),
    DeviceTopic.NOTICE: TypeAdapter(NoticeMessage),
    DeviceTopic.STATS: TypeAdapter(StatsMessage),
    CameraTopic.STATE: TypeAdapter(StateMessage),
    CameraTopic.EVENT: TypeAdapter(EventMessage),
    CameraTopic.PREDICTION: TypeAdapter(PredictionMessage),
}
_AVAILABILITY = {b"online": True, b"offline": False}


def parse_message(topic: str, address: Address, payload: bytes, *, retained: bool) -> Message:
    """A typed message; raises ValueError that says what is wrong with the payload."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"{len(payload)} bytes are too many")
    origin: dict[str, Any] = {"topic": topic, "device": address.device, "retained": retained}
    if address.name is DeviceTopic.AVAILABILITY:
        if payload not in _AVAILABILITY:
            raise ValueError("expected online or offline")
        return AvailabilityMessage(**origin, body={}, online=_AVAILABILITY[payload])
    body = read_object(payload)
    if address.camera is not None:
        origin["camera"] = address.camera
    try:
        return _ADAPTERS[address.name].validate_python(body | origin | {"body": body})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}") from None


def read_object(payload: bytes) -> dict[str, Any]:
    """A JSON object whose texts can be written again; Python alone takes NaN, 1e999, half characters."""
    try:
        body = json.loads(payload.decode("utf-8"), parse_constant=_refuse_constant)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON in UTF-8: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004 - a faulty payload, as the others
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
