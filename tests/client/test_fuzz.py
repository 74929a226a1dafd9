"""Nothing that comes over the network hurts a subscriber: some thousand inputs here, more by scripts/fuzz."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest
from fuzzing.mutations import mutated
from fuzzing.run import Target, commands, fuzz, payload_parser
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = {topic: payloads for topic, payloads in payload_parser().seeds.items() if payloads[0][:1] == b"{"}
RNG = random.Random(1)  # noqa: S311 - no secret
PARSER = payload_parser()
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**18), 2**63])
TEXTS = st.text() | st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.just("\ud800")
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Each topic would be logged once."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def changed(payload: bytes, changes: dict[str, Any], gone: set[str]) -> bytes:
    """A valid payload with some keys changed, new or gone; Python writes NaN and huge numbers, too."""
    body = json.loads(payload) | changes
    return json.dumps({key: value for key, value in body.items() if key not in gone}).encode()


@pytest.mark.parametrize("topic", SEEDS)
def test_no_value_anywhere_in_a_payload_raises(topic: str) -> None:
    """The reader gets a typed message that can be shown and kept, or nothing; an exception never."""
    target = payload_parser()
    keys = st.sampled_from(sorted(json.loads(SEEDS[topic][0])))

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from(SEEDS[topic]),
        st.dictionaries(keys | st.text(), VALUES, max_size=3),
        st.sets(keys, max_size=1),
        st.booleans(),
    )
    def throw(payload: bytes, changes: dict[str, Any], gone: set[str], retained: bool) -> None:  # noqa: FBT001
        target.take(topic, changed(payload, changes, gone), retained)

    throw()


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.randoms(use_true_random=False), st.booleans())
def test_no_mutilated_bytes_raise(topic: str, rng: random.Random, retained: bool) -> None:  # noqa: FBT001
    """Cut, flipped, spliced: as the network, or an enemy, has it."""
    PARSER.take(topic, mutated(rng.choice(SEEDS[topic]), rng), retained)


@pytest.mark.parametrize("target", [payload_parser(), commands(RNG)], ids=lambda target: target.name)
def test_no_made_input_raises(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    """And some are understood: inputs that are all refused at the first byte would prove nothing."""
    assert fuzz(target, 2000, RNG) == 0
    understood = int(capsys.readouterr().out.split(" inputs, ")[1].split()[0])
    assert 40 < understood < 1900


def test_the_fuzzer_tells_of_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    """The check itself can fail."""

    def take(_topic: str, _payload: bytes, _retained: bool) -> bool:  # noqa: FBT001
        raise KeyError("oh")

    assert fuzz(Target("bad", {"edgecam/dev/x": [b"{}"]}, take), 10, RNG) == 1
    assert "KeyError('oh')" in capsys.readouterr().out
