"""Trying again."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from edgecam.backoff import Backoff


@given(st.integers(1, 20))
@example(20)
def test_delays_grow_to_the_cap_and_never_go_below_the_first(failures: int) -> None:
    """1 to 30 s, jittered: no herd, no busy loop, no hour of silence."""
    backoff = Backoff(first_s=1.0, cap_s=30.0)
    for count in range(1, failures + 1):
        assert 1.0 <= backoff.next_s() <= min(30.0, 2.0**count)
    if failures == 20:
        assert max(backoff.next_s() for _ in range(200)) > 20
    backoff.restart()
    assert 1.0 <= backoff.next_s() <= 2.0


def test_delays_differ() -> None:
    """Three hundred boxes must not come back in one second."""
    assert len({Backoff(first_s=1.0, cap_s=30.0).next_s() for _ in range(100)}) > 90
