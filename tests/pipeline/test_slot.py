"""The hand-off between camera and engine."""

from __future__ import annotations

import time
from threading import Thread

import numpy as np

from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.slot import LatestSlot
from edgecam.records import AgeBasis, Frame, Image, PixelFormat

IMAGE = Image(np.zeros((1, 1), np.uint8), PixelFormat.GRAY, 1, 1)


def frame(seq: int) -> Frame:
    """A frame of camera a."""
    return Frame("a", seq, IMAGE, seq, AgeBasis.ARRIVAL)


def test_the_newest_wins_and_the_superseded_comes_back_to_be_counted() -> None:
    """One place: no queue in which frames grow old."""
    slot = LatestSlot(Doorbell())
    first, second = frame(1), frame(2)
    assert slot.put(first) is None
    assert slot.put(second) is first
    with slot._bell.lock:
        assert slot.take() is second
        assert slot.take() is None


def test_a_closed_slot_gives_every_frame_back() -> None:
    """At shutdown each frame is still accounted for."""
    slot = LatestSlot(Doorbell())
    waiting, late = frame(1), frame(2)
    slot.put(waiting)
    assert slot.close() is waiting
    assert slot.put(late) is late
    assert slot.put_when_free(late) is late


def test_a_lossless_put_waits_for_the_taker_and_is_released_by_close() -> None:
    """As fast as possible means as fast as the engine, and a stop does not hang."""
    slot = LatestSlot(Doorbell())
    refused: list[Frame | None] = []

    def feed() -> None:
        refused.extend(slot.put_when_free(frame(n)) for n in (1, 2, 3, 4))

    feeder = Thread(target=feed)
    feeder.start()
    taken = []
    for _ in range(2):
        slot._bell.wait(5)
        got = slot.empty()
        assert got is not None
        taken.append(got.seq)
    slot._bell.wait(5)
    # The feeder holds the fourth by now, or will find the slot closed: either way it must come back.
    left = slot.close()
    feeder.join(5)
    assert taken == [1, 2]
    assert left is not None
    assert left.seq == 3
    assert [None if kept is None else kept.seq for kept in refused] == [None, None, None, 4]


def test_a_ring_that_nobody_waits_for_is_kept_and_several_are_one() -> None:
    """A frame that comes while the engine looks elsewhere is not slept through."""
    bell = Doorbell()
    bell.ring()
    bell.ring()
    bell.wait(5)
    begun_s = time.monotonic()
    bell.wait(0.05)
    assert time.monotonic() - begun_s >= 0.04
