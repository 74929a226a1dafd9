"""What edgecam tells Prometheus: names, base units, bounded labels; made from one reading at each scrape."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate
from threading import Lock

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from edgecam.records import Result, Status
from edgecam.reports import MqttStats, Reading

# Around the budgets that people set, 50 ms to 1 s, and around the stages of small boards.
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
_AGE = "age"


class Spread:
    """How durations were spread: counts of the buckets of `BOUNDS_S`."""

    __slots__ = ("_counts", "_sum_s")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, duration_ns: int) -> None:
        """One more."""
        seconds = duration_ns / 1e9
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative counts by upper bound, as Prometheus has them, and the sum in seconds."""
        bounds = [*(repr(bound) for bound in BOUNDS_S), "+Inf"]
        return list(zip(bounds, accumulate(map(float, self._counts)), strict=True)), self._sum_s


class Durations:
    """The spreads of each camera's results since the start. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._spreads: dict[tuple[str, str], Spread] = {}

    def add(self, result: Result) -> None:
        """A frame was classified."""
        stages = result.stages
        durations = (
            (_AGE, result.finished_ns - result.captured_ns),
            ("preprocess", stages.preprocess_ns),
            ("infer", stages.infer_ns),
            ("postprocess", stages.postprocess_ns),
        )
        with self._lock:
            for stage, duration_ns in durations:
                spread = self._spreads.get((result.camera, stage))
                if spread is None:
                    spread = self._spreads[result.camera, stage] = Spread()
                spread.add(duration_ns)

    def families(self, cameras: Collection[str]) -> Iterator[Metric]:
        """Of the cameras that there are, as histograms; what others have left is forgotten."""
        age = HistogramMetricFamily(
            "edgecam_frame_age_seconds", "Age of results, from capture to decision.", labels=["camera"]
        )
        stages = HistogramMetricFamily(
            "edgecam_stage_duration_seconds", "Duration of the stages of a frame.", labels=["camera", "stage"]
        )
        with self._lock:
            self._spreads = {key: spread for key, spread in self._spreads.items() if key[0] in cameras}
            found = [(*key, *spread.buckets()) for key, spread in self._spreads.items()]
        for camera, stage, buckets, sum_s in found:
            if stage == _AGE:
                age.add_metric([camera], buckets, sum_s)
            else:
                stages.add_metric([camera, stage], buckets, sum_s)
        yield from (age, stages)


class _Collector(Collector):
    """Turns a reading into metrics."""

    def __init__(self, read: Callable[[], Reading], durations: Durations) -> None:
        self._read = read
        self._durations = durations

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not read to know the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Each scrape."""
        reading = self._read()
        yield from _build(reading)
        yield from _frames(reading)
        yield from _cameras(reading)
        yield from _mqtt(reading.mqtt)
        yield from _link(reading)
        yield from _history(reading)
        yield from _board(reading)
        yield from self._durations.families(reading.cameras)


