"""The engine workers: who serves which cameras, who comes and who goes with a new configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from threading import Event

from edgecam.config.loader import LoadedConfig
from edgecam.errors import WedgedError
from edgecam.pipeline.assembly import Plan
from edgecam.pipeline.build import build_engine, families, kinship, open_model
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.lane import Lane, Rules
from edgecam.pipeline.threads import Crew
from edgecam.pipeline.trial import try_engine
from edgecam.pipeline.waiting import wait_unless_stopping
from edgecam.pipeline.witness import Witness

# An engine finishes what it is at, however long that may take; one that then does not go is wedged.
_LEAVE_S = 20.0


class EngineCrew:
    """Used from one thread, but the map is replaced and never changed."""

    def __init__(
        self,
        *,
        witness: Witness,
        fail: Callable[[BaseException], None],
        engines_changed: Callable[[], None],
        is_stopping: Callable[[], bool],
        patient: bool,
    ) -> None:
        """Build it.

        Args:
            witness: sees the stages.
            fail: told of what ended a worker.
            engines_changed: called when an engine is ready, or a camera has another model.
            is_stopping: the run is to end; nothing is waited for any more.
            patient: also the first engines are tried again if they cannot be opened.
        """
        self._witness = witness
        self._crew = Crew(fail)
        self._engines_changed = engines_changed
        self._is_stopping = is_stopping
        self._patient = patient
        self._is_running = False
        self._kin: dict[str, object] = {}
        self._done: dict[str, Event] = {}
        """When a worker's thread has ended, by its name."""
        self.engines: Mapping[str, EngineWorker] = {}
        """By the name of the first model that it serves."""

    def try_new(self, loaded: LoadedConfig, plan: Plan) -> None:
        """Open and test the engines that `set_up` would start.

        Raises:
            EngineError: one does not open.
            StoppingError: the run is to end.
        """
        for family in families(plan.cameras):
            if kinship(loaded, plan, family) not in self._kin.values():
                for model in dict.fromkeys(camera.rungs[0].model for camera in family):
                    timeout_ms = loaded.config.models[model].timeout_ms
                    try_engine(
                        partial(open_model, loaded, plan, model),
                        model=model,
                        timeout_ns=None if timeout_ms is None else timeout_ms * 1_000_000,
                        is_stopping=self._is_stopping,
                    )

    def dismiss(self, loaded: LoadedConfig, plan: Plan) -> None:
        """Let those go that serve no family of the plan; each finishes its frame first.

        Raises:
            WedgedError: one hangs.
            StoppingError: the run is to end.
        """
        self._dismiss_all_but([kinship(loaded, plan, family) for family in families(plan.cameras)])

    def set_up(
        self, loaded: LoadedConfig, plan: Plan, lanes: Mapping[str, Lane], rules: Mapping[str, Rules]
    ) -> None:
        """Engines as the plan has them; who is there already stays and follows the rules."""
        prefer_freshness = loaded.config.prefer == "freshness"
        engines, kin = dict[str, EngineWorker](), dict[str, object]()
        for family in families(plan.cameras):
            own = kinship(loaded, plan, family)
            followed = {camera.camera: rules[camera.camera] for camera in family}
            kept = next((name for name, other in self._kin.items() if other == own), None)
            if kept is not None:
                self.engines[kept].revise(followed, prefer_freshness=prefer_freshness)
                engines[kept], kin[kept] = self.engines[kept], own
                continue
            served = [lanes[camera] for camera in followed]
            for lane in served:
                lane.follow(rules[lane.camera])
            name = family[0].rungs[0].model
            engines[name], kin[name] = self._new(loaded, plan, served), own
        found, self.engines, self._kin = self.engines, engines, kin
        for name, engine in engines.items():
            if self._is_running and found.get(name) is not engine:
                self._start(name)

    def start(self) -> None:
        """Start those that are set up, and from now on whoever comes."""
        self._is_running = True
        for name in self.engines:
            self._start(name)

    def dismiss_all(self) -> None:
        """Let all of them leave soon, each after its frame; nobody is waited for."""
        for engine in self.engines.values():
            engine.leave()

    def join(self, *, timeout_s: float) -> None:
        """Wait for whoever was dismissed."""
        self._crew.join(timeout_s=timeout_s)

    @property
    def have_begun(self) -> bool:
        """True once every engine has passed its self-test, or is declared to have failed and tried again."""
        return all(engine.has_begun for engine in self.engines.values())

    def _dismiss_all_but(self, wanted: Collection[object]) -> None:
        going = [name for name in self.engines if self._kin[name] not in wanted]
        for name in going:
            self.engines[name].leave()
        for name in going:
            allowed_s = _LEAVE_S + self.engines[name].calls.allowed_ns / 1e9
            ends_s = time.monotonic() + allowed_s
            if not wait_unless_stopping(self._done[name], ends_s=ends_s, is_stopping=self._is_stopping):
                raise WedgedError(f"the engine of {name} hangs and cannot be replaced: start edgecam again")

    def _new(self, loaded: LoadedConfig, plan: Plan, lanes: Sequence[Lane]) -> EngineWorker:
        return build_engine(
            loaded,
            plan,
            lanes,
            engines_changed=self._engines_changed,
            witness=self._witness,
            patient=self._is_running or self._patient,
        )

    def _start(self, name: str) -> None:
        engine, thread = self.engines[name], f"engine-{name}"
        self._done[name] = self._crew.start(thread, engine.run)
        self._crew.start(f"{thread}-aide", engine.assist)
