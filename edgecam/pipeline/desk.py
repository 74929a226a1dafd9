"""The desk of one camera: results and changes of status come in, states, events and notices go out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from edgecam import clock
from edgecam.decision.decider import Decider
from edgecam.decision.watchlist import Watchlist
from edgecam.inference.isolated import Change
from edgecam.pipeline.ladder import Step
from edgecam.publish.publisher import Publisher
from edgecam.records import Decision, Event, EventType, Reason, Result, State, Status
from edgecam.reports import Notice, NoticeKind, NoticeLevel

log = logging.getLogger(__name__)

# What is wanted counts most, then what is wrong with the camera, then with the engine.
_WORST_FIRST = (Status.DISABLED, Status.NO_CAMERA, Status.ERROR)


class Desk:
    """Decides for one camera and hands it to the publisher. Thread-safe: all workers come here."""

    def __init__(
        self, camera: str, decider: Decider, publisher: Publisher, *, prediction_interval_ns: int | None
    ) -> None:
        """Args: the camera, who decides, the publisher; least time between predictions, None: none at all."""
        self._camera = camera
        self._decider = decider
        self._publisher = publisher
        self._prediction_interval_ns = prediction_interval_ns
        self._prediction_due_ns = 0
        self._result: Result | None = None
        self._scores: NDArray[np.float32] | None = None
        """What the network said last of what is watched; None: nothing that still counts."""
        self._troubles: set[Status] = set()
        self._closed = False
        self._lock = Lock()

    def open(self) -> None:
        """Say that the camera is starting."""
        with self._lock:
            self._put(self._decider.current)
        self.send()

    def classified(self, result: Result, scores: NDArray[np.float32]) -> bool:
        """A frame was classified, on time or late: late results are true at their capture time too.

        What follows waits for `send`.

        Args:
            result: what is told of it.
            scores: (names,), of what is watched.

        Returns:
            True if an episode began.
        """
        with self._lock:
            if self._closed:
                return False
            self._result, self._scores = result, scores
            decision = self._decider.observe(scores, at_ns=result.captured_ns, now_ns=clock.boot_ns())
            self._put(decision)
        if decision.status is Status.OK and self._prediction_is_due(result.finished_ns):
            self._publisher.prediction(result)
        return _began(decision)

    def send(self) -> None:
        """What was put for the broker is sent now, if that can be; apart, as it is no deciding."""
        self._publisher.send()

    def still(self, captured_ns: int) -> bool:
        """A frame shows what the last classified one did: its scores go on, and so does time.

        Returns:
            True if an episode began.
        """
        with self._lock:
            if self._closed or self._scores is None:
                return False
            decision = self._decider.observe(self._scores, at_ns=captured_ns, now_ns=clock.boot_ns())
            self._put(decision)
        self.send()
        return _began(decision)

    @property
    def is_ok(self) -> bool:
        """True while what is said is what a result says."""
        return self._decider.current.status is Status.OK

    @property
    def status(self) -> Status:
        """Whether what is said of the camera can be believed."""
        return self._decider.current.status

    def camera_lost(self, why: str) -> None:
        """The source stopped; what it showed says nothing any more."""
        self._change(Reason.CAMERA_LOST, arises=Status.NO_CAMERA)
        self._notice(NoticeKind.CAMERA_LOST, NoticeLevel.ERROR, why)

    def camera_ended(self) -> None:
        """A recording was played to its end, while other cameras go on."""
        self._change(Reason.CAMERA_LOST, arises=Status.NO_CAMERA)
        self._notice(NoticeKind.CAMERA_LOST, NoticeLevel.INFO, "the recording has ended")

    def camera_back(self) -> None:
        """Frames come again; the first result will say what they show."""
        self._change(Reason.CAMERA_BACK, ends=Status.NO_CAMERA)
        self._notice(NoticeKind.CAMERA_BACK, NoticeLevel.INFO, "frames come again")

    def engine_failed(self, why: str) -> None:
        """The engine gives no results; it is being opened anew."""
        self._change(Reason.ENGINE_FAILED, arises=Status.ERROR)
        self._notice(NoticeKind.ENGINE_FAILED, NoticeLevel.ERROR, why)

    def engine_back(self) -> None:
        """The engine works; news only after it had failed."""
        if Status.ERROR in self._troubles:
            self._change(Reason.ENGINE_BACK, ends=Status.ERROR)
            self._notice(NoticeKind.ENGINE_BACK, NoticeLevel.INFO, "the engine works again")

    def engine_fell_back(self, model: str, change: Change) -> None:
        """The accelerator of the camera's model does not serve; the CPU does, without a frame lost."""
        data = {"model": model, "engine": change.info.name, "reason": change.why}
        text = f"the CPU serves {model}: {change.why}"
        self._notice(NoticeKind.ENGINE_FALLBACK, NoticeLevel.WARNING, text, data)

    def engine_taken_back(self, model: str, change: Change) -> None:
        """The accelerator serves again."""
        data = {"model": model, "engine": change.info.name}
        text = f"{model} runs on {change.info.delegate} again"
        self._notice(NoticeKind.ENGINE_BACK, NoticeLevel.INFO, text, data)

    def disabled(self, why: str) -> None:
        """The camera is switched off on purpose."""
        self._change(Reason.DISABLED, arises=Status.DISABLED)
        log.info("camera disabled camera=%s reason=%s", self._camera, why)

    def enabled(self) -> None:
        """The camera is switched on again."""
        self._change(Reason.ENABLED, ends=Status.DISABLED)
        log.info("camera enabled camera=%s", self._camera)

    def ladder_stepped(self, step: Step, *, before: str, after: str) -> None:
        """The camera has another model of its ladder."""
        log.info("ladder step camera=%s from=%s to=%s reason=%s", self._camera, before, after, step.why)
        level = NoticeLevel.WARNING if step.down else NoticeLevel.INFO
        text = f"{before} gives way to {after}: {step.why}"
        self._notice(NoticeKind.LADDER_STEP, level, text, {"from": before, "to": after})

    def step_refused(self, *, before: str, after: str, why: str) -> None:
        """The model that the ladder leads to cannot be used."""
        log.error("no ladder step camera=%s from=%s to=%s fault=%s", self._camera, before, after, why)
        # It stays where it was.
        data = {"from": before, "to": before, "refused": after}
        self._notice(NoticeKind.LADDER_STEP, NoticeLevel.ERROR, f"{after} cannot be used: {why}", data)

    def has(self, trouble: Status) -> bool:
        """True while there is this trouble, whether or not it is the one that is told."""
        return trouble in self._troubles

    def revise(self, watchlist: Watchlist, *, smoothing_s: float, prediction_interval_ns: int | None) -> None:
        """Decide by other rules from now on: no scores of the old watchlist may come any more."""
        with self._lock:
            if self._decider.names != watchlist.names:
                self._scores = None
            self._prediction_interval_ns = prediction_interval_ns
            self._put(self._decider.revise(watchlist, smoothing_s=smoothing_s, now_ns=clock.boot_ns()))
        self.send()

    def heartbeat(self) -> None:
        """Say the same again, with the newest result and its true age."""
        with self._lock:
            self._put(self._decider.heartbeat())
        self.send()

    def close(self, reason: Reason = Reason.STOPPED) -> None:
        """End what is open, and say nothing more: edgecam stops in order, or has this camera no more."""
        with self._lock:
            self._put(self._decider.stop(now_ns=clock.boot_ns(), reason=reason))
            self._closed = True
        self.send()

    def _prediction_is_due(self, now_ns: int) -> bool:
        interval_ns = self._prediction_interval_ns
        if interval_ns is None or now_ns < self._prediction_due_ns:
            return False
        self._prediction_due_ns = max(self._prediction_due_ns, now_ns - interval_ns) + interval_ns
        return True

    def _change(self, reason: Reason, *, arises: Status | None = None, ends: Status | None = None) -> None:
        """A trouble arises or ends; the worst of those that there are is told."""
        with self._lock:
            self._troubles |= {arises} if arises else set()
            self._troubles -= {ends} if ends else set()
            self._scores = None
            status = next((trouble for trouble in _WORST_FIRST if trouble in self._troubles), Status.STARTING)
            self._put(self._decider.change_status(status, reason, now_ns=clock.boot_ns()))
        self.send()

    def _put(self, decision: Decision) -> None:
        """Under the lock, so that messages keep the order of the decisions."""
        for edge in decision.edges:
            self._publisher.event(Event(self._camera, edge, self._result))
            # Once it is kept: what is logged is promised.
            words = (self._camera, edge.episode, edge.label, edge.score, edge.reason)
            if edge.type is EventType.START:
                log.info("episode start camera=%s episode=%s label=%s score=%.2f reason=%s", *words)
            else:
                log.info("episode end camera=%s episode=%s label=%s score=%.2f reason=%s", *words)
        # A straggler of a camera that is no more must not bring its topic back.
        if decision.changed and not self._closed:
            self._publisher.state(State(self._camera, decision, self._result))

    def _notice(
        self, kind: NoticeKind, level: NoticeLevel, why: str, data: Mapping[str, str] | None = None
    ) -> None:
        notice = Notice(kind, level, f"{self._camera}: {why}", {"camera": self._camera, **(data or {})})
        self._publisher.notice(notice)


def _began(decision: Decision) -> bool:
    return any(edge.type is EventType.START for edge in decision.edges)
