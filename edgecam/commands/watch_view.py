"""What `watch` shows: everything heard so far, as lines or as a table."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from edgecam.client import (
    AvailabilityMessage,
    CameraFigures,
    CameraMessage,
    EventMessage,
    Message,
    NoticeMessage,
    PredictionMessage,
    StateMessage,
    StatsMessage,
)

_RECENT = 5
_TOP = 3
_LABEL_CHARS = 12
# A stranger may invent devices and cameras without end.
_MOST_ROWS = 200
_STYLE_OF_LEVEL = {"info": "", "warning": "yellow", "error": "bold red"}


@dataclass(slots=True)
class CameraRow:
    """The newest of one camera."""

    state: StateMessage | None = None
    prediction: PredictionMessage | None = None
    figures: CameraFigures | None = None
    heard_s: float | None = None
    """When its newest result was heard, on the monotonic clock."""


class Board:
    """The newest of each device and camera; `take` a message, `line` or `table` it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._online: dict[str, bool] = {}
        self._rows: dict[tuple[str, str], CameraRow] = {}
        self._recent: deque[Text] = deque(maxlen=_RECENT)

    def take(self, message: Message) -> str | None:
        """Remember a message; returns a line when it changes what a reader of lines knows."""
        match message:
            case AvailabilityMessage():
                return self._availability(message)
            case NoticeMessage():
                text = _clean(f"{_time(message.ts)} {message.device} {message.level}: {message.message}")
                self._recent.append(Text(text, style=_STYLE_OF_LEVEL.get(message.level, "")))
                return text
            case StatsMessage():
                for camera, figures in message.cameras.items():
                    self._row(message.device, camera).figures = figures
            case EventMessage():
                self._recent.append(Text(self._event_line(message)))
            case StateMessage():
                return self._state(message)
            case PredictionMessage():
                row = self._row(message.device, message.camera)
                row.prediction = message
                row.heard_s = time.monotonic()
            case _:
                pass
        return None

    def table(self, *, connected: bool) -> Group:
        """All of it, for a terminal."""
        link = Text("connected", "green") if connected else Text("no broker, trying", "bold red")
        devices = [
            Text.assemble(
                "  ", _clean(device), " ", ("online", "green") if online else ("offline", "bold red")
            )
            for device, online in sorted(self._online.items())
        ]
        table = Table(expand=True)
        table.add_column("camera", no_wrap=True)
        table.add_column("label", no_wrap=True, min_width=_LABEL_CHARS)
        for name in ("score", "age ms", "fps in", "fps out", "late"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("skipped", no_wrap=True)
        said = []
        for (device, camera), row in sorted(self._rows.items()):
            name = self._name(device, camera)
            table.add_row(Text(name), *_cells(row))
            said.append(_network_line(name, row))
        if any(row.figures is None for row in self._rows.values()):
            table.caption = "rates and skips come with the next heartbeat of the device"
        return Group(Text.assemble(self._url, " ", link, *devices), table, *said, *self._recent)

    def _row(self, device: str, camera: str) -> CameraRow:
        row = self._rows.get((device, camera)) or CameraRow()
        if len(self._rows) < _MOST_ROWS:
            self._rows.setdefault((device, camera), row)
        return row

    def _name(self, device: str, camera: str) -> str:
        """The camera's id; with that of its device as soon as there is more than one."""
        several = len({known for known, _ in self._rows}) > 1
        return _clean(f"{device}/{camera}" if several else camera)

    def _availability(self, message: AvailabilityMessage) -> str | None:
        if self._online.get(message.device) == message.online:
            return None
        if len(self._online) >= _MOST_ROWS and message.device not in self._online:
            return None
        self._online[message.device] = message.online
        return _clean(f"{_time(None)} {message.device} {'online' if message.online else 'offline'}")

    def _state(self, message: StateMessage) -> str | None:
        row = self._row(message.device, message.camera)
        before, row.state = row.state, message
        row.heard_s = time.monotonic()
        if before and (before.status, before.label) == (message.status, message.label):
            return None
        notes = [message.reason]
        notes += [name for name in ("late", "replayed") if getattr(message, name)]
        return _clean(f"{self._said(message)} ({', '.join(notes)})")

    def _event_line(self, message: EventMessage) -> str:
        return _clean(f"{self._said(message)} {message.event_type} ({message.reason})")

    def _said(self, message: StateMessage) -> str:
        what = message.label if message.status == "ok" else message.status
        parts = [_time(message.ts), self._name(message.device, message.camera), what or "-"]
        if message.score is not None:
            parts.append(f"{message.score:.2f}")
        if message.age_ms is not None:
            parts.append(f"age {message.age_ms} ms")
        return " ".join(parts)


def _clean(text: str) -> str:
    """The text without what would steer a terminal: it may come from a stranger."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _time(moment: datetime | None) -> str:
    """Local time of day; now, when there is none."""
    moment = moment or datetime.now().astimezone()
    return moment.astimezone().strftime("%H:%M:%S")


def _cells(row: CameraRow) -> list[Text | str]:
    state, figures = row.state, row.figures
    newest = _newest(row)
    return [
        _label(state),
        "" if state is None or state.score is None else f"{state.score:.2f}",
        "" if newest is None or newest.age_ms is None else Text(str(newest.age_ms), _late_style(newest)),
        "" if figures is None else f"{figures.fps_in:.1f}",
        "" if figures is None else f"{figures.fps_out:.1f}",
        "" if figures is None else str(figures.late),
        "" if figures is None else Text(_skipped(figures)),
    ]


def _network_line(name: str, row: CameraRow) -> Text:
    """What the network said last, and how long ago that was heard."""
    newest = _newest(row)
    if newest is None or not newest.top or row.heard_s is None:
        return Text(f"{name}: nothing classified yet", "dim", no_wrap=True)
    top = ", ".join(f"{score.label} {score.score:.2f}" for score in newest.top[:_TOP])
    ago_s = time.monotonic() - row.heard_s
    return Text(_clean(f"{name}: the network said {top} ({ago_s:.0f} s ago)"), no_wrap=True)


def _newest(row: CameraRow) -> CameraMessage | None:
    if row.prediction and (row.state is None or (row.prediction.seq or 0) >= (row.state.seq or 0)):
        return row.prediction
    return row.state


def _label(state: StateMessage | None) -> Text:
    if state is None:
        return Text("")
    if state.status != "ok":
        return Text(_clean(state.status), "yellow")
    return Text(_clean(state.label or "-"), "bold" if state.label else "dim")


def _late_style(message: CameraMessage) -> str:
    return "yellow" if message.late else ""


def _skipped(figures: CameraFigures) -> str:
    return _clean(", ".join(f"{cause} {count}" for cause, count in figures.skipped.items() if count))
