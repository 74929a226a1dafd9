"""The records that the rooms hand to each other, in the order of a frame's life.

All are frozen. `*_ns` times are CLOCK_BOOTTIME nanoseconds unless the field says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class PixelFormat(StrEnum):
    """How `Image.pixels` is laid out in memory."""

    BGR = "bgr"
    """(height, width, 3), blue first: what OpenCV gives."""
    RGB = "rgb"
    """(height, width, 3), red first."""
    GRAY = "gray"
    """(height, width)."""
    I420 = "i420"
    """(height * 3 / 2, stride): Y rows, then U and V with rows of stride / 2 bytes."""
    NV12 = "nv12"
    """(height * 3 / 2, stride): Y rows, then rows of interleaved U and V."""


class YuvMatrix(StrEnum):
    """The luma coefficients of a YUV picture (ITU-R BT.601, BT.709, BT.2020)."""

    BT601 = "bt601"
    BT709 = "bt709"
    BT2020 = "bt2020"


@dataclass(frozen=True, slots=True)
class ColorSpace:
    """How a YUV picture's numbers map to RGB; ignored for other formats."""

    matrix: YuvMatrix = YuvMatrix.BT601
    full_range: bool = False
    """True: 0..255 (JPEG); False: luma 16..235, chroma 16..240 (video)."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture in memory that the frame owns (no camera buffer behind it)."""

    pixels: NDArray[np.uint8]
    format: PixelFormat
    width_px: int
    """Visible width; a YUV row may be longer (its stride is `pixels.shape[1]`)."""
    height_px: int
    color: ColorSpace = ColorSpace()


class FullPicture(Protocol):
    """A larger picture of the same moment, still in a buffer of the camera while anybody has this."""

    def copy(self) -> Image | None:
        """The picture, for any thread; None: the camera needed the buffer."""


class AgeBasis(StrEnum):
    """Where a frame's capture time comes from, best first."""

    SENSOR = "sensor"
    """The sensor's own time stamp (Picamera2 `SensorTimestamp`)."""
    DRIVER = "driver"
    """The driver's buffer time (V4L2)."""
    ARRIVAL = "arrival"
    """Taken right after the read: the true age is at least what we say."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What a camera's `read` returns: one picture and when it was taken."""

    image: Image
    captured_ns: int
    basis: AgeBasis
    full: FullPicture | None = None
    """None: `image` is all there is."""
    outputs: NDArray[np.float32] | None = None
    """(classes,): what a network on the camera's sensor said of it; None: there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A shot with its place in a camera's stream."""

    camera: str
    seq: int
    """Counts the captured frames of this camera from 1, over reopenings."""
    image: Image
    """What is analysed."""
    captured_ns: int
    basis: AgeBasis
    full: FullPicture | None = None
    """None: `image` is all there is."""
    outputs: NDArray[np.float32] | None = None
    """(classes,): what a network on the camera's sensor said of it; None: there is none."""

    def for_people(self) -> Image:
        """The largest picture that is to be had; copied here, so not for the frame's own path."""
        full = None if self.full is None else self.full.copy()
        return self.image if full is None else full


class SkipCause(StrEnum):
    """Why a captured frame gave no result; every frame has one fate."""

    SUPERSEDED = "superseded"
    """A newer frame came before the engine was free."""
    STALE = "stale"
    """It could not have made the budget."""
    RATE = "rate"
    """`max_fps`."""
    STILL = "still"
    """The motion gate saw nothing move."""
    DISABLED = "disabled"
    """The camera is switched off."""
    DECODE = "decode"
    """The picture could not be read."""
    ENGINE = "engine"
    """Lost with a failing engine."""
    SHUTDOWN = "shutdown"
    """Still waiting when the program stopped."""


@dataclass(frozen=True, slots=True)
class Score:
    """One class and its probability."""

    label: str
    id: int
    """Index into the model's output."""
    score: float
    """0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the network said of one picture; stateless."""

    probabilities: NDArray[np.float32]
    """(classes,), 0..1."""
    top: tuple[Score, ...]
    """The best classes, best first."""


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long each stage of the chain took for one frame."""

    preprocess_ns: int
    infer_ns: int
    postprocess_ns: int


@dataclass(frozen=True, slots=True)
class Result:
    """One classified frame: what the network said, of what, and when it was done."""

    camera: str
    seq: int
    captured_ns: int
    basis: AgeBasis
    finished_ns: int
    budget_ns: int
    """The camera's latency budget."""
    top: tuple[Score, ...]
    model: str
    engine: str
    """What ran it: `litert/cpu`, …"""
    stages: StageTimes

    @property
    def late(self) -> bool:
        """True if the chain ended after the budget was spent."""
        return self.finished_ns - self.captured_ns > self.budget_ns


class Status(StrEnum):
    """Whether a camera's state can be believed."""

    STARTING = "starting"
    OK = "ok"
    NO_CAMERA = "no_camera"
    DISABLED = "disabled"
    ERROR = "error"


class Reason(StrEnum):
    """Why a state or event was published."""

    STARTING = "starting"
    ENTERED = "entered"
    """A label rose above its `enter` threshold."""
    HELD = "held"
    """It fell below `exit`, but `hold_s` keeps it."""
    LEFT = "left"
    """It fell below `exit`."""
    HEARTBEAT = "heartbeat"
    CAMERA_LOST = "camera_lost"
    CAMERA_BACK = "camera_back"
    DISABLED = "disabled"
    ENABLED = "enabled"
    ENGINE_FAILED = "engine_failed"
    ENGINE_BACK = "engine_back"
    STOPPED = "stopped"
    """edgecam was stopped in order; it ends open episodes."""
    RESTART = "restart"
    """An episode left open by a crash, ended at the next start."""
    RECONFIGURED = "reconfigured"
    """A changed configuration has no such camera, or does not watch this label, any more."""


class EventType(StrEnum):
    """The two ends of an episode."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of an episode, as decided; `publish` makes an event of it."""

    type: EventType
    episode: str
    """Shared by a start and its end."""
    label: str
    score: float
    """The smoothed score when it was decided."""
    peak_score: float
    start_ns: int
    end_ns: int | None
    reason: Reason
    decided_ns: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What we say of a camera after a result or a change of its status."""

    status: Status
    label: str | None
    """The watched label or group; None when nothing is above its threshold or status is not ok."""
    score: float | None
    since_ns: int | None
    """When this label was entered (or left, when label is None)."""
    reason: Reason
    changed: bool
    """True if subscribers should hear of it now."""
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """A camera's state as the publish worker sends it."""

    camera: str
    decision: Decision
    result: Result | None
    """The newest result behind it; None before the first."""


@dataclass(frozen=True, slots=True)
class Event:
    """An edge with what the network said at that moment."""

    camera: str
    edge: Edge
    result: Result | None


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a model."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """`uint8`, `int8`, `int16`, `float32`, …"""
    scale: float | None = None
    """real = scale * (quantized - zero_point); None when not quantized per tensor."""
    zero_point: int | None = None


@dataclass(frozen=True, slots=True)
class ClockReading:
    """All clocks read at one moment, so that ages and wall times agree."""

    boot_ns: int
    """CLOCK_BOOTTIME."""
    wall_ns: int
    """CLOCK_REALTIME, since the Unix epoch."""
    synced: bool
    """Is the wall clock synchronised?"""

    def wall_at(self, boot_ns: int) -> int:
        """Wall time, in ns since the epoch, of a moment given in BOOTTIME ns."""
        return self.wall_ns - (self.boot_ns - boot_ns)
