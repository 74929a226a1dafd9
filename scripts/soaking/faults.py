"""The kinds of fault: how each is done to a stage, and what must come of it beside fresh results.

`do` returns when the cause has gone, or at once where edgecam itself has to end the matter; recovery is
counted from then on.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from soaking.stage import Stage, fill

# The keepalive of 30 s and a third of it for the answer, then a back-off.
_HALF_OPEN_S = 60.0
_LOOK_S = 0.05
_NOTICE_S = 10.0
# On a busy machine.
_FOLLOWED_S = 10.0


class NotAsPromisedError(Exception):
    """What must come of a fault did not come."""


@dataclass(frozen=True)
class Fault:
    """One kind."""

    name: str
    part: str
    """What it hurts: two on the same part are kept apart, as back-offs are meant to take time."""
    do: Callable[[Stage], None]
    needs_restart: bool = False
    is_possible: Callable[[Stage], bool] = lambda _stage: True
    verify: Callable[[Stage, float], None] | None = None
    """After the recovery; gets the time of the injection. Raises NotAsPromisedError."""


def _end_camera(stage: Stage) -> None:
    stage.camera.end()


def _cut_camera(stage: Stage) -> None:
    stage.camera.drop()


def _stall_camera(stage: Stage) -> None:
    stage.camera.stall()
    time.sleep(stage.rng.uniform(2, 6))
    stage.camera.resume()


def _take_camera_away(stage: Stage) -> None:
    stage.camera.stop()
    time.sleep(stage.rng.uniform(1, 4))
    stage.camera.start()


def _garble_camera(stage: Stage) -> None:
    stage.camera.is_garbled = True
    time.sleep(stage.rng.uniform(0.5, 3))
    stage.camera.is_garbled = False


def _resize_camera(stage: Stage) -> None:
    stage.camera.is_large = not stage.camera.is_large


def _kill_broker(stage: Stage) -> None:
    stage.broker.kill()
    time.sleep(stage.rng.uniform(0.2, 3))
    stage.broker.start()


def _cut_link(stage: Stage) -> None:
    stage.link.cut_soon()
    # The next packets bring it about.
    time.sleep(0.5)


def _half_open_link(stage: Stage) -> None:
    """Nobody is told: edgecam has to find out, and to connect anew. What that takes is kept apart."""
    before, begun_s = stage.link.accepted, time.monotonic()
    stage.link.swallow()
    while stage.link.accepted == before:
        if time.monotonic() - begun_s > _HALF_OPEN_S:
            raise NotAsPromisedError(f"a half-open link was not noticed in {_HALF_OPEN_S:g} s")
        time.sleep(_LOOK_S)
    stage.noticed_s.append(time.monotonic() - begun_s)


def _fill_disk(stage: Stage) -> None:
    assert stage.disk is not None, "see is_possible"  # noqa: S101
    fill(stage.disk, for_s=stage.rng.uniform(1, 3))


def _move_clock(stage: Stage) -> None:
    stage.move_clock(stage.rng.choice((-86_400 * 365 * 20, -3600, -5, 0, 3600, 86_400 * 365)))


def _clock_was_followed(stage: Stage, _begun_s: float) -> None:
    """`ts` is the wall clock's, and nothing else: the age of the same message was right."""
    assert stage.clock is not None, "see is_possible"  # noqa: S101
    offset_s = int.from_bytes(stage.clock.read_bytes(), "little", signed=True)
    # What was under way when the clock jumped tells the time before.
    ends_s = time.monotonic() + _NOTICE_S
    while abs(off_s := _off_s(stage.listener.last_ts, offset_s)) > _FOLLOWED_S:
        if time.monotonic() > ends_s:
            raise NotAsPromisedError(f"ts is {off_s:.0f} s off after the clock has jumped")
        time.sleep(_LOOK_S)


def _off_s(ts: str, offset_s: int) -> float:
    return datetime.fromisoformat(ts).timestamp() - offset_s - datetime.now(UTC).timestamp()


def _edit_well(stage: Stage) -> None:
    enter = round(stage.rng.uniform(0.5, 0.7), 3)
    stage.write_config(
        watch={"cat": {"enter": enter, "hold_s": 0}, "cup": {"hold_s": 0}},
        max_fps=stage.rng.choice((None, 4, 10)),
        # These two need a camera or an engine made anew.
        size=stage.rng.choice(([640, 480], [320, 240])),
        model=stage.rng.choice((["default"], ["default", "light"])),
    )
    stage.manager.send(signal.SIGHUP)


def _edit_badly(stage: Stage) -> None:
    good = stage.config.read_bytes()
    stage.write_config(broken=True)
    stage.manager.send(signal.SIGHUP)
    if stage.listener.notice_since(time.monotonic() - 1, "config_refused", timeout_s=_NOTICE_S) is None:
        raise NotAsPromisedError("no notice of a configuration that was refused")
    stage.config.write_bytes(good)


def _applied_was_told(stage: Stage, begun_s: float) -> None:
    if stage.listener.notice_since(begun_s, "config_applied", timeout_s=_NOTICE_S) is None:
        raise NotAsPromisedError("no notice of a configuration that was applied")


def _refused_was_placed(stage: Stage, begun_s: float) -> None:
    text = stage.listener.notice_since(begun_s, "config_refused", timeout_s=_NOTICE_S)
    if text is None or f"{stage.config.name}:" not in text:
        raise NotAsPromisedError(f"no place in the notice of a refused configuration: {text!r}")


def _order(what: str) -> Callable[[Stage], None]:
    """What the next inference does."""

    def do(stage: Stage) -> None:
        draft = stage.order.with_suffix(".new")
        draft.write_text(what, encoding="ascii")
        draft.replace(stage.order)

    return do


def _kill(number: signal.Signals) -> Callable[[Stage], None]:
    return lambda stage: stage.manager.send(number)


ENDURED = (
    Fault("camera ends", "camera", _end_camera),
    Fault("camera cut off", "camera", _cut_camera),
    Fault("camera stalls", "camera", _stall_camera),
    Fault("camera gone", "camera", _take_camera_away),
    Fault("garbage frames", "camera", _garble_camera),
    Fault("size change", "camera", _resize_camera),
    Fault("engine fails", "engine", _order("fail")),
    Fault("broker killed", "link", _kill_broker),
    Fault("link cut", "link", _cut_link),
    Fault("link half open", "link", _half_open_link),
    Fault("disk full", "box", _fill_disk, is_possible=lambda stage: stage.disk is not None),
    Fault(
        "clock jumps",
        "box",
        _move_clock,
        is_possible=lambda stage: stage.clock is not None,
        verify=_clock_was_followed,
    ),
    Fault("good edit", "box", _edit_well, verify=_applied_was_told),
    Fault("bad edit", "box", _edit_badly, verify=_refused_was_placed),
)
"""Through these one process lives."""

RESTARTED = (
    Fault("engine hangs", "process", _order("hang"), needs_restart=True),
    Fault("engine aborts", "process", _order("abort"), needs_restart=True),
    Fault("killed", "process", _kill(signal.SIGKILL), needs_restart=True),
    Fault("frozen", "process", _kill(signal.SIGSTOP), needs_restart=True),
)
"""After these another process goes on."""
