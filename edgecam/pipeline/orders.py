"""All that a run goes by, read from the outside and checked as a whole."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecam.appliance.board import board_model, device_id, instance_name
from edgecam.config.certificates import read_tls
from edgecam.config.last_good import (
    count_start,
    forget_starts,
    keep_last_good,
    last_good_path,
    read_text,
)
from edgecam.config.loader import LoadedConfig, find_config, load_config
from edgecam.config.password import read_password
from edgecam.config.state_folder import state_folder, threads_path
from edgecam.errors import ConfigError, EdgecamError, ModelError
from edgecam.inference.thread_store import ThreadStore
from edgecam.inference.threads import ThreadChoice
from edgecam.pipeline.assembly import Plan, assemble

log = logging.getLogger(__name__)

# A power cut, too, ends a start out of order; hardly three of them in a row do.
_MOST_STARTS = 3


@dataclass(frozen=True, slots=True)
class Orders:
    """What a run needs."""

    loaded: LoadedConfig
    plan: Plan
    device: str
    """This box in topics."""
    password: str | None
    """For the broker."""
    are_proven: bool = False
    """They are the last that ran: what cannot be used of them now has been lost since, and may come back."""


class OrderBook:
    """Reads the orders of a run, as often as they change, and remembers the last ones that were good."""

    def __init__(self, path: Path | None, *, sets: Sequence[str], environ: Mapping[str, str]) -> None:
        """Args: the configuration, None: where `load_config` looks; `key=value` texts; the environment."""
        self.path = find_config(path, environ=environ)
        """The file; None: the defaults hold."""
        self._sets = sets
        self._environ = environ
        # One for all that is read: a reload need not measure again.
        store = ThreadStore(threads_path(environ))
        self._threads = ThreadChoice(store, board=board_model(), cores=len(os.sched_getaffinity(0)))

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
        plan = replace(assemble(loaded), threads=self._threads)
        try:
            read_tls(config.mqtt, loaded.folder)
            password = read_password(config.mqtt, loaded.folder, self._environ)
        except ConfigError as error:
            raise loaded.placed(error) from None
        instance = instance_name(self._environ)
        device = device_id(instance=instance) if config.device == "auto" else config.device
        return Orders(loaded, plan, device, password, are_proven=self._have_run(loaded.text))

    def read_for_start(self) -> tuple[Orders, EdgecamError | None]:
        """The orders; where they cannot be used, the last ones that could, and the fault.

        Raises:
            EdgecamError: the fault, if there are no such orders.
        """
        try:
            orders = self.read()
            self._count_start(orders)
        except (ConfigError, ModelError) as fault:
            last = self._read_last_good()
            if last is None:
                raise
            return last, fault
        return orders, None

    def may_come_back(self) -> bool:
        """True if the file is the last that ran: what is missing of it was there, on a late disk perhaps."""
        text = self.text()
        return text is not None and self._have_run(text)

    def text(self) -> str | None:
        """The file's; None: there is none, or it cannot be read."""
        return None if self.path is None else read_text(self.path)

    def read_last_good(self, *, instead_of: Orders) -> Orders | None:
        """The last orders that ran; None: there are none that can be used, or they are these.

        What the command line puts on top is somebody's who watches.
        """
        return None if instead_of.are_proven or self._sets else self._read_last_good()

    def ended(self) -> None:
        """This start has come through, or has ended in order: neither hung nor crashed. Never raises."""
        if self.kept is not None:
            forget_starts(self.kept)

    def keep(self, orders: Orders) -> None:
        """These were good. Never raises."""
        if not orders.are_proven:
            self.ended()
        if self.kept is None or self._sets:
            # What the command line put on top may be what was good of it.
            return
        try:
            if keep_last_good(self.kept, orders.loaded.text):
                log.info("configuration kept as the last good one path=%s", self.kept)
        except OSError as error:
            log.warning("last good configuration cannot be kept path=%s reason=%s", self.kept, error.strerror)

    def _count_start(self, orders: Orders) -> None:
        """Raises ModelError: too many starts with this text neither came through nor ended in order."""
        if self.kept is None or self._sets or orders.are_proven or read_text(self.kept) is None:
            return
        if count_start(self.kept, orders.loaded.text) > _MOST_STARTS:
            raise ModelError(
                f"{self.path}: edgecam hung or crashed at {_MOST_STARTS} starts with it, most likely in an "
                "engine: try its models with `edgecam doctor`, then change it or reload it"
            )

    def _read_last_good(self) -> Orders | None:
        if self.kept is None or read_text(self.kept) is None:
            return None
        try:
            return self.read(stand_in=self.kept)
        except EdgecamError:
            return None

    def _have_run(self, text: str) -> bool:
        """What the command line puts on top was never part of what is kept."""
        return not self._sets and self.kept is not None and read_text(self.kept) == text

    @property
    def kept(self) -> Path | None:
        """Where the text of the last good ones lies, once there are any; None: there is no file to keep."""
        return None if self.path is None else last_good_path(self.path, state_folder(self._environ))
