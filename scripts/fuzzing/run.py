"""The loop: so many inputs for each target; see scripts/fuzz."""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from publish_samples import AT, event, info, result, starting, state, stats

from edgecam.client import Fleet, Subscriber
from edgecam.publish import messages
from edgecam.publish.commands import Command, Refused, Switch, read_command
from edgecam.publish.drafts import EventDraft
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Received
from edgecam.reports import MqttStats, Notice, NoticeKind, NoticeLevel
from fuzzing.mutations import mutated, mutated_topic

_TOPICS = Topics("edgecam", "dev")
_WORDS = ("edgecam", "dev", "main", "state", "event", "stats", "info", "notice", "availability", "cmd", "set")


@dataclass(frozen=True)
class Target:
    """Something that reads what strangers send."""

    name: str
    seeds: Mapping[str, list[bytes]]
    """Valid payloads by topic."""
    take: Callable[[str, bytes, bool], bool]
    """Feeds it topic, payload, retained; True if it was understood."""


def main() -> int:
    """Run it; 1 when an exception has escaped."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    wishes = parser.parse_args()
    logging.disable()
    rng = random.Random(wishes.seed)  # noqa: S311 - no secret
    targets = [payload_parser(), commands(rng)]
    print(f"seed {wishes.seed}")
    return max(fuzz(target, wishes.inputs, rng) for target in targets)


def fuzz(target: Target, inputs: int, rng: random.Random) -> int:
    """Throw the inputs; 1 at the first exception that escapes."""
    understood, topics, begun_s = 0, list(target.seeds), time.monotonic()
    for number in range(inputs):
        topic = rng.choice(topics)
        payload = rng.choice(target.seeds[topic])
        if rng.random() < 1 / 10:
            topic = mutated_topic(topic, rng, _WORDS)
        payload = mutated(payload, rng)
        try:
            understood += target.take(topic, payload, rng.random() < 1 / 2)
        except Exception as error:  # noqa: BLE001 - this is what we look for
            print(
                f"{target.name}: input {number}: {error!r}\n  topic {topic!r}\n  payload {payload[:2000]!r}"
            )
            return 1
    print(
        f"{target.name}: {inputs} inputs, {understood} understood, no exception escaped,"
        f" {time.monotonic() - begun_s:.0f} s"
    )
    return 0


def payload_parser() -> Target:
    """The typed subscriber from the wire to the reader, who shows and keeps what comes."""
    subscriber, fleet = Subscriber("mqtt://127.0.0.1:1", max_messages=10), Fleet()
    # It reads what we give it, and no network.
    subscriber.close()

    def take(topic: str, payload: bytes, retained: bool) -> bool:  # noqa: FBT001 - as on the wire
        subscriber._take(Received(topic, payload, retained=retained))  # noqa: SLF001 - as its thread does
        message = subscriber.get(0)
        if message is None:
            return False
        fleet.take(message, at_s=0)
        repr(message).encode()
        json.dumps(dict(message.body)).encode()
        return True

    return Target("payload parser", seeds=_published(), take=take)


def commands(rng: random.Random) -> Target:
    """What others tell a device to do, with the response topic and correlation data of MQTT 5."""
    usual = _TOPICS.response(Command.SNAPSHOT)

    def take(topic: str, payload: bytes, retained: bool) -> bool:  # noqa: FBT001 - as on the wire
        asked = rng.choice([None, usual, "other/response", mutated_topic(usual, rng, _WORDS), "#", "$SYS/x"])
        data = rng.choice([None, b"", b"1", rng.randbytes(rng.randint(0, 5000))])
        received = Received(topic, payload, retained=retained, response_topic=asked, correlation=data)
        wish = read_command(received, _TOPICS, cameras=("main", "door"), allowed=set(Command))
        if not isinstance(wish, Switch) and wish.reply is not None:
            own = wish.reply.topic.startswith(f"{_TOPICS.base}/")
            assert not own or "/response" in wish.reply.topic, "the answer would pass for another message"  # noqa: S101
            wish.reply.topic.encode()
        repr(wish).encode()
        return not isinstance(wish, Refused)

    seeds = {
        _TOPICS.enabled_set("main"): [b"ON", b"OFF", b" on\n"],
        _TOPICS.command(Command.RELOAD): [b"", b"{}"],
        _TOPICS.command(Command.SNAPSHOT): [b'{"camera": "main"}', b'{"camera": "door", "more": [1]}'],
    }
    return Target("commands", seeds=seeds, take=take)


def _published() -> dict[str, list[bytes]]:
    mqtt = MqttStats(connected=True, protocol="5", published=9, refused=0, dropped=2, outbox=1, lost=0)
    told = Notice(NoticeKind.CAMERA_LOST, NoticeLevel.WARNING, "no frames for 3 s", {"camera": "main"})
    events = [
        EventDraft.of(event(end=end), AT, event_id="x").render(AT, replayed=False) for end in (False, True)
    ]
    states = [messages.state(one, AT, replayed=False) for one in (state(), state(None), starting())]
    payloads = {
        _TOPICS.state("main"): states,
        _TOPICS.event("main"): events,
        _TOPICS.prediction("main"): [messages.prediction(result(), AT)],
        _TOPICS.notice: [messages.notice(told, AT)],
        _TOPICS.stats: [messages.stats(stats(), mqtt, AT)],
        _TOPICS.info: [messages.info(info(), AT)],
    }
    encoded = {topic: [messages.encode(one) for one in several] for topic, several in payloads.items()}
    return encoded | {_TOPICS.availability: [messages.ONLINE, messages.OFFLINE]}


if __name__ == "__main__":
    sys.exit(main())
