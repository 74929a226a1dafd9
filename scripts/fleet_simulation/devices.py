"""Devices: link, outbox and publish worker as on a real one; one thread decides for many of them."""

from __future__ import annotations

import contextlib
import logging
import random
import resource
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.sharedctypes import SynchronizedArray
from multiprocessing.synchronize import Event as SharedEvent

from edgecam.clock import Clock
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.outbox import Outbox
from edgecam.publish.publisher import Publisher
from edgecam.publish.queues import MemoryQueue
from edgecam.publish.topics import Topics
from edgecam.publish.wire import parse_broker
from edgecam.publish.worker import PublishTiming, PublishWorker, will_of
from edgecam.records import (
    AgeBasis,
    Decision,
    Edge,
    Event,
    EventType,
    Reason,
    Result,
    Score,
    StageTimes,
    State,
    Status,
)
from edgecam.reports import Stats

BASE = "fleet"
CAMERA = "main"
_LOOK_S = 0.05
_MS = 1_000_000


@dataclass(frozen=True)
class Gauges:
    """What the processes tell of their devices while they run; one place for each device."""

    connections: SynchronizedArray[int]
    """How many so far; negative while there is none."""
    decided: SynchronizedArray[int]
    """Events."""
    waiting: SynchronizedArray[int]
    """Of these, not accepted yet."""
    published: SynchronizedArray[int]
    """Messages of all kinds that the broker has accepted."""
    produce: SharedEvent
    """Cleared: decide nothing more."""
    stop: SharedEvent


def name_of(number: int) -> str:
    """The device's id."""
    return f"box-{number:05}"


class Device:
    """A device without a camera: what its engine would decide is made up."""

    def __init__(self, number: int, url: str) -> None:
        name, self._clock = name_of(number), Clock()
        topics = Topics(BASE, name)
        self.outbox = Outbox(MemoryQueue(max_items=10_000))
        self.link = MqttLink(parse_broker(url), client_id=f"{BASE}-{name}-main", will=will_of(topics))
        self.decided = 0
        self._stop = threading.Event()
        self._publisher = Publisher(self.link, self.outbox, topics, read_clock=self._clock.read)
        self._worker = PublishWorker(
            self.link,
            self.outbox,
            topics,
            self._publisher,
            read_clock=self._clock.read,
            heartbeat=self._heartbeat,
            # All else as in the appliance; a stop wakes it.
            timing=PublishTiming(idle_s=5.0),
        )
        self._thread = threading.Thread(target=self._worker.run, args=(self._stop,), name=name)

    def start(self) -> None:
        """Connect, in a thread of its own."""
        self._thread.start()

    def decide(self) -> None:
        """One end of an episode, in turn, and the state that goes with it."""
        now_ns, is_end = self._clock.read().boot_ns, self.decided % 2 == 1
        result = _result(self.decided + 1, now_ns)
        edge = Edge(
            type=EventType.END if is_end else EventType.START,
            episode=str(self.decided // 2),
            label="cat",
            score=0.9,
            peak_score=0.95,
            start_ns=now_ns - 1000 * _MS,
            end_ns=now_ns if is_end else None,
            reason=Reason.LEFT if is_end else Reason.ENTERED,
            decided_ns=now_ns,
        )
        self._publisher.state(_state(result, is_end=is_end))
        self._publisher.event(Event(camera=CAMERA, edge=edge, result=result))
        self.decided += 1
        self._publisher.send()

    def stop(self) -> None:
        """Let it say goodbye."""
        self._stop.set()
        self.link.wake()

    def join(self) -> None:
        """Wait until it has."""
        self._thread.join(10)

    def _heartbeat(self) -> None:
        self._publisher.stats(Stats(uptime_s=0, cameras={}))


def serve(numbers: range, url: str, period_s: float, gauges: Gauges) -> None:
    """One process's devices, until `stop`; each decides an event every `period_s`, none at the same time."""
    # Hundreds would tell the same of one broker.
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    rng = random.Random(numbers.start)  # noqa: S311 - no secret
    devices = {number: Device(number, url) for number in numbers}
    due_s = {number: time.monotonic() + rng.random() * period_s for number in numbers}
    for device in devices.values():
        device.start()
    while not gauges.stop.is_set():
        now_s = time.monotonic()
        for number, device in devices.items():
            if gauges.produce.is_set() and now_s >= due_s[number]:
                due_s[number] += period_s
                device.decide()
            _tell(number, device, gauges)
        time.sleep(_LOOK_S)
    for device in devices.values():
        device.stop()
    for device in devices.values():
        device.join()


def _tell(number: int, device: Device, gauges: Gauges) -> None:
    epoch = device.outbox.epoch
    gauges.connections[number] = epoch if device.link.connected else -epoch
    gauges.decided[number] = device.decided
    counts = device.outbox.counts()
    gauges.waiting[number], gauges.published[number] = counts.waiting, counts.published


def _result(seq: int, now_ns: int) -> Result:
    return Result(
        camera=CAMERA,
        seq=seq,
        captured_ns=now_ns - 40 * _MS,
        basis=AgeBasis.SENSOR,
        finished_ns=now_ns,
        budget_ns=200 * _MS,
        top=(Score("tabby", 281, 0.8), Score("tiger cat", 282, 0.1), Score("Egyptian cat", 285, 0.05)),
        model="default",
        engine="litert/cpu",
        stages=StageTimes(preprocess_ns=_MS, infer_ns=20 * _MS, postprocess_ns=_MS),
    )


def _state(result: Result, *, is_end: bool) -> State:
    decision = Decision(
        status=Status.OK,
        label=None if is_end else "cat",
        score=None if is_end else 0.9,
        since_ns=result.finished_ns,
        reason=Reason.LEFT if is_end else Reason.ENTERED,
        changed=True,
    )
    return State(camera=CAMERA, decision=decision, result=result)
