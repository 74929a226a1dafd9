"""All that a run goes by, read from the outside and checked as a whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecam.appliance.board import device_id, instance_name
from edgecam.config.certificates import read_tls
from edgecam.config.last_good import keep_last_good, last_good_path
from edgecam.config.loader import LoadedConfig, find_config, load_config
from edgecam.config.password import read_password
from edgecam.config.state_folder import state_folder
from edgecam.errors import ConfigError, EdgecamError, ModelError
from edgecam.pipeline.assembly import Plan, assemble

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Orders:
    """What a run needs."""

    loaded: LoadedConfig
    plan: Plan
    device: str
    """This box in topics."""
    password: str | None
    """For the broker."""


class OrderBook:
    """Reads the orders of a run, as often as they change, and remembers the last ones that were good."""

    def __init__(self, path: Path | None, *, sets: Sequence[str], environ: Mapping[str, str]) -> None:
        """Args: the configuration, None: where `load_config` looks; `key=value` texts; the environment."""
        self.path = find_config(path, environ=environ)
        """The file; None: the defaults hold."""
        self._sets = sets
        self._environ = environ

    def read(self, *, stand_in: Path | None = None) -> Orders:
        """The orders as they are now.

        Args:
            stand_in: read in the place of the file.

        Raises:
            ConfigError: every problem found.
            ModelError: a model cannot be used.
            UsageError: a `key=value` text is none.
        """
        loaded = load_config(self.path, sets=self._sets, environ=self._environ, stand_in=stand_in)
        config = loaded.config
        plan = assemble(loaded)
        try:
            read_tls(config.mqtt, loaded.folder)
            password = read_password(config.mqtt, loaded.folder, self._environ)
        except ConfigError as error:
            raise loaded.placed(error) from None
        instance = instance_name(self._environ)
        device = device_id(instance=instance) if config.device == "auto" else config.device
        return Orders(loaded, plan, device, password)

    def read_for_start(self) -> tuple[Orders, EdgecamError | None]:
        """The orders; where they cannot be used, the last ones that could, and the fault.

        Raises:
            EdgecamError: the fault, if there are no such orders.
        """
        try:
            return self.read(), None
        except (ConfigError, ModelError) as fault:
            kept = self._kept
            if kept is None or not kept.is_file():
                raise
            try:
                return self.read(stand_in=kept), fault
            except EdgecamError:
                raise fault from None

    def keep(self, orders: Orders) -> None:
        """These were good. Never raises."""
        if self._kept is None:
            return
        try:
            if keep_last_good(self._kept, orders.loaded.text):
                log.info("configuration kept as the last good one path=%s", self._kept)
        except OSError as error:
            log.warning(
                "last good configuration cannot be kept path=%s reason=%s", self._kept, error.strerror
            )

    @property
    def _kept(self) -> Path | None:
        return None if self.path is None else last_good_path(self.path, state_folder(self._environ))
