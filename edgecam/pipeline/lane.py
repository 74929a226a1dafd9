"""What the workers share of one camera."""

from __future__ import annotations

from dataclasses import dataclass

from edgecam.pipeline.desk import Desk
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.scheduler import Policy
from edgecam.pipeline.slot import LatestSlot
from edgecam.vision.geometry import View


@dataclass(frozen=True, slots=True)
class Lane:
    """One camera's way through the house: its slot, books and desk, and the rules that it goes by."""

    camera: str
    policy: Policy
    view: View
    slot: LatestSlot
    ledger: Ledger
    desk: Desk
