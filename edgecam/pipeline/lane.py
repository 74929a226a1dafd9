"""What the workers share of one camera."""

from __future__ import annotations

from dataclasses import dataclass

from edgecam.decision.watchlist import Watchlist
from edgecam.pipeline.desk import Desk
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.scheduler import Policy
from edgecam.pipeline.slot import LatestSlot
from edgecam.pipeline.snapshots import Snapshots
from edgecam.vision.geometry import View
from edgecam.vision.motion import MotionGate


@dataclass(frozen=True, slots=True)
class Rung:
    """One model of a camera's ladder, and what the camera watches among its labels."""

    model: str
    """Its name in the configuration."""
    watchlist: Watchlist
    """The same names on every rung."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One camera's way through the house: its slot, books and desk, and the rules that it goes by."""

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
    """None: none are made."""
