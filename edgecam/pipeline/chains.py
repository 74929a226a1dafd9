"""The open engines of one worker, each in its chain, and what really runs in them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from edgecam.inference.engine import EngineInfo
from edgecam.inference.isolated import Change, IsolatedEngine
from edgecam.pipeline.chain import Chain
from edgecam.pipeline.deadline import EngineCalls
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.station import Station
from edgecam.pipeline.witness import Witness


class Chains:
    """By the name of the model; for the engine's thread, but `infos` and `changed` are for any."""

    def __init__(
        self, station: Station, calls: EngineCalls, lanes: Iterable[Lane], *, witness: Witness
    ) -> None:
        """Args: what opens engines; who watches how long that takes; the cameras; who sees the stages."""
        self._station = station
        self._calls = calls
        self._lanes = list(lanes)
        self._witness = witness
        self._open: dict[str, Chain] = {}
        self.infos: dict[str, EngineInfo] = {}
        """What really runs, by model; a model that was not needed yet is missing."""
        self.changes: dict[str, Change] = {}
        """What was told last of the models that have a delegate."""

    def __getitem__(self, model: str) -> Chain:
        """The chain of an open engine."""
        return self._open[model]

    def clear(self) -> None:
        """They were closed."""
        self._open.clear()

    def look_anew(self) -> None:
        """See the pictures as the lanes' views say now."""
        for chain in self._open.values():
            chain.look_anew()

    def open(self, model: str, engines: ExitStack) -> None:
        """Open the engine of a model, if it is not open, until `engines` closes; raises EngineError."""
        if model in self._open:
            return
        self._calls.begin(model, opening=True)
        try:
            engine = engines.enter_context(self._station.open_engine(model))
        finally:
            self._calls.end()
        if isinstance(engine, IsolatedEngine):
            self._calls.learn(model, engine.cpu_ns)
        self.infos[model] = engine.info
        self._open[model] = Chain(
            model, self._station.models[model], engine, self._lanes, witness=self._witness
        )

    def changed(self, model: str, change: Change) -> Change | None:
        """Another engine serves a model from now on; returns what was told before."""
        before = self.changes.get(model)
        self.changes[model] = change
        # Else it is being opened, and will be looked at then.
        if model in self.infos:
            self.infos[model] = change.info
        return before
