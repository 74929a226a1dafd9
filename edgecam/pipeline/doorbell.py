"""How a camera wakes its engine."""

from __future__ import annotations

from threading import Lock


class Doorbell:
    """Wakes the one thread that waits; a ring that nobody waits for is kept, several are one.

    Unlike a condition it is rung without a lock: who is woken by `notify` first has to wait for the one
    that woke it, which is one more sleep on the way of every frame.
    """

    def __init__(self) -> None:
        """Not rung."""
        self.lock = Lock()
        """Guards what the ringing is about, the slots of one engine; not needed to ring or to wait."""
        self._silence = Lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Wake it, or let it not fall asleep."""
        try:
            self._silence.release()
        except RuntimeError:
            # Rung already.
            return

    def wait(self, timeout_s: float | None = None) -> None:
        """Until it rings, or for so long; only one thread may wait."""
        self._silence.acquire(timeout=-1 if timeout_s is None else max(0.0, timeout_s))
