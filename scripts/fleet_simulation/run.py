"""The simulation from start to end, and its figures; see scripts/fleet."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fleet_simulation.broker import MeasuredBroker
from fleet_simulation.consumer import Consumer
from fleet_simulation.devices import Gauges, name_of, serve

# A process may wait for no more than 1024 files by select(2), and a device has three.
_DEVICES_PER_PROCESS = 125
_BACK_S = 60.0
"""The target: all are connected again."""
_PATIENCE_S = 120.0
_LOOK_S = 0.02
_MB = 1e6


def main() -> int:
    """Run it; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="scripts/fleet")
    parser.add_argument("--devices", type=int, default=500, choices=range(1, 2001), metavar="N")
    parser.add_argument("--events-per-minute", type=float, default=12.0, metavar="R", help="of each device")
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="S", help="before and after the outage"
    )
    parser.add_argument("--outage-s", type=float, default=30.0, metavar="S")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the figures as JSON")
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, MeasuredBroker(Path(folder)) as broker:
        period_s = 60 / wishes.events_per_minute
        with Consumer(broker.port) as consumer, fleet(wishes.devices, broker.url, period_s) as gauges:
            figures = run(broker, consumer, gauges, seconds=wishes.seconds, outage_s=wishes.outage_s)
    figures = {"devices": wishes.devices, "events_per_minute": wishes.events_per_minute} | figures
    print(json.dumps(figures, indent=2))
    if wishes.out:
        wishes.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if figures["faults"] else 0


@contextmanager
def fleet(devices: int, url: str, period_s: float) -> Iterator[Gauges]:
    """The processes with all devices, connecting; at the end they leave."""
    spawn = multiprocessing.get_context("spawn")
    connections, decided, waiting, published = (spawn.Array("l", devices) for _ in range(4))
    gauges = Gauges(connections, decided, waiting, published, spawn.Event(), spawn.Event())
    processes = [
        spawn.Process(
            target=serve,
            args=(range(first, min(first + _DEVICES_PER_PROCESS, devices)), url, period_s, gauges),
            daemon=True,
        )
        for first in range(0, devices, _DEVICES_PER_PROCESS)
    ]
    for process in processes:
        process.start()
    try:
        yield gauges
    finally:
        gauges.stop.set()
        for process in processes:
            process.join(30)
            process.kill()


def run(
    broker: MeasuredBroker, consumer: Consumer, gauges: Gauges, *, seconds: float, outage_s: float
) -> dict[str, object]:
    """All phases; returns the figures."""
    first_s, first_peak = storm(gauges, connection=1)
    figures: dict[str, object] = {
        "first_storm": {"all_connected_s": first_s, "peak_connects_per_s": first_peak}
    }
    say(f"all connected after {first_s} s; publishing for {seconds:g} s")
    gauges.produce.set()
    figures["steady_messages_per_s"] = rate(gauges, seconds)
    figures["broker_memory_mb"] = round(broker.memory_bytes / _MB, 1)

    say(f"stopping the broker for {outage_s:g} s")
    broker.stop()
    time.sleep(outage_s)
    figures["events_waiting_at_return"] = sum(gauges.waiting[:])
    broker.start()
    back_s, peak = storm(gauges, connection=2)
    figures["storm"] = {"outage_s": outage_s, "all_connected_s": back_s, "peak_connects_per_s": peak}
    say(f"all connected again after {back_s} s; publishing for {seconds:g} s")
    figures["messages_per_s_after"] = rate(gauges, seconds)
    figures["broker_peak_memory_mb"] = round(broker.peak_memory_bytes / _MB, 1)

    gauges.produce.clear()
    wait_until(lambda: not any(gauges.waiting[:]) and consumer.heard >= sum(gauges.decided[:]))
    decided = {name_of(number): count for number, count in enumerate(gauges.decided[:])}
    faults = consumer.faults(decided)
    if back_s is None or back_s > _BACK_S:
        faults.append(f"not all devices were back within {_BACK_S:g} s")
    return figures | {
        "connections_of_a_device": max(abs(count) for count in gauges.connections[:]),
        "events_decided": sum(decided.values()),
        "events_heard": consumer.heard,
        "events_lost": sum(decided.values()) - consumer.heard,
        "repeats": consumer.repeats,
        "faults": faults,
    }


def storm(gauges: Gauges, *, connection: int) -> tuple[float | None, int]:
    """Wait until all have their nth connection; seconds (None: not in time), most in one second."""
    begun_s, seen_s = time.monotonic(), dict[int, float]()

    def all_are_there() -> bool:
        passed_s = time.monotonic() - begun_s
        for number, count in enumerate(gauges.connections[:]):
            if count >= connection:
                seen_s.setdefault(number, passed_s)
        return len(seen_s) == len(gauges.connections)

    in_time = wait_until(all_are_there)
    by_second = Counter(int(passed_s) for passed_s in seen_s.values())
    return round(max(seen_s.values()), 1) if in_time else None, max(by_second.values(), default=0)


def rate(gauges: Gauges, seconds: float) -> float:
    """Messages that the broker takes in a second from all devices, over that time."""
    before, begun_s = sum(gauges.published[:]), time.monotonic()
    time.sleep(seconds)
    return round((sum(gauges.published[:]) - before) / (time.monotonic() - begun_s), 1)


def wait_until(done: Callable[[], bool]) -> bool:
    """True when it is so; False when patience has ended."""
    ends_s = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > ends_s:
            return False
        time.sleep(_LOOK_S)
    return True


def say(text: str) -> None:
    """How far it is."""
    print(f"fleet: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
