"""What the workers share of one camera."""

from __future__ import annotations

from dataclasses import dataclass

from edgecam.decision.watchlist import Watchlist
from edgecam.pipeline.desk import Desk
from edgecam.pipeline.evidence import Evidence
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.scheduler import Policy
from edgecam.pipeline.slot import LatestSlot
from edgecam.pipeline.snapshots import Snapshots
from edgecam.records import Frame
from edgecam.vision.geometry import View
from edgecam.vision.motion import GateRules, MotionGate


@dataclass(frozen=True, slots=True)
class Rung:
    """One model of a camera's ladder, and what the camera watches among its labels."""

    model: str
    """Its name in the configuration."""
    watchlist: Watchlist
    """The same names on every rung."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a camera's frames go by; all of it may change between two frames."""

    policy: Policy
    view: View
    rungs: tuple[Rung, ...]
    """Best first; one at least."""
    gate: GateRules | None
    """None: everything is looked at."""
    smoothing_s: float
    prediction_interval_ns: int | None
    """Between two that are told; None: none is."""


@dataclass(slots=True)
class Lane:
    """One camera's way through the house: its slot, books and desk, and the rules that it goes by.

    The rules are changed by `follow` alone, while no frame is with the engine.
    """

    camera: str
    policy: Policy
    view: View
    rungs: tuple[Rung, ...]
    """Best first; one at least."""
    gate: MotionGate | None
    """None: everything is looked at."""
    slot: LatestSlot
    ledger: Ledger
    desk: Desk
    snapshots: Snapshots | None = None
    """None: none are made. Read it once: a reload may take it away between two looks."""
    evidence: Evidence | None = None
    """None: none is kept."""

    def episode_began(self, frame: Frame) -> None:
        """With this frame: its picture is shown and kept, where that is wanted."""
        if (snapshots := self.snapshots) is not None:
            snapshots.take(frame)
        if self.evidence is not None:
            self.evidence.show(frame, self.view)

    def follow(self, rules: Rules) -> None:
        """Go by these from now on; for the thread that owns the engine, or when there is none."""
        best = rules.rungs[0].watchlist
        seen_anew = self.view != rules.view or self.rungs[0].watchlist.names != best.names
        rules_of_gate = None if self.gate is None else self.gate.rules
        if rules.gate != rules_of_gate:
            self.gate = None if rules.gate is None else MotionGate(rules.gate)
        elif self.gate is not None and seen_anew:
            self.gate.reset()
        self.policy, self.view, self.rungs = rules.policy, rules.view, rules.rungs
        self.desk.revise(
            best, smoothing_s=rules.smoothing_s, prediction_interval_ns=rules.prediction_interval_ns
        )
