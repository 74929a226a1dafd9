"""Every key of the configuration: type, limits, default and meaning.

The reference (`docs/configuration.md`), the JSON Schema for editors and the words of the loader's messages
are made from these classes. Units stand in the keys: `_ms` milliseconds, `_s` seconds, `fps` and `_hz` per
second.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from edgecam.broker_url import parse_broker_url
from edgecam.config.rules import (
    ID_PATTERN,
    check_base,
    check_broker,
    check_camera_id,
    check_control,
    check_roi,
    check_rungs,
    check_window,
)
from edgecam.config.source import parse_source


def _listed(value: Any) -> Any:
    """A bare name stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _windows(value: Any) -> Any:
    """A bare window stands for a list of one."""
    return [value] if isinstance(value, str) and value != "always" else value


def _as_text(value: Any) -> Any:
    """YAML reads `5` as a number."""
    return str(value) if type(value) is int else value


def _source(text: str) -> str:
    parse_source(text)
    return text


Pixels = Annotated[int, Field(ge=16, le=8192)]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
# YAML has lists only: a tuple takes them although the schema is strict in all else.
Size = Annotated[tuple[Pixels, Pixels], Field(strict=False)]
Roi = Annotated[tuple[float, float, float, float], Field(strict=False), AfterValidator(check_roi)]
Rungs = Annotated[list[Text], Field(min_length=1, max_length=8), AfterValidator(check_rungs)]
Ladder = Annotated[Rungs, BeforeValidator(_listed, json_schema_input_type=Text | Rungs)]
Protocol = Annotated[
    Literal["auto", "5", "3.1.1"],
    BeforeValidator(_as_text, json_schema_input_type=Literal["auto", 5, "3.1.1"]),
]
Windows = Annotated[list[Annotated[Text, AfterValidator(check_window)]], Field(min_length=1, max_length=50)]
Schedule = Annotated[
    Literal["always"] | Windows,
    BeforeValidator(_windows, json_schema_input_type=Literal["always"] | Text | Windows),
]
CameraId = Annotated[str, AfterValidator(check_camera_id)]


