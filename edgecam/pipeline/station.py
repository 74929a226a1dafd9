"""What stands at one engine worker's place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edgecam.inference.engine import Engine
from edgecam.model.model import Model
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.lane import Lane


@dataclass(frozen=True, slots=True)
class Station:
    """What stands at one engine worker's place."""

    models: Mapping[str, Model]
    """By their names in the configuration: all rungs of its cameras' ladders."""
    open_engine: Callable[[str], Engine]
    """Opens and tests the engine of a model, by its name; raises EngineError."""
    lanes: Sequence[Lane]
    """The cameras that it serves."""
    bell: Doorbell
    """Of their slots."""
    prefer_freshness: bool = True
    timeouts_ns: Mapping[str, int] = field(default_factory=dict)
    """How long an inference may take, by model; of one that is not named, the rule says."""
