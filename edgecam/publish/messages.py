"""From records to payloads: the MQTT contract, written as code. Pure; the moment is always an argument."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from edgecam.records import ClockReading, Event, Reason, Result, Score, SkipCause, State, Status
from edgecam.reports import CameraStats, Info, MqttStats, Notice, Percentiles, Stats

Payload = dict[str, object]

SCHEMA = 1
ONLINE = b"online"
OFFLINE = b"offline"

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a camera's status was when an event was decided, told by the event's reason; else it was `ok`.
_STATUS_OF_REASON = {
    Reason.CAMERA_LOST: Status.NO_CAMERA,
    Reason.DISABLED: Status.DISABLED,
    Reason.ENGINE_FAILED: Status.ERROR,
    Reason.RESTART: Status.STARTING,
}


def encode(payload: Payload) -> bytes:
    """Compact UTF-8 JSON."""
    return _encode(payload).encode()


def rfc3339(wall_ns: int) -> str:
    """A moment, in ns since the epoch, as RFC 3339 in UTC with milliseconds: `2026-01-31T12:00:01.250Z`."""
    seconds, rest_ns = divmod(wall_ns, 1_000_000_000)
    return f"{_whole_seconds(seconds)}.{rest_ns // 1_000_000:03}Z"


@lru_cache(maxsize=8)
def _whole_seconds(seconds: int) -> str:
    """Many messages fall into one second."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds").removesuffix("+00:00")


def age_ms(captured_ns: int, at: ClockReading) -> int:
    """Age in whole milliseconds, rounded up: we never say younger than it is."""
    return max(0, -(-(at.boot_ns - captured_ns) // 1_000_000))


def state(state: State, at: ClockReading, *, replayed: bool) -> Payload:
    """The payload of `<camera>/state`."""
    decision = state.decision
    return {
        **_origin(state.result, at),
        "camera": state.camera,
        "status": decision.status.value,
        **_freshness(state.result, at, replayed=replayed),
        "label": decision.label,
        "score": _rounded(decision.score),
        "since": None if decision.since_ns is None else rfc3339(at.wall_at(decision.since_ns)),
        "reason": decision.reason.value,
        **_network(state.result),
    }


def event(event: Event, at: ClockReading, *, event_id: str) -> Payload:
    """The payload of `<camera>/event` as it was when decided; its wall times stay, however long it waits."""
    edge = event.edge
    start = rfc3339(at.wall_at(edge.start_ns))
    return {
        **_origin(event.result, at),
        "camera": event.camera,
        "status": _STATUS_OF_REASON.get(edge.reason, Status.OK).value,
        **_freshness(event.result, at, replayed=False),
        "label": edge.label,
        "score": _rounded(edge.score),
        "since": start,
        "reason": edge.reason.value,
        **_network(event.result),
        "id": event_id,
        "episode": edge.episode,
        "event_type": edge.type.value,
        "start": start,
        "end": None if edge.end_ns is None else rfc3339(at.wall_at(edge.end_ns)),
        "peak_score": _rounded(edge.peak_score),
        "delayed_s": 0.0,
    }


def unseen(at: ClockReading) -> Payload:
    """What a state or event says of its frame when there is none."""
    return {**_origin(None, at), **_freshness(None, at, replayed=False), **_network(None)}


def prediction(result: Result, at: ClockReading) -> Payload:
    """The payload of `<camera>/prediction`: what the network said, before anything was decided."""
    freshness = _freshness(result, at, replayed=False)
    del freshness["replayed"]
    return {
        **_origin(result, at),
        "camera": result.camera,
        **freshness,
        **_network(result),
        "stages_ms": {
            "preprocess": round(result.stages.preprocess_ns / 1e6, 2),
            "infer": round(result.stages.infer_ns / 1e6, 2),
            "postprocess": round(result.stages.postprocess_ns / 1e6, 2),
        },
    }


def notice(notice: Notice, at: ClockReading) -> Payload:
    """The payload of `notice`; `ts` is when it happened."""
    return {
        **_now(at),
        "kind": notice.kind.value,
        "level": notice.level.value,
        "message": notice.message,
        "data": notice.data,
    }


def info(info: Info, at: ClockReading) -> Payload:
    """The payload of `info`; `ts` is when it was sent, `ts_synced` whether the clock can be believed."""
    return {
        **_now(at),
        "versions": dict(info.versions),
        "models": {name: asdict(model) for name, model in info.models.items()},
        "cameras": {name: asdict(camera) for name, camera in info.cameras.items()},
    }


def stats(stats: Stats, mqtt: MqttStats, at: ClockReading) -> Payload:
    """The payload of `stats`."""
    return {
        **_now(at),
        "uptime_s": round(stats.uptime_s, 1),
        "cameras": {name: _camera_stats(camera) for name, camera in stats.cameras.items()},
        "mqtt": asdict(mqtt),
        "history": None if stats.history is None else asdict(stats.history),
        **asdict(stats.board),
    }


def _now(at: ClockReading) -> Payload:
    return {"schema": SCHEMA, "ts": rfc3339(at.wall_ns), "ts_synced": at.synced}


def _origin(result: Result | None, at: ClockReading) -> Payload:
    captured = None if result is None else rfc3339(at.wall_at(result.captured_ns))
    return {"schema": SCHEMA, "ts": captured, "ts_synced": at.synced}


def _freshness(result: Result | None, at: ClockReading, *, replayed: bool) -> Payload:
    if result is None:
        return {"seq": None, "age_ms": None, "age_basis": None, "late": False, "replayed": replayed}
    late = result.late or at.boot_ns - result.captured_ns > result.budget_ns
    return {
        "seq": result.seq,
        "age_ms": age_ms(result.captured_ns, at),
        "age_basis": result.basis.value,
        "late": late,
        "replayed": replayed,
    }


def _network(result: Result | None) -> Payload:
    if result is None:
        return {"top": [], "model": None, "engine": None}
    return {"top": [_score(entry) for entry in result.top], "model": result.model, "engine": result.engine}


def _score(entry: Score) -> Payload:
    return {"label": entry.label, "id": entry.id, "score": round(float(entry.score), 3)}


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(float(score), 3)


def _camera_stats(camera: CameraStats) -> Payload:
    return {
        "captured": camera.captured,
        "results": camera.results,
        "late": camera.late,
        "skipped": {cause.value: camera.skipped.get(cause, 0) for cause in SkipCause},
        "fps_in": round(camera.fps_in, 2),
        "fps_out": round(camera.fps_out, 2),
        "age_ms": _percentiles(camera.age),
        "stages_ms": {
            "preprocess": _percentiles(camera.preprocess),
            "infer": _percentiles(camera.infer),
            "postprocess": _percentiles(camera.postprocess),
        },
        "engines": dict(camera.engines),
    }


def _percentiles(spread: Percentiles) -> Payload:
    values = {"p50": spread.p50_ms, "p95": spread.p95_ms, "p99": spread.p99_ms}
    return {name: None if value is None else round(value, 2) for name, value in values.items()}
