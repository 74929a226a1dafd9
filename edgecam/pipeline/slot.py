"""The hand-off from a camera to its engine: one place, newest wins."""

from __future__ import annotations

from threading import Condition

from edgecam import clock
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.rhythm import Metronome, Rhythm
from edgecam.records import Frame


class LatestSlot:
    """Holds the newest frame of one camera until the engine takes it.

    All slots of one engine share its doorbell, so that the engine waits for any of them at once.
    """

    def __init__(self, bell: Doorbell) -> None:
        """Args: bell: rung at each new frame; its lock guards the slot."""
        self._bell = bell
        self._freed = Condition(bell.lock)
        self._frame: Frame | None = None
        self._closed = False
        self._heir: LatestSlot | None = None
        self._metronome = Metronome()

    @property
    def rhythm(self) -> Rhythm | None:
        """How the frames come; None: not known, or they wait for the engine."""
        return self._metronome.rhythm

    def put(self, frame: Frame) -> Frame | None:
        """Lay down the newest frame; what comes back will not be classified.

        Returns:
            The superseded frame, `frame` itself if the slot is closed, or None.
        """
        with self._bell.lock:
            if self._closed:
                heir = self._heir
            else:
                superseded, self._frame = self._frame, frame
                self._metronome.heard(frame.captured_ns, arrived_ns=clock.boot_ns())
                self._bell.ring()
                return superseded
        return frame if heir is None else heir.put(frame)

    def put_when_free(self, frame: Frame) -> Frame | None:
        """Lay down a frame once the last one was taken: for recordings that skip nothing.

        Returns:
            `frame` itself if the slot was closed meanwhile, or None.
        """
        with self._freed:
            self._freed.wait_for(lambda: self._frame is None or self._closed)
            if not self._closed:
                self._frame = frame
                self._bell.ring()
                return None
            heir = self._heir
        return frame if heir is None else heir.put_when_free(frame)

    def peek(self) -> Frame | None:
        """The waiting frame. The caller holds the lock."""
        return self._frame

    def take(self) -> Frame | None:
        """The waiting frame, and empty the slot. The caller holds the lock."""
        frame, self._frame = self._frame, None
        if frame is not None:
            self._freed.notify_all()
        return frame

    def empty(self) -> Frame | None:
        """Take what waits, by another than the engine."""
        with self._bell.lock:
            return self.take()

    def hand_on(self, heir: LatestSlot) -> None:
        """The camera has another engine: what waits here, and all that comes, is the heir's from now on."""
        with self._freed:
            frame, self._frame = self._frame, None
            heir.inherit(frame, self._metronome)
            self._heir, self._closed = heir, True
            self._freed.notify_all()

    def inherit(self, frame: Frame | None, metronome: Metronome) -> None:
        """Begin where another slot ended; nobody uses this one yet."""
        self._frame, self._metronome = frame, metronome
        self._bell.ring()

    def close(self) -> Frame | None:
        """Accept no more, release whoever waits; the frame that was left, if any."""
        with self._freed:
            self._closed = True
            frame, self._frame = self._frame, None
            self._freed.notify_all()
        self._bell.ring()
        return frame
