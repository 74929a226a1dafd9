"""Who is answered when the configuration is read anew, decided with stand-ins for the run and the file."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from edgecam.appliance.systemd import Notifier
from edgecam.config.schema import Config
from edgecam.errors import ConfigError, Problem
from edgecam.pipeline import reloading
from edgecam.pipeline.reloading import Reloader
from edgecam.publish.commands import Reply


class Run:
    """Stands where a runner and its publisher stand, and an order book."""

    is_up = is_settled = True
    path = None

    def __init__(self) -> None:
        self.orders: Any = SimpleNamespace(
            loaded=SimpleNamespace(config=Config()), plan=None, device="box", password=None
        )
        self.readings: list[Callable[[], None]] = []
        """What happens at each reading of the file."""
        self.answers: list[tuple[str, bool]] = []
        self.reloader = Reloader(
            self,  # type: ignore[arg-type]
            self.orders,  # type: ignore[arg-type]
            notifier=Notifier({}),
            set_up=lambda _orders: None,
        )

    @property
    def publisher(self) -> Run:
        """Its own."""
        return self

    def read(self) -> Any:
        """The file."""
        self.readings.pop(0)()
        return self.orders

    def keep(self, _orders: object) -> None:
        """Not here."""

    def apply(self, *_: object, applied: Callable[[], None], **_orders: object) -> None:
        """At once."""
        applied()

    def notice(self, _notice: object) -> None:
        """Nobody listens."""

    def response(self, reply: Reply, *, ok: bool, message: str, data: object) -> None:  # noqa: ARG002
        """Remember it."""
        self.answers.append((reply.topic, ok))


def test_each_who_asks_is_answered_for_what_was_read_after_the_question() -> None:
    """Who spoils the file while an earlier reload is at work must not hear that all is well."""
    run = Run()

    def spoil() -> None:
        raise ConfigError([Problem("config.yaml:1:1", "fps", "bad")])

    run.readings = [lambda: run.reloader.ask(Reply("second", None)), spoil]
    run.reloader.ask(Reply("first", None))
    for _ in range(3):
        run.reloader.tend(run)  # type: ignore[arg-type]
    assert run.answers == [("first", True), ("second", False)]
    assert run.readings == []


def test_what_was_read_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that is edited again and again, well or badly, leaves no model's file in memory."""
    run, given_back_after = Run(), list[int]()
    monkeypatch.setattr(reloading, "give_back_memory", lambda: given_back_after.append(len(run.readings)))

    def spoil() -> None:
        raise ConfigError([Problem("config.yaml:1:1", "fps", "bad")])

    run.readings = [lambda: None, spoil]
    for _ in range(2):
        run.reloader.ask()
        run.reloader.tend(run)  # type: ignore[arg-type]
    assert given_back_after == [1, 0]