class Block(BaseModel):
    """A part of the configuration: strict types, no unknown keys; a key without a value keeps its default."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, data: Any) -> Any:
        if data is None:
            return {}
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


class WatchConfig(Block):
    """When a watched label or group counts as seen: hysteresis on its smoothed score."""

    enter: Share = 0.6
    """The score, 0 to 1, at which an episode starts."""
    exit: Share = 0.4
    """The score, 0 to 1, below which it ends; at most `enter`."""
    hold_s: float = Field(default=2.0, ge=0, le=86400)
    """How long an episode lasts at least, in seconds, from its start, whatever its score does."""

    @field_validator("exit")
    @classmethod
    def _not_above_enter(cls, exit_score: float, info: ValidationInfo) -> float:
        enter = info.data.get("enter")
        if enter is not None and exit_score > enter:
            raise ValueError(f"expected at most the value of enter ({enter}), got {exit_score}")
        return exit_score


class CameraConfig(Block):
    """One camera or recording, and what to look for in its pictures."""

    source: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_source)] = Field(
        examples=["picamera2:0", "v4l2:/dev/video0", "rtsp://192.168.1.20/stream", "file:clip.mp4"]
    )
    """Where the pictures come from: `picamera2:0`, `v4l2:/dev/video0`, `rtsp://…`, `http://…`,
    `file:clip.mp4`, `images:folder`, `"pattern:"`."""
    size: Size = (640, 480)
    """[width, height] in pixels of the stream that is analysed."""
    main_size: Size | None = Field(default=None, examples=[[1920, 1080]])
    """[width, height] in pixels of the pictures for people, snapshots and history, which a Picamera2 camera
    takes from its main stream; at least `size`; null: as `size`. Other sources have one stream for both."""
    fps: float = Field(default=30.0, ge=0.001, le=1000)
    """Frames per second asked of the camera, and the pace of a recording that names none."""
    playback: Literal["camera", "fast"] = "camera"
    """How a recording plays: paced like a `camera`, or as `fast` as possible with no frame skipped."""
    loop: bool = False
    """Start a recording again at its end; else it ends the run."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees, clockwise, by which pictures are turned."""
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    """Mirror the pictures, after `rotate`: `horizontal` swaps left and right."""
    roi: Roi | None = Field(default=None, examples=[[0.25, 0.25, 0.5, 0.5]])
    """Region of interest: [x, y, width, height] as fractions of the turned picture; null: all of it."""
    controls: dict[Text, Annotated[Any, AfterValidator(check_control)]] = Field(
        default={}, examples=[{"AfMode": 2, "AwbEnable": True}]
    )
    """Picamera2 controls (exposure, focus, white balance) by their libcamera names."""
    model: Ladder = Field(default=["default"], examples=["default", ["default", "light"]])
    """The name, from `models`, of the model that classifies the pictures; or a ladder of several, best first:
    a lighter one takes over while the budget cannot be kept."""
    budget_ms: int | None = Field(default=None, ge=1, le=600_000)
    """Latency budget of this camera in milliseconds; null: the common `budget_ms`."""
    max_fps: float | None = Field(default=None, ge=0.001, le=1000)
    """Classify at most so many frames per second; null: as many as the engine manages."""
    weight: float = Field(default=1.0, ge=0.01, le=100)
    """Of several cameras on a saturated engine: how many times a share of 1 this one gets."""
    gate: Literal["none", "motion"] = "none"
    """`motion`: classify only while something moves, to save power and heat."""
    gate_area: float = Field(default=0.01, ge=0, le=1)
    """The motion gate: share of the picture, 0 to 1, that must change to count as motion."""
    gate_max_s: float = Field(default=10.0, ge=0.1, le=86400)
    """The motion gate: classify at least once in so many seconds."""
    schedule: Schedule = Field(
        default="always", examples=["06:00-22:00", ["mon-fri 07:30-18:00", "sat,sun 22:00-06:00"]]
    )
    """When the camera works, in local time: `always`, or windows of a week; outside them it is closed. As
    long as nobody has set the wall clock since power-on (no NTP, no clock with a battery) it always works."""
    watch: dict[Text, WatchConfig] = Field(
        default={}, examples=[{"cat": {"enter": 0.6, "exit": 0.4, "hold_s": 2}, "dog": {}}]
    )
    """Labels or groups that make episodes and events; empty: every label of the model."""
    ignore: list[Text] = Field(default=[], examples=[["window screen", "web site"]])
    """Labels or groups that are never reported."""
    smoothing_s: float = Field(default=0.5, ge=0, le=3600)
    """Time constant, in seconds, of the smoothing of scores; 0: none."""

    @field_validator("main_size")
    @classmethod
    def _not_below_size(cls, main_size: Size | None, info: ValidationInfo) -> Size | None:
        size = info.data.get("size")
        if main_size is not None and size is not None and (main_size[0] < size[0] or main_size[1] < size[1]):
            raise ValueError(f"expected at least the value of size ({list(size)}), got {list(main_size)}")
        return main_size


class ModelConfig(Block):
    """A model that cameras can name."""

    path: Text = Field(examples=["models/efficientnet_lite0_int8"])
    """The model directory, or a bare `.tflite` or `.onnx` file, relative to the configuration's folder; or
    the name of a shipped model (`edgecam models list`)."""
    engine: Text = Field(default="auto", examples=["litert", "onnx"])
    """What runs it: `auto` (by the model's file and what is installed), `litert`, `tflite-runtime`, `onnx`,
    `hailo`, `imx500`, or the name of an engine that an installed package brings."""
    providers: list[Text] = Field(
        default=[], examples=[["OpenVINOExecutionProvider", "CPUExecutionProvider"]]
    )
    """Of the engine `onnx`: ONNX Runtime's execution providers by its names, best first; empty: the CPU."""
    delegate: Text = Field(default="auto", examples=["coral", "/usr/lib/libnpu_delegate.so"])
    """The accelerator: `auto` (the first that is there and suits the model, else none), `cpu` (none), one of
    `coral`, `teflon`, `vx`, `ethosu`, `qnn`, `hexagon`, `armnn`, `gpu`, `openvino`, `webgpu`, or the path of
    a delegate's library, relative to the configuration's folder. While it does not work, the CPU serves."""
    delegate_options: dict[Text, Text | int | float] = Field(default={}, examples=[{"device": "usb:0"}])
    """What the library of a named delegate is told: texts and numbers, by its own names."""
    threads: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = "auto"
    """CPU threads of one inference; `auto`: measured at the first start, then remembered."""
    timeout_ms: int | None = Field(default=None, ge=100, le=600_000)
    """How long an inference may take, in milliseconds, before its engine is taken for hung and edgecam ends
    with exit code 75, to be started again; null: 20 times as long as 99 of 100 take, 2000 at least. The first
    one has a minute at least. On a delegate: before the CPU takes its place; null: 10 times, 250 at least."""
    groups: dict[Text, Annotated[list[Text], Field(min_length=1)]] = Field(
        default={}, examples=[{"my pets": ["tabby", "beagle"]}]
    )
    """Groups of your own, beside those of the model: a name, and the labels whose scores it sums."""


