"""What edgecam tells of itself: the words behind `notice`, `stats` and `info`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from edgecam.records import SkipCause, Status


class NoticeKind(StrEnum):
    """What a `notice` tells."""

    CAMERA_LOST = "camera_lost"
    CAMERA_BACK = "camera_back"
    ENGINE_FAILED = "engine_failed"
    ENGINE_FALLBACK = "engine_fallback"
    ENGINE_BACK = "engine_back"
    LADDER_STEP = "ladder_step"
    CONFIG_REFUSED = "config_refused"
    CONFIG_APPLIED = "config_applied"
    OUTBOX_LOSS = "outbox_loss"
    OUTBOX_DEGRADED = "outbox_degraded"
    OUTBOX_RESTORED = "outbox_restored"
    HISTORY_DEGRADED = "history_degraded"
    HISTORY_RESTORED = "history_restored"
    METRICS_FAILED = "metrics_failed"
    METRICS_BACK = "metrics_back"
    PUBLISH_REFUSED = "publish_refused"
    SESSION_TAKEN = "session_taken"
    UNDER_VOLTAGE = "under_voltage"
    THROTTLED = "throttled"


class NoticeLevel(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an operator should know, told on MQTT and in the log."""

    kind: NoticeKind
    level: NoticeLevel
    message: str
    data: dict[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How a duration was spread, in milliseconds; None when nothing was measured."""

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


def percentiles(samples_ns: Sequence[int]) -> Percentiles:
    """Nearest-rank percentiles of some durations: each is one of the samples, so no value is invented."""
    if not samples_ns:
        return Percentiles()
    ordered = sorted(samples_ns)

    def rank_ms(percent: int) -> float:
        return ordered[math.ceil(percent / 100 * len(ordered)) - 1] / 1e6

    return Percentiles(p50_ms=rank_ms(50), p95_ms=rank_ms(95), p99_ms=rank_ms(99))


@dataclass(frozen=True, slots=True)
class CameraStats:
    """One camera's frames: counts since the program started, rates and spreads since the last heartbeat."""

    captured: int
    results: int
    """On time."""
    late: int
    """Results that were older than the budget."""
    skipped: Mapping[SkipCause, int]
    """Causes that are not named count as 0."""
    fps_in: float
    fps_out: float
    age: Percentiles
    """Capture to decision, of every result."""
    preprocess: Percentiles
    infer: Percentiles
    postprocess: Percentiles
    engines: Mapping[str, int] = field(default_factory=dict)
    """Results, late ones too, by the engine that ran them, `litert/cpu`."""


@dataclass(frozen=True, slots=True)
class MqttStats:
    """The publish worker's counts, from the start of the program."""

    connected: bool
    protocol: str | None
    """`5` or `3.1.1`; None when not connected."""
    published: int
    """Handed over (QoS 0) or accepted by the broker (QoS 1)."""
    refused: int
    """Answered by the broker with a reason of 0x80 or above."""
    dropped: int
    """Predictions and stats that were not sent, as there was no connection or a newer one came."""
    outbox: int
    """Events that the broker has not accepted yet."""
    lost: int
    """Events pushed out of a full outbox."""
    commands_refused: int = 0
    """Commands that were not followed, for whatever reason."""


class Limit(StrEnum):
    """What slows a board down, or is about to."""

    UNDER_VOLTAGE = "under_voltage"
    """The power supply or its cable is too weak."""
    FREQUENCY_CAPPED = "frequency_capped"
    """The ARM cores may not go as fast as they can."""
    THROTTLED = "throttled"
    """They are slowed down."""
    SOFT_TEMP_LIMIT = "soft_temp_limit"
    """It is so hot that they soon will be."""


LIMITS = tuple(Limit)
"""In the order of the firmware's bits: 0 to 3 now, 16 to 19 since boot."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the firmware holds against the board; what is not listed does not hold, or is not known."""

    now: Sequence[Limit] = ()
    since_boot: Sequence[Limit] = ()


@dataclass(frozen=True, slots=True)
class BoardStats:
    """How the board does; None where it does not say."""

    memory_bytes: int | None = None
    """Resident memory of this process."""
    temperature_c: float | None = None
    """Of the SoC."""
    throttled: int | None = None
    """The Raspberry Pi firmware's bits: 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft temperature
    limit; 16 to 19 the same since boot."""
    limits: Limits | None = None
    """The same in words."""


@dataclass(frozen=True, slots=True)
class HistoryStats:
    """What is kept on this device; counts from the start of the program."""

    events: int
    pictures: int
    lost: int
    """Events and pictures that could not be kept."""
    bytes: int
    """What all of it takes on the disk."""


@dataclass(frozen=True, slots=True)
class Stats:
    """How well this process runs."""

    uptime_s: float
    cameras: Mapping[str, CameraStats]
    board: BoardStats = BoardStats()
    history: HistoryStats | None = None
    """None: nothing is kept."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A loaded model and what really runs it."""

    name: str
    """As its card says; the key is its name in the configuration."""
    sha256: str
    classes: int
    runtime: str
    """`litert`, `tflite-runtime`."""
    runtime_version: str
    delegate: str
    """`cpu`, or the accelerator's name."""
    threads: int
    fallback: str | None = None
    """Why the CPU serves in the place of an accelerator; None: it does not."""
    delegated: int | None = None
    """Operators that run on the accelerator, as the interpreter says; None: none, or it does not say."""
    operators: int | None = None
    """Of so many."""


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A configured camera."""

    source: str
    """Without credentials."""
    model: str
    """The one in use."""
    ladder: Sequence[str]
    """The models that it may use, best first."""
    budget_ms: int


@dataclass(frozen=True, slots=True)
class Info:
    """What runs on this device."""

    versions: Mapping[str, str]
    """`edgecam`, `python`, and the libraries that matter."""
    models: Mapping[str, ModelInfo] = field(default_factory=dict)
    cameras: Mapping[str, CameraInfo] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CameraCounts:
    """One camera's frames since the program started."""

    captured: int
    results: int
    """On time."""
    late: int
    skipped: Mapping[SkipCause, int]


@dataclass(frozen=True, slots=True)
class CameraReading:
    """One camera at a moment."""

    status: Status
    counts: CameraCounts


@dataclass(frozen=True, slots=True)
class LinkReading:
    """The link to the broker at a moment."""

    encrypted: bool
    connected_s: float | None
    """How long the connection has lasted, in seconds; None: there is none."""
    failure: str | None
    """The kind of the last failure, also after it is over."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How all of it is at a moment: what a scrape tells."""

    uptime_s: float
    info: Info
    cameras: Mapping[str, CameraReading]
    mqtt: MqttStats
    link: LinkReading
    board: BoardStats
    history: HistoryStats | None
    """None: nothing is kept."""
    publish_turns: int
    """How often the publish worker's loop has turned: its sign of life."""