class Exposition:
    """The text that a scrape gets."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, read: Callable[[], Reading], durations: Durations) -> None:
        """Args: how it is now, from any thread; the durations that were measured."""
        # A registry of our own: the library's common one has other people's metrics.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(read, durations))

    def render(self) -> bytes:
        """In the text format 0.0.4, UTF-8."""
        return generate_latest(self._registry)


def _build(reading: Reading) -> Iterator[Metric]:
    yield InfoMetricFamily("edgecam_build", "What runs here.", value=dict(reading.info.versions))
    models = InfoMetricFamily("edgecam_model", "The models that are loaded.", labels=["model"])
    for name, model in reading.info.models.items():
        engine = f"{model.runtime}/{model.delegate}"
        models.add_metric([name], {"name": model.name, "sha256": model.sha256, "engine": engine})
    yield models
    yield _gauge("edgecam_uptime_seconds", "Time since this program started.", reading.uptime_s)
    turns = CounterMetricFamily(
        "edgecam_worker_turns", "Turns of a worker's loop: while it stands still, it works on nothing.",
        labels=["worker"],
    )  # fmt: skip
    turns.add_metric(["publish"], reading.publish_turns)
    yield turns


def _frames(reading: Reading) -> Iterator[Metric]:
    captured = CounterMetricFamily("edgecam_frames_captured", "Frames that a camera gave.", labels=["camera"])
    results = CounterMetricFamily(
        "edgecam_results", "Frames that were classified: on time, or late (older than the budget).",
        labels=["camera", "timing"],
    )  # fmt: skip
    skipped = CounterMetricFamily(
        "edgecam_frames_skipped", "Frames that gave no result, by cause.", labels=["camera", "cause"]
    )
    for camera, about in reading.cameras.items():
        captured.add_metric([camera], about.counts.captured)
        results.add_metric([camera, "on_time"], about.counts.results)
        results.add_metric([camera, "late"], about.counts.late)
        for cause, count in about.counts.skipped.items():
            skipped.add_metric([camera, cause.value], count)
    yield from (captured, results, skipped)


def _cameras(reading: Reading) -> Iterator[Metric]:
    status = GaugeMetricFamily(
        "edgecam_camera_status", "1 for the status that a camera has now.", labels=["camera", "status"]
    )
    in_use = GaugeMetricFamily(
        "edgecam_camera_model_info", "The model that a camera uses now.", labels=["camera", "model"]
    )
    budget = GaugeMetricFamily(
        "edgecam_camera_budget_seconds", "A camera's latency budget.", labels=["camera"]
    )
    for camera, about in reading.cameras.items():
        for each in Status:
            status.add_metric([camera, each.value], float(about.status is each))
    for camera, info in reading.info.cameras.items():
        in_use.add_metric([camera, info.model], 1)
        budget.add_metric([camera], info.budget_ms / 1000)
    yield from (status, in_use, budget)


def _mqtt(mqtt: MqttStats) -> Iterator[Metric]:
    messages = CounterMetricFamily(
        "edgecam_mqtt_messages", "Messages, by what became of them.", labels=["result"]
    )
    for result, count in (("sent", mqtt.published), ("refused", mqtt.refused), ("dropped", mqtt.dropped)):
        messages.add_metric([result], count)
    yield messages
    yield _gauge("edgecam_outbox_events", "Events that the broker has not accepted yet.", mqtt.outbox)
    yield _counter("edgecam_outbox_lost", "Events pushed out of a full outbox.", mqtt.lost)
    yield _counter("edgecam_commands_refused", "Commands that were not followed.", mqtt.commands_refused)


def _history(reading: Reading) -> Iterator[Metric]:
    history = reading.history
    if history is None:
        return
    kept = CounterMetricFamily("edgecam_history_kept", "What was kept on this device.", labels=["kind"])
    kept.add_metric(["event"], history.events)
    kept.add_metric(["picture"], history.pictures)
    yield kept
    yield _counter("edgecam_history_lost", "Events and pictures that could not be kept.", history.lost)
    yield _gauge("edgecam_history_bytes", "What all that is kept takes on the disk.", history.bytes)


def _link(reading: Reading) -> Iterator[Metric]:
    link = reading.link
    connected_s = link.connected_s
    yield _gauge("edgecam_mqtt_connected", "1 while the broker is connected.", connected_s is not None)
    yield _gauge("edgecam_mqtt_connected_seconds", "Age of the connection; 0 without one.", connected_s or 0)
    yield _gauge("edgecam_mqtt_encrypted", "1 if the connection is, or would be, encrypted.", link.encrypted)
    failure = GaugeMetricFamily(
        "edgecam_mqtt_last_failure_info", "How the last attempt or connection ended.", labels=["kind"]
    )
    failure.add_metric([link.failure or "none"], 1)
    yield failure


def _board(reading: Reading) -> Iterator[Metric]:
    board = reading.board
    if board.memory_bytes is not None:
        yield _gauge("edgecam_memory_bytes", "Resident memory of this process.", board.memory_bytes)
    if board.temperature_c is not None:
        yield _gauge("edgecam_soc_temperature_celsius", "Temperature of the SoC.", board.temperature_c)
    if board.throttled is not None:
        bits = GaugeMetricFamily(
            "edgecam_throttled", "What the firmware says of power and heat: 1 now, or since boot.",
            labels=["kind", "when"],
        )  # fmt: skip
        for place, kind in enumerate(("under_voltage", "frequency_capped", "throttled", "soft_temp_limit")):
            bits.add_metric([kind, "now"], board.throttled >> place & 1)
            bits.add_metric([kind, "since_boot"], board.throttled >> place + 16 & 1)
        yield bits


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(name, about, value=float(value))
