"""What a run has only if its configuration asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.config.schema import Config, SnapshotsConfig
from edgecam.pipeline.announcing import home_assistant_announcements
from edgecam.pipeline.assembly import Plan
from edgecam.pipeline.evidence import Evidence
from edgecam.pipeline.snapshots import Snapshots
from edgecam.publish.messages import Payload
from edgecam.publish.publisher import Publisher
from edgecam.reports import Notice, Reading

if TYPE_CHECKING:
    from edgecam.pipeline.metering import Metering


def announcements(config: Config, device: str) -> dict[str, Payload] | None:
    """For Home Assistant; None: it is not told of us."""
    return home_assistant_announcements(config, device=device) if config.mqtt.home_assistant.enabled else None


def evidence(config: Config, folder: Path | None, tell: Callable[[Notice], None]) -> Evidence | None:
    """Events and their pictures, kept in that folder; None: none are."""
    if folder is None or not config.history.enabled:
        return None
    return Evidence(folder, config.history, tell)


def metering(config: Config, read: Callable[[], Reading], tell: Callable[[Notice], None]) -> Metering | None:
    """Metrics for Prometheus, whose library is loaded only here; None: there are none."""
    if not config.metrics.enabled:
        return None
    from edgecam.pipeline.metering import Metering

    return Metering(config.metrics, read, tell)


def snapshots(config: SnapshotsConfig, plan: Plan, publisher: Publisher) -> Snapshots | None:
    """Pictures for subscribers; None: there are none."""
    if not config.enabled:
        return None
    views = {camera.camera: camera.view for camera in plan.cameras}
    return Snapshots(publisher, views, keep_s=config.keep_s)
