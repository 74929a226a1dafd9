"""From valid messages to what a broken or hostile device might send."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

# As JSON text: what Python's own reader takes, and what types, clocks or printers may stumble over.
_NASTY = (
    "null", "true", "-1", "0.5", "1e999", "-1e999", "1e-999", "NaN", "Infinity", '""', "[]", "{}",
    '"\\ud800"', '"\\u0000"', '"9999-12-31T23:59:59.999999-23:59"', '"0001-01-01T00:00:00Z"',
    '"2026-01-31T12:00:00"', '"1e5"', '"-62135596801"', "253402300800", "-1e15", "9" * 400, "9" * 5000,
    '{"label": 1}', '[{"label": "cat", "id": -1, "score": 2}]', "[" * 60 + "]" * 60, "[" * 5000,
    '{"a":' * 300 + "1" + "}" * 300, '"' + "x" * 70_000 + '"', '{"__class__": "x", "__proto__": {}}',
)  # fmt: skip
_MARK = "@@"


def mutated(payload: bytes, rng: random.Random) -> bytes:
    """The payload, hurt in one to three ways."""
    for _ in range(rng.randint(1, 3)):
        payload = rng.choice(_WAYS)(payload, rng)
    return payload


def mutated_topic(topic: str, rng: random.Random, words: Sequence[str]) -> str:
    """A topic with a level more, less, or another one."""
    levels = topic.split("/")
    at = rng.randrange(len(levels))
    levels[at : at + rng.randint(0, 1)] = rng.choices(
        [*words, "", "ä", "x" * 300, " ", "\U0001f408"], k=rng.randint(0, 2)
    )
    return "/".join(levels)


def _flip(payload: bytes, rng: random.Random) -> bytes:
    data = bytearray(payload)
    for _ in range(rng.randint(1, 8) if data else 0):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _cut(payload: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randint(0, len(payload)) for _ in range(2))
    return payload[:start] + payload[end:]


def _splice(payload: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(payload))
    return payload[:at] + rng.choice(_NASTY).encode() + payload[at:]


def _noise(_payload: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.randint(0, 64))


def _replace_value(payload: bytes, rng: random.Random) -> bytes:
    """Another value somewhere in the document: most of the hits, as the rest stays valid."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return payload
    if not isinstance(document, dict | list) or not document:
        return rng.choice(_NASTY).encode()
    node: object = document
    while isinstance(node, dict | list) and node:
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        child = node[key]
        if not isinstance(child, dict | list) or not child or rng.random() < 1 / 3:
            if rng.random() < 1 / 6:
                del node[key]
            else:
                node[key] = _MARK
            break
        node = child
    try:
        return json.dumps(document).replace(f'"{_MARK}"', rng.choice(_NASTY)).encode()
    except (ValueError, RecursionError):
        return payload


_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _replace_value, _replace_value, _replace_value, _flip, _cut, _splice, _noise,
)  # fmt: skip
