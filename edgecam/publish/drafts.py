"""Messages that wait to be sent. Pure.

What depends on the moment of sending (age, lateness, how long it waited) is filled in by `render`, when the
message is handed to the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self

from edgecam.publish import messages
from edgecam.publish.messages import Payload
from edgecam.records import ClockReading, Event, EventType, Reason, Result, State, Status
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
    booted_wall_ns: int
    """Wall time at BOOTTIME 0, as the clocks stood when this was decided."""
    result: None = None
    is_of_this_boot: bool = True
    """False: BOOTTIME began anew since then."""

    @classmethod
    def of(cls, record: Event, at: ClockReading, *, event_id: str) -> EventDraft:
        """What is to be kept of an event."""
        result = record.result
        return cls(
            payload=messages.event(record, at, event_id=event_id),
            decided_ns=record.edge.decided_ns,
            captured_ns=None if result is None else result.captured_ns,
            budget_ns=0 if result is None else result.budget_ns,
            booted_wall_ns=at.wall_at(0),
        )

    @property
    def event_id(self) -> str:
        """What tells a repeat from a new event."""
        return str(self.payload["id"])

    def render(self, at: ClockReading, *, replayed: bool) -> Payload:
        """With its true age and how long it waited."""
        at = self._on_its_own_clock(at)
        sent = dict(self.payload)
        sent["replayed"] = replayed
        sent["delayed_s"] = round(max(0, at.boot_ns - self.decided_ns) / 1e9, 3)
        if self.captured_ns is not None:
            sent["age_ms"] = messages.age_ms(self.captured_ns, at)
            sent["late"] = bool(sent["late"]) or at.boot_ns - self.captured_ns > self.budget_ns
        return sent

    def _on_its_own_clock(self, at: ClockReading) -> ClockReading:
        """As if there had been no reboot: by the wall clock, but it was before this boot at any rate."""
        if self.is_of_this_boot:
            return at
        own_ns = max(at.wall_ns - self.booted_wall_ns, self.decided_ns + at.boot_ns)
        return replace(at, boot_ns=own_ns)

    def pack(self) -> dict[str, Any]:
        """All of it as JSON has it, for a file."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        del kept["result"], kept["is_of_this_boot"]
        return kept

    @classmethod
    def unpack(cls, kept: Mapping[str, Any], *, is_of_this_boot: bool) -> Self:
        """From what `pack` gave; raises TypeError, KeyError or ValueError if it is anything else."""
        draft = cls(**kept, is_of_this_boot=is_of_this_boot)
        numbers = (draft.decided_ns, draft.captured_ns or 0, draft.budget_ns, draft.booted_wall_ns)
        if not all(isinstance(number, int) for number in numbers):
            raise TypeError("expected whole numbers of nanoseconds")
        draft.payload["id"], draft.payload["late"]
        return draft

    def ended_by_restart(self, at: ClockReading, *, event_id: str) -> EventDraft:
        """The end of the episode that this one began, as its true end went unseen.

        It is now at the latest. What the last frame showed is not known any more.
        """
        start = str(self.payload["start"])
        payload = {
            **self.payload,
            **messages.unseen(at),
            "status": Status.STARTING.value,
            "reason": Reason.RESTART.value,
            "id": event_id,
            "event_type": EventType.END.value,
            # A wall clock that is not set yet may stand before it; both are texts of one form.
            "end": max(start, messages.rfc3339(at.wall_ns)),
        }
        return EventDraft(payload, at.boot_ns, None, 0, at.wall_at(0))


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
