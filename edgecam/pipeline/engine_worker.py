"""The worker of one engine: choose a frame, run the chain on it, hand the result to its desk."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from threading import Event

from edgecam import clock
from edgecam.backoff import Backoff
from edgecam.errors import EngineError
from edgecam.inference.engine import EngineInfo
from edgecam.inference.isolated import Change
from edgecam.pipeline.aide import Aide
from edgecam.pipeline.chain import Chain, Inferred, Picked, Prepared
from edgecam.pipeline.chains import Chains
from edgecam.pipeline.deadline import EngineCalls
from edgecam.pipeline.estimate import ServiceTimes
from edgecam.pipeline.lane import Rules, Rung
from edgecam.pipeline.picker import Picker
from edgecam.pipeline.rungs import Rungs
from edgecam.pipeline.scheduler import Wait
from edgecam.pipeline.station import Station
from edgecam.pipeline.witness import Stage, Witness
from edgecam.records import SkipCause

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 60.0


class EngineWorker:
    """Serves the cameras whose ladders share models; its thread owns the interpreters."""

    def __init__(
        self,
        station: Station,
        *,
        stop: Event,
        engines_changed: Callable[[], None],
        witness: Witness,
        patient: bool = False,
    ) -> None:
        """Build a worker.

        Args:
            station: what it works with.
            stop: the signal to stop; set it, then ring the station's bell.
            engines_changed: called each time an engine has passed its self-test, or a camera has another.
            witness: sees the stages.
            patient: an engine that cannot be opened at the start is tried again, too.
        """
        self.calls = EngineCalls(station.timeouts_ns)
        """What is under way in an engine."""
        self.is_strained = False
        """The board is slowed down, or about to be; set from outside."""
        self.is_waiting_to_reopen = False
        """Its engine has failed, was declared so, and is to be opened anew after a pause."""
        self.has_begun = False
        """True once its engines have been opened, or their failure is declared and they are tried again."""
        self._lanes = {lane.camera: lane for lane in station.lanes}
        self._bell = station.bell
        self._stop = stop
        self._patient = patient
        self._revisions: deque[tuple[Mapping[str, Rules], bool]] = deque()
        """What is to be followed from the next frame on."""
        self._engines_changed = engines_changed
        self._witness = witness
        self._times = ServiceTimes()
        self._rungs = Rungs(station.lanes, station.bell.lock)
        self._picker = Picker(
            station.lanes,
            station.bell,
            self._times,
            prefer_freshness=station.prefer_freshness,
            chain_of=self._chain_of,
        )
        self._aide = Aide(prepare=self._look_ahead, finish=self._finish)
        self._chains = Chains(station, self.calls, station.lanes, witness=witness)
        self._saturated = False
        self._rescued: Picked | None = None
        self._backoff = Backoff(first_s=_FIRST_RETRY_S, cap_s=_LONGEST_RETRY_S)

    @property
    def engine_infos(self) -> Mapping[str, EngineInfo]:
        """What really runs, by model; a model that was not needed yet is missing."""
        return self._chains.infos

    @property
    def changes(self) -> Mapping[str, Change]:
        """What was told last of the models that have a delegate."""
        return self._chains.changes

    @property
    def rungs(self) -> Mapping[str, Rung]:
        """By camera, in use now."""
        return self._rungs.in_use

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            EngineError: an engine cannot be opened at the start; later failures are retried.
        """
        try:
            while not self._stop.is_set():
                try:
                    with ExitStack() as engines:
                        self._open_all(engines)
                        self._serve(engines)
                except EngineError as fault:
                    if self._stop.is_set():
                        # It was told to leave, and its successor may do well.
                        return
                    if not self.has_begun and not self._patient:
                        raise
                    self.has_begun = True
                    log.error("engine failed fault=%s", fault)  # noqa: TRY400 - foreseen
                    for lane in self._lanes.values():
                        lane.desk.engine_failed(str(fault))
                    self.is_waiting_to_reopen = True
                    self._stop.wait(self._backoff.next_s())
                    self.is_waiting_to_reopen = False
        finally:
            self._aide.close()
            if self._rescued is not None:
                self._lanes[self._rescued.frame.camera].ledger.skip(SkipCause.ENGINE, self._rescued.frame.seq)

    def leave(self) -> None:
        """End `run` after the frame in hand."""
        self._stop.set()
        self._bell.ring()

    def revise(self, rules: Mapping[str, Rules], *, prefer_freshness: bool) -> None:
        """Let each lane follow its rules, by camera, from the next frame on; from any thread."""
        self._revisions.append((rules, prefer_freshness))
        self._bell.ring()

    def give_up(self, why: str) -> None:
        """An engine hangs for good: say so, while this process can."""
        for lane in self._lanes.values():
            lane.desk.engine_failed(why)

    def engine_changed(self, model: str, change: Change) -> None:
        """Another engine serves a model from now on; from any thread."""
        before = self._chains.changed(model, change)
        self._rungs.engine_changed(model, change, before)
        self._engines_changed()
        # What a frame will take has changed.
        self._bell.ring()

    def assist(self) -> None:
        """The aide's thread: until `run` has ended. Without it a saturated engine only pauses longer."""
        self._aide.run()

    def _open_all(self, engines: ExitStack) -> None:
        self._chains.clear()
        for rung in self.rungs.values():
            self._chains.open(rung.model, engines)
        self.has_begun = True
        self._engines_changed()
        for lane in self._lanes.values():
            lane.desk.engine_back()

    def _serve(self, engines: ExitStack) -> None:
        prepared: Prepared | None = None
        while (prepared := prepared or self._wait_for_frame()) is not None:
            frame, chain = prepared.picked.frame, prepared.chain
            if self._saturated:
                expected = self._times.expected(frame.camera, chain.key)
                now_ns = clock.boot_ns()
                ready_ns = now_ns + expected.early_infer_ns
                self._aide.look_ahead(
                    begin_ns=ready_ns - expected.preprocess_ns, free_ns=now_ns + expected.infer_ns
                )
            self.calls.begin(prepared.rung.model, elsewhere_ns=chain.elsewhere_ns)
            try:
                inferred = chain.infer(prepared)
            except BaseException:
                self.calls.end()
                self._lanes[frame.camera].ledger.skip(SkipCause.ENGINE, frame.seq)
                self._rescue_prepared()
                raise
            self.calls.end(inferred.infer_ns if inferred.ran.is_here else None)
            try:
                prepared = self._aide.collect()
            except BaseException:
                self._rescue_prepared()
                self._finish(inferred)
                raise
            if prepared is not None:
                self._aide.hand_over(inferred)
            else:
                self._finish(inferred)
            self._rungs.climb(lambda model: self._chains.open(model, engines), self._engines_changed)

    def _rescue_prepared(self) -> None:
        """An engine has failed while the next frame was being prepared for it."""
        left, fault = self._aide.drain()
        if left is not None:
            lane = self._lanes[left.picked.frame.camera]
            if lane.policy.lossless:
                self._rescued = left.picked
            else:
                lane.ledger.skip(SkipCause.ENGINE, left.picked.frame.seq)
        if fault is not None and not isinstance(fault, EngineError):
            raise fault

    def _wait_for_frame(self) -> Prepared | None:
        """Wait for a frame that should be run, skipping those that should not; None: stop."""
        self._saturated = True
        if self._rescued is not None:
            rescued, self._rescued = self._rescued, None
            return self._prepare(rescued)
        while not self._stop.is_set():
            self._take_up_revisions()
            picked = self._picker.pick()
            if picked is not None and not isinstance(picked, Wait):
                return self._prepare(picked)
            self._saturated = False
            self._bell.wait((picked.until_ns - clock.boot_ns()) / 1e9 if picked else None)
        return None

    def _take_up_revisions(self) -> None:
        """Here no frame is in anybody's hands, and the aide has nothing to do."""
        self._rungs.settle()
        while self._revisions:
            rules, prefer_freshness = self._revisions.popleft()
            for camera, lane in self._lanes.items():
                lane.follow(rules[camera])
                self._rungs.revise(lane)
            self._chains.look_anew()
            self._picker.revise(prefer_freshness=prefer_freshness)

    def _look_ahead(self, free_ns: int) -> Prepared | None:
        """In the aide's thread: the frame for an engine that will be free then, if one should be run."""
        is_to_pause = self._stop.is_set() or self._revisions or not self._rungs.is_settled
        picked = None if is_to_pause else self._picker.pick(free_ns)
        return None if picked is None or isinstance(picked, Wait) else self._prepare(picked)

    def _chain_of(self, camera: str) -> Chain:
        """The chain of the rung in use."""
        return self._chains[self.rungs[camera].model]

    def _prepare(self, picked: Picked) -> Prepared:
        camera = picked.frame.camera
        try:
            return self._chain_of(camera).prepare(picked, self.rungs[camera])
        except BaseException:
            self._lanes[camera].ledger.skip(SkipCause.ENGINE, picked.frame.seq)
            raise

    def _finish(self, inferred: Inferred) -> None:
        """Postprocess, decide, tell; in the engine's thread or in the aide's."""
        prepared = inferred.prepared
        frame = prepared.picked.frame
        lane = self._lanes[frame.camera]
        try:
            result, prediction = prepared.chain.read(inferred)
        except BaseException:
            lane.ledger.skip(SkipCause.ENGINE, frame.seq)
            raise
        if not inferred.ran.is_second:
            key = prepared.chain.key_of(inferred.ran.info)
            self._times.record(frame.camera, key, result.stages, probe=prepared.picked.probe)
        self._backoff.restart()
        began = lane.desk.classified(result, prepared.rung.watchlist.scores(prediction.probabilities))
        decided_ns = clock.boot_ns()
        self._witness.stage(
            Stage.DECIDE, frame.camera, frame.seq, began_ns=result.finished_ns, ended_ns=decided_ns
        )
        if lane.gate is not None:
            lane.gate.classified(prepared.picked.glance)
        lane.desk.send()
        if began:
            lane.episode_began(frame)
        # Booked last: a recording has ended only when its last frame was decided on.
        lane.ledger.finish(result)
        self._rungs.weigh(lane, prepared, result, now_ns=decided_ns, is_strained=self.is_strained)
