"""Events while broker, link and edgecam itself die at random: all that was decided arrives, in order.

A cat and an espresso are shown in turn, so that every picture ends an episode and starts another. The
broker (persistence on, saved at each change) is killed and brought back, the link is cut inside of packets,
edgecam is killed and started again. A subscriber at QoS 1 with a persistent session is back each time before
edgecam. Ends with exit 1 if an event that edgecam logged as decided did not arrive, if the order of a camera
is broken, or if a repeat has another id.

A second run cuts the power in place of killing edgecam: what its outbox had written and not synced is gone.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from mosquitto import Mosquitto
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from program import Program, write_photos

from resilience.power import Power
from resilience.proxy import Proxy

FPS = 5
_DECIDED = re.compile(r"episode (?P<type>start|end) camera=main episode=(?P<episode>\S+)")
_PATIENCE_S = 30.0
_KEEP_SESSION_S = 3600
_OUTBOX = "outbox.sqlite3"


@dataclass(frozen=True)
class Heard:
    """One event at the subscriber."""

    id: str
    key: tuple[str, str]
    """Episode and type: what was decided."""


class Subscriber:
    """QoS 1, persistent session, straight to the broker."""

    def __init__(self, port: int) -> None:
        self.heard: list[Heard] = []
        self.subscribed = False
        """It hears: a session that a broker forgot begins with a new subscription."""
        self._lock = Lock()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="chaos", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # as paho has it
        properties.SessionExpiryInterval = _KEEP_SESSION_S
        self._client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self._client.loop_start()

    def keys(self) -> list[tuple[str, str]]:
        """What was heard, each once, in the order of its first coming."""
        with self._lock:
            return list(dict.fromkeys(one.key for one in self.heard))

    def close(self) -> None:
        """End it."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        if not reason.is_failure:
            client.subscribe("edgecam/box/+/event", qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self.subscribed = True

    def _on_disconnect(self, *_: object) -> None:
        self.subscribed = False

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        said = json.loads(message.payload)
        with self._lock:
            self.heard.append(Heard(said["id"], (said["episode"], said["event_type"])))


class Chaos:
    """The stage, and what may happen on it."""

    def __init__(self, folder: Path, rng: random.Random, *, power_is_cut: bool) -> None:
        self._rng = rng
        self._power = Power(folder, folder / _OUTBOX) if power_is_cut else None
        self.broker = Mosquitto(folder, persistent=True)
        self.broker.start()
        self.proxy = Proxy(self.broker.port, rng)
        self.subscriber = Subscriber(self.broker.port)
        until(lambda: self.subscriber.subscribed, "the subscriber connects")
        environ = None if self._power is None else self._power.environ
        self.program = Program(folder, self._configuration(folder), environ=environ)
        self.program.start()

    def decided(self) -> list[tuple[str, str]]:
        """What edgecam said that it had decided."""
        return [(found["episode"], found["type"]) for found in _DECIDED.finditer(self.program.log)]

    def kill_broker(self) -> None:
        """SIGKILL and back; the subscriber comes first."""
        self.proxy.cut()
        self.broker.kill()
        until(lambda: not self.subscriber.subscribed, "the subscriber notices")
        time.sleep(self._rng.uniform(0, 2))
        self.broker.start()
        until(lambda: self.subscriber.subscribed, "the subscriber is back")
        self.proxy.open()

    def cut_link(self) -> None:
        """Inside of a packet, most probably."""
        self.proxy.cut_soon()

    def kill_edgecam(self) -> None:
        """SIGKILL, or a power cut, and started again."""
        self._kill_program()
        if self._power is not None:
            self._power.cut()
        self.program.start()

    def close(self) -> None:
        """End everything."""
        self._kill_program()
        self.subscriber.close()
        self.proxy.close()
        self.broker.stop()

    def _kill_program(self) -> None:
        self.program.send(signal.SIGKILL)
        self.program.wait()

    def _configuration(self, folder: Path) -> dict[str, object]:
        photos = write_photos(folder / "photos", each=1)
        return {
            "device": "box",
            "cameras": {
                "main": {
                    "source": f"images:{photos}",
                    "fps": FPS,
                    "loop": True,
                    "smoothing_s": 0,
                    "watch": {label: {"hold_s": 0} for label in ("cat", "cup")},
                }
            },
            "mqtt": {
                "url": f"mqtt://127.0.0.1:{self.proxy.port}",
                "outbox": {"path": str(folder / _OUTBOX)},
            },
        }


def until(done: Callable[[], object], what: str) -> None:
    """Wait for it."""
    ends_s = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > ends_s:
            sys.exit(f"chaos: in {_PATIENCE_S:g} s it did not come to pass that {what}")
        time.sleep(0.02)


def run(
    folder: Path,
    *,
    events: int,
    broker_kills: int,
    edgecam_kills: int,
    cuts: int,
    seed: int,
    power_is_cut: bool = False,
) -> int:
    """Play it; returns how many complaints there are. `power_is_cut`: each kill of edgecam is a power cut."""
    rng = random.Random(seed)  # noqa: S311 - a game of chance
    chaos = Chaos(folder, rng, power_is_cut=power_is_cut)
    decided: list[tuple[str, str]] = []
    try:
        blows = (
            [chaos.kill_broker] * broker_kills
            + [chaos.kill_edgecam] * edgecam_kills
            + [chaos.cut_link] * cuts
        )
        rng.shuffle(blows)
        for number, blow in enumerate(blows, start=1):
            due = events * number // (len(blows) + 1)
            until(lambda due=due: len(chaos.decided()) >= due, f"{due} events are decided")  # type: ignore[misc]
            blow()
        until(lambda: len(chaos.decided()) >= events, f"{events} events are decided")
        chaos.program.stop()
        decided = chaos.decided()
        # For what still waits in its outbox; what it decides from now on is another story.
        chaos.program.start()
        until(lambda: set(decided) <= set(chaos.subscriber.keys()), "all that was decided has arrived")
    except SystemExit as end:
        print(end)
    finally:
        chaos.close()
    complaints = list(judge(decided or chaos.decided(), chaos.subscriber.heard))
    for complaint in complaints:
        print(f"FAILED: {complaint}")
    heard = chaos.subscriber.heard
    print(
        f"{len(decided)} events decided, {len(set(decided) & {one.key for one in heard})} of them heard, "
        f"{len(heard) - len({one.id for one in heard})} repeats; {broker_kills} kills of the broker, "
        f"{edgecam_kills} {'power cuts' if power_is_cut else 'of edgecam'}, {cuts} cuts of the link"
    )
    return len(complaints)


def judge(decided: list[tuple[str, str]], heard: list[Heard]) -> Iterator[str]:
    """What is wrong with what was heard."""
    missing = [key for key in decided if key not in {one.key for one in heard}]
    if missing:
        yield f"{len(missing)} events were decided and did not arrive: {missing[:5]}"
    ids: dict[tuple[str, str], set[str]] = {}
    for one in heard:
        ids.setdefault(one.key, set()).add(one.id)
    strange = [key for key, of_key in ids.items() if len(of_key) > 1]
    if strange:
        yield f"{len(strange)} events came with several ids: {strange[:5]}"
    first = list(dict.fromkeys(one.key for one in heard))
    order = {key: place for place, key in enumerate(decided)}
    places = [order[key] for key in first if key in order]
    if places != sorted(places):
        yield "the order in which events came is not that in which they were decided"


def main() -> int:
    """Play it in full or, for CI, in short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a third of everything, for CI")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    share = 3 if options.short else 1
    print(f"seed {options.seed}")
    complaints = 0
    for power_is_cut in (False, True):
        if power_is_cut and shutil.which("gcc") is None:
            print("SKIPPED: power cuts; what a sync has reached is told by a library that gcc builds")
            break
        with tempfile.TemporaryDirectory(prefix="edgecam-chaos-") as name:
            complaints += run(
                Path(name),
                events=200 // share,
                broker_kills=10 // share,
                edgecam_kills=5 // share,
                cuts=10 // share,
                seed=options.seed,
                power_is_cut=power_is_cut,
            )
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
