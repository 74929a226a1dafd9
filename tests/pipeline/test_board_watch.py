"""From the board's state to its ladders and notices."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Thread

import pytest
from stand_ins import until

from edgecam.pipeline import board_watch
from edgecam.pipeline.board_watch import BoardWatch
from edgecam.reports import BoardStats, Limit, Limits, Notice, NoticeKind


@dataclass
class Engine:
    """Stands where an engine worker stands."""

    is_strained: bool = False


def test_a_board_that_is_slowed_down_is_told_and_its_engines_know(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it is over; an engine that a changed configuration brings hears of it, too."""
    board = [BoardStats(temperature_c=84.0, throttled=0x4, limits=Limits((Limit.THROTTLED,)))]
    monkeypatch.setattr(board_watch, "board_stats", lambda **_: board[0])
    monkeypatch.setattr(board_watch, "_LOOK_S", 0.01)
    notices: list[Notice] = []
    engines = [Engine()]
    watch = BoardWatch(notices.append, lambda: list(engines))  # type: ignore[arg-type]
    thread = Thread(target=watch.run, daemon=True)
    with caplog.at_level(logging.INFO):
        thread.start()
        until(lambda: engines[0].is_strained)
        engines.append(Engine())
        until(lambda: engines[1].is_strained)
        board[0] = BoardStats(throttled=0, limits=Limits())
        until(lambda: not any(engine.is_strained for engine in engines))
        watch.close()
        thread.join(10)
    assert not thread.is_alive()
    assert [(notice.kind, notice.data["limits"]) for notice in notices] == [
        (NoticeKind.THROTTLED, "throttled")
    ]
    assert len([text for text in caplog.messages if "slowed down" in text]) == 1
