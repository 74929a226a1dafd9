"""One opening of a camera, from open to close, in a thread that may hang there and be left behind."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgecam.capture.camera import Camera
from edgecam.errors import CameraLost
from edgecam.pipeline.deadline import CallWatch
from edgecam.records import Shot

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DriverLimits:
    """How long a driver may take, in seconds, before it is taken for hung."""

    open_s: float = 40.0
    """A network stream takes 10 s to learn that nobody answers, a camera's firmware as long to start."""
    read_s: float = 4.0
    """A read comes back from silence by itself, after the stall limit at the latest."""
    close_s: float = 3.0
    look_s: float = 0.25
    """How often it is looked at."""


class Reader:
    """Opens a camera, serves it, closes it. A driver that does not come back costs its thread, nothing else.

    Whoever watches calls `hangs` now and then, and `leave_behind` when it does. From then on this opening is
    deaf and dumb: what it reads late is dropped, and it closes its camera should it ever come back.
    """

    def __init__(
        self,
        name: str,
        open_camera: Callable[[], Camera],
        serve: Callable[[Reader, Camera], None],
        *,
        limits: DriverLimits,
    ) -> None:
        """Open nothing yet.

        Args:
            name: of the camera, for the names of threads.
            open_camera: opens it.
            serve: reads by `read` until it is enough, or something is raised.
            limits: how long the driver may take.
        """
        self._name = name
        self._open_camera = open_camera
        self._serve = serve
        self._limits_s = {"open": limits.open_s, "read": limits.read_s, "close": limits.close_s}
        self._close_s = limits.close_s
        self._lock = threading.Lock()
        self._calls = 0
        self._call: tuple[str, int] | None = None
        """What the driver is asked for, and the how-manieth call that is; None: nothing."""
        self._watch = CallWatch()
        self.is_left = False
        """It was left behind."""
        self._camera: Camera | None = None
        self._threads: list[threading.Thread] = []
        self.ended = threading.Event()
        """All is over, and the camera is closed; not set any more once it was left behind."""
        self.fault: BaseException | None = None
        """What ended it; None: it was enough."""

    @property
    def is_gone(self) -> bool:
        """True once none of its threads is in the driver any more."""
        return not any(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin."""
        self._start(self._run, "capture")

    def read(self, camera: Camera, timeout_s: float) -> Shot | None:
        """As `Camera.read`; raises CameraLost, too, once it was left behind."""
        # A recording hangs for nobody's sake: what is slow there is the disk, or the picture is large.
        self._enter("read" if camera.live else None)
        try:
            return camera.read(timeout_s)
        finally:
            self._leave()

    def hangs(self) -> str | None:
        """What does not come back: `open`, `read` or `close`; None: all is well."""
        call = self._call
        lasted_ns = self._watch.look(call, now_ns=time.monotonic_ns())
        return call[0] if call is not None and lasted_ns > self._limits_s[call[0]] * 1e9 else None

    def leave_behind(self) -> bool:
        """Turn away, and have another thread close the camera, which may free it; False: it came back."""
        with self._lock:
            call = self._call
            if call is None:
                return False
            self.is_left = True
        if self._camera is not None and call[0] != "close":
            self._start(self._free, "close")
        return True

    def wait_until_gone(self) -> bool:
        """Give its threads the time of a close to leave the driver; False: one hangs there still."""
        ends_s = time.monotonic() + self._close_s
        for thread in list(self._threads):
            thread.join(max(0.0, ends_s - time.monotonic()))
        return self.is_gone

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as fault:  # noqa: BLE001 - whoever watches raises it
            self.fault = fault
        finally:
            with self._lock:
                self._call = None
            self.ended.set()

    def _work(self) -> None:
        self._enter("open")
        camera = self._open_camera()
        try:
            self._camera = camera
            self._leave()
            self._serve(self, camera)
        finally:
            self._enter("close")
            camera.close()
            self._leave()

    def _free(self) -> None:
        """Close the camera under its reader."""
        try:
            if self._camera is not None:
                self._camera.close()
        except Exception as fault:  # noqa: BLE001 - it is lost in any case
            log.debug("camera closed with a fault camera=%s fault=%s", self._name, fault)

    def _enter(self, what: str | None) -> None:
        self._calls += 1
        self._call = None if what is None else (what, self._calls)

    def _leave(self) -> None:
        with self._lock:
            self._call = None
            if self.is_left:
                raise CameraLost("came back too late: another reader has taken over")

    def _start(self, work: Callable[[], None], what: str) -> None:
        # A daemon: what hangs in a driver must not keep the process from leaving.
        thread = threading.Thread(target=work, name=f"{what}-{self._name}", daemon=True)
        self._threads.append(thread)
        thread.start()