class PredictionsConfig(Block):
    """The topic `<camera>/prediction`: what the network said of single frames."""

    enabled: bool = False
    """Publish it."""
    max_hz: float = Field(default=5.0, ge=0.001, le=1000)
    """At most so many messages per second and camera."""


class SnapshotsConfig(Block):
    """The topic `<camera>/snapshot`: a JPEG of the frame with which the last event began, retained."""

    enabled: bool = False
    """Publish it."""
    keep_s: float = Field(default=3600.0, ge=1, le=2_592_000)
    """Seconds after which it is cleared; it is cleared when edgecam stops, too."""


class OutboxConfig(Block):
    """What waits for the broker."""

    path: Text = Field(default="auto", examples=["memory", "/var/lib/edgecam/outbox.db"])
    """File in which events outlive a restart and a power cut; `auto`: `outbox.db` in the folder that systemd
    gives (`$STATE_DIRECTORY`), else in `~/.local/state/edgecam`; `memory`: no file."""
    max_events: int = Field(default=10_000, ge=1, le=1_000_000)
    """Events kept while the broker is away; beyond that the oldest are lost, counted and noticed."""


class TlsConfig(Block):
    """Files in PEM for `mqtts://` and `wss://`; the broker's certificate and name are always checked."""

    ca: Text | None = None
    """The CA that signed the broker's certificate; null: the system's CAs."""
    cert: Text | None = None
    """Our own certificate, for brokers that ask for one; null: none."""
    key: Text | None = None
    """The private key of `cert`, without a passphrase."""

    @field_validator("key")
    @classmethod
    def _pair(cls, key: str | None, info: ValidationInfo) -> str | None:
        if (key is None) != (info.data.get("cert", key) is None):
            raise ValueError("expected cert and key together, or neither")
        return key


class HomeAssistantConfig(Block):
    """Home Assistant's MQTT discovery: devices and entities with nothing to set up there."""

    enabled: bool = False
    """Announce this device and its cameras."""
    prefix: Annotated[str, Field(max_length=200), AfterValidator(check_base)] = "homeassistant"
    """The discovery prefix, as Home Assistant's MQTT integration has it."""


class MqttConfig(Block):
    """The broker, and what is published."""

    url: Annotated[str, Field(min_length=1, max_length=300), AfterValidator(check_broker)] = Field(
        default="embedded", examples=["mqtt://192.168.1.10:1883", "embedded://0.0.0.0:1883"]
    )
    """`embedded` (a broker of our own on 127.0.0.1:1883), `embedded://HOST:PORT`, `mqtt://HOST[:PORT]`, over
    TLS `mqtts://HOST[:PORT]` (port 8883), over WebSocket `ws://HOST[:PORT][/PATH]`, over both `wss://…`."""
    base: Annotated[str, Field(max_length=200), AfterValidator(check_base)] = "edgecam"
    """First levels of every topic: `<base>/<device>/…`."""
    protocol: Protocol = "auto"
    """MQTT version; `auto`: 5 where the broker speaks it, else 3.1.1."""
    username: Text | None = None
    """The name to log in with; null: none."""
    password_file: Text | None = Field(default=None, examples=["mqtt-password"])
    """File that holds the password alone; null: the systemd credential `mqtt-password`, if there is one."""
    tls: TlsConfig = TlsConfig()
    """Certificates, for `mqtts://` and `wss://`."""
    heartbeat_s: float = Field(default=60.0, ge=1, le=86400)
    """Seconds between repetitions of an unchanged state, and between two `stats`."""
    predictions: PredictionsConfig = PredictionsConfig()
    """What the network said of single frames, as its own topic."""
    snapshots: SnapshotsConfig = SnapshotsConfig()
    """A picture of each camera's last event, as its own topic."""
    commands: list[Literal["enabled", "reload", "snapshot"]] = ["enabled", "reload", "snapshot"]
    """What others may tell this device to do: `enabled` (switch a camera on and off), `snapshot`, `reload`
    (read this file anew). What is not listed is not subscribed to; an empty list: nothing."""
    outbox: OutboxConfig = OutboxConfig()
    """What waits for the broker."""
    home_assistant: HomeAssistantConfig = HomeAssistantConfig()
    """Home Assistant's MQTT discovery."""

    @field_validator("password_file")
    @classmethod
    def _password_needs_a_name(cls, password_file: str | None, info: ValidationInfo) -> str | None:
        if password_file is not None and info.data.get("username", "?") is None:
            raise ValueError("expected a username beside it: MQTT 3.1.1 has no password without a name")
        return password_file

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> Self:
        keys = [name for name, path in self.tls if path is not None]
        if keys and not parse_broker_url(self.url, embedded=True).encrypted:
            text = (
                f"expected mqtts:// or wss:// in mqtt.url beside it, got {self.url}, which is not encrypted"
            )
            problems = [(("mqtt", "tls", key), text) for key in keys]
            raise PydanticCustomError("several", "{text}", {"text": text, "problems": problems})
        return self


