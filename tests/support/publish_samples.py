"""Records to publish, with round numbers."""

from __future__ import annotations

from edgecam.records import (
    AgeBasis,
    ClockReading,
    Decision,
    Edge,
    Event,
    EventType,
    Reason,
    Result,
    Score,
    StageTimes,
    State,
    Status,
)
from edgecam.reports import CameraInfo, CameraStats, Info, ModelInfo, Percentiles, Stats

MS = 1_000_000
S = 1_000_000_000
# 2026-01-31T12:00:00.000Z, one hour after boot.
AT = ClockReading(boot_ns=3600 * S, wall_ns=1_769_860_800 * S, synced=True)


def later(by_ns: int) -> ClockReading:
    """All clocks, some time after AT."""
    return ClockReading(boot_ns=AT.boot_ns + by_ns, wall_ns=AT.wall_ns + by_ns, synced=True)


def result(*, camera: str = "main", seq: int = 7, age_ns: int = 40 * MS, budget_ns: int = 200 * MS) -> Result:
    """A frame that was `age_ns` old at AT, when its chain had just ended."""
    return Result(
        camera=camera,
        seq=seq,
        captured_ns=AT.boot_ns - age_ns,
        basis=AgeBasis.SENSOR,
        finished_ns=AT.boot_ns,
        budget_ns=budget_ns,
        top=(Score("tabby", 281, 0.81449), Score("tiger cat", 282, 0.1)),
        model="default",
        engine="litert/cpu",
        stages=StageTimes(preprocess_ns=MS, infer_ns=20 * MS, postprocess_ns=MS // 4),
    )


def state(
    label: str | None = "cat", *, camera: str = "main", seq: int = 7, reason: Reason = Reason.ENTERED
) -> State:
    """A camera that shows `label` since 2 s before AT."""
    decision = Decision(
        status=Status.OK,
        label=label,
        score=None if label is None else 0.91449,
        since_ns=AT.boot_ns - 2 * S,
        reason=reason,
        changed=True,
    )
    return State(camera=camera, decision=decision, result=result(camera=camera, seq=seq))


def starting(camera: str = "main") -> State:
    """A camera before its first result."""
    decision = Decision(
        status=Status.STARTING,
        label=None,
        score=None,
        since_ns=None,
        reason=Reason.STARTING,
        changed=True,
    )
    return State(camera=camera, decision=decision, result=None)


def event(
    episode: str = "e1",
    *,
    camera: str = "main",
    end: bool = False,
    reason: Reason | None = None,
    decided_ns: int = AT.boot_ns,
) -> Event:
    """One end of an episode that began 2 s before AT."""
    edge = Edge(
        type=EventType.END if end else EventType.START,
        episode=episode,
        label="cat",
        score=0.91449,
        peak_score=0.95,
        start_ns=AT.boot_ns - 2 * S,
        end_ns=AT.boot_ns if end else None,
        reason=reason or (Reason.LEFT if end else Reason.ENTERED),
        decided_ns=decided_ns,
    )
    return Event(camera=camera, edge=edge, result=result(camera=camera))


def stats() -> Stats:
    """A process with one camera."""
    spread = Percentiles(p50_ms=21.5, p95_ms=30.25, p99_ms=44.125)
    camera = CameraStats(
        captured=100,
        results=60,
        late=1,
        skipped={},
        fps_in=29.97,
        fps_out=18.0,
        age=spread,
        preprocess=spread,
        infer=spread,
        postprocess=Percentiles(),
        engines={"litert/cpu": 61},
    )
    return Stats(uptime_s=12.34, cameras={"main": camera})


def info() -> Info:
    """What runs here."""
    model = ModelInfo(
        name="efficientnet_lite0_int8",
        sha256="0" * 64,
        classes=1000,
        runtime="litert",
        runtime_version="2.3.0",
        delegate="cpu",
        threads=2,
    )
    return Info(
        versions={"edgecam": "0.1.0", "python": "3.11.7"},
        models={"default": model},
        cameras={"main": CameraInfo("pattern:", "default", ladder=("default", "light"), budget_ms=200)},
    )
