"""Messages that wait to be sent. Pure.

What depends on the moment of sending (age, lateness, how long it waited) is filled in by `render`, when the
message is handed to the client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edgecam.publish import messages
from edgecam.publish.messages import Payload
from edgecam.records import ClockReading, Event, Result, State
from edgecam.reports import Info


class Draft(Protocol):
    """A message that waits to be sent."""

    @property
    def result(self) -> Result | None:
        """The classified frame that it tells of; None: none, or it may be long past."""

    def render(self, at: ClockReading, *, replayed: bool) -> Payload | bytes:
        """The payload as it is at the moment of sending; bytes are no JSON."""


@dataclass(frozen=True, slots=True)
class StateDraft:
    """A state, rendered when it is sent."""

    state: State

    @property
    def result(self) -> Result | None:
        """The newest one behind it."""
        return self.state.result

    def render(self, at: ClockReading, *, replayed: bool) -> Payload:
        """With its true age."""
        return messages.state(self.state, at, replayed=replayed)


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event: rendered when decided, completed when sent. Plain values, so that a file can hold it."""

    payload: Payload
    decided_ns: int
    captured_ns: int | None
    budget_ns: int
    result: None = None

    @classmethod
    def of(cls, record: Event, at: ClockReading, *, event_id: str) -> EventDraft:
        """What is to be kept of an event."""
        result = record.result
        return cls(
            payload=messages.event(record, at, event_id=event_id),
            decided_ns=record.edge.decided_ns,
            captured_ns=None if result is None else result.captured_ns,
            budget_ns=0 if result is None else result.budget_ns,
        )

    def render(self, at: ClockReading, *, replayed: bool) -> Payload:
        """With its true age and how long it waited."""
        sent = dict(self.payload)
        sent["replayed"] = replayed
        sent["delayed_s"] = round(max(0, at.boot_ns - self.decided_ns) / 1e9, 3)
        if self.captured_ns is not None:
            sent["age_ms"] = messages.age_ms(self.captured_ns, at)
            sent["late"] = bool(sent["late"]) or at.boot_ns - self.captured_ns > self.budget_ns
        return sent


@dataclass(frozen=True, slots=True)
class PredictionDraft:
    """A result, rendered when it is sent."""

    result: Result

    def render(self, at: ClockReading, *, replayed: bool) -> Payload:  # noqa: ARG002 - it is never sent again
        """With its true age."""
        return messages.prediction(self.result, at)


@dataclass(frozen=True, slots=True)
class InfoDraft:
    """What runs here, rendered when it is sent."""

    info: Info
    result: None = None

    def render(self, at: ClockReading, *, replayed: bool) -> Payload:  # noqa: ARG002 - it is true now, however old
        """As of now."""
        return messages.info(self.info, at)


@dataclass(frozen=True, slots=True)
class FixedDraft:
    """A payload that waiting does not change: a notice, stats."""

    payload: Payload
    result: None = None

    def render(self, at: ClockReading, *, replayed: bool) -> Payload:  # noqa: ARG002 - see above
        """As it was made."""
        return self.payload


@dataclass(frozen=True, slots=True)
class RawDraft:
    """A payload that is no JSON: a picture, a word, or nothing, which clears a retained topic."""

    payload: bytes
    result: None = None

    def render(self, at: ClockReading, *, replayed: bool) -> bytes:  # noqa: ARG002 - see above
        """As it was made."""
        return self.payload