class LogConfig(Block):
    """The log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    format: Literal["auto", "text", "json"] = "auto"
    """`text` lines, `json` lines, or `auto`: text, made for the journal when systemd reads it."""


class HistoryConfig(Block):
    """Evidence: events and their pictures, in the folder for states, readable by edgecam's user alone."""

    enabled: bool = False
    """Keep it; `edgecam history` lists it."""
    max_mb: int = Field(default=200, ge=10, le=1_000_000)
    """Megabytes that it may take; the oldest goes first."""
    keep_days: int = Field(default=30, ge=1, le=36_500)
    """Days after which it goes, whatever room there is."""
    pictures: bool = True
    """Keep a JPEG of the frame with which each episode began, too."""


class MetricsConfig(Block):
    """Metrics for Prometheus: `GET /metrics` over HTTP, without a login and without encryption."""

    enabled: bool = False
    """Serve them."""
    host: Text = Field(default="127.0.0.1", examples=["::1", "192.168.1.20"])
    """Address to listen on; by default only this machine can ask."""
    port: int = Field(default=9108, ge=1, le=65535)
    """TCP port to listen on."""


class Config(Block):
    """The whole configuration."""

    device: str = Field(default="auto", pattern=ID_PATTERN, max_length=64, examples=["porch-pi"])
    """This box in topics: a-z, 0-9, _ and -; `auto`: from the board's serial number or MAC address."""
    budget_ms: int = Field(default=200, ge=1, le=600_000)
    """Latency budget in milliseconds, from capture to publishing; cameras may have their own."""
    starve_s: float = Field(default=2.0, ge=0.01, le=3600)
    """After so many seconds without a result the newest frame is classified, late or not."""
    prefer: Literal["freshness", "throughput"] = "freshness"
    """`freshness`: an engine that one camera has to itself may wait for the next frame rather than take an
    ageing one; `throughput`: it never idles while a frame waits."""
    watch_file: bool = False
    """Apply this file whenever it changes, without being told to (SIGHUP, `cmd/reload`)."""
    cameras: dict[CameraId, CameraConfig] = Field(
        default={"main": CameraConfig(source="picamera2:0")}, min_length=1
    )
    """The cameras: a map from an id (a-z, 0-9, _ and -; it becomes a topic level) to its keys."""
    models: dict[Text, ModelConfig] = {
        "default": ModelConfig(path="models/efficientnet_lite0_int8"),
        "light": ModelConfig(path="models/efficientnet_lite0_160_int8"),
    }
    """The models: a map from a name, for the cameras to use, to its keys. `default` and `light` are always
    there; a model is loaded when a camera first needs it."""
    mqtt: MqttConfig = MqttConfig()
    """The broker, and what is published."""
    history: HistoryConfig = HistoryConfig()
    """Evidence on this device."""
    metrics: MetricsConfig = MetricsConfig()
    """Metrics for Prometheus."""
    log: LogConfig = LogConfig()
    """The log, on stderr."""

    @property
    def wants_pictures(self) -> bool:
        """True if frames become pictures for people, too."""
        return self.mqtt.snapshots.enabled or (self.history.enabled and self.history.pictures)

    @model_validator(mode="after")
    def _models_exist(self) -> Self:
        known = ", ".join(self.models)
        unknown = [
            (("cameras", camera, "model"), f'expected one of the names in models ({known}), got "{name}"')
            for camera, settings in self.cameras.items()
            for name in settings.model
            if name not in self.models
        ]
        if unknown:
            # One error that carries several: the loader gives each its place in the file.
            text = "; ".join(f"{'.'.join(path)}: {reason}" for path, reason in unknown)
            raise PydanticCustomError("several", "{text}", {"text": text, "problems": unknown})
        return self
