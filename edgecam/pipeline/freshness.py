"""Take the frame that is here, or wait for the next one: by the age of information. Pure.

The age of information is the time that has passed since the capture of the newest result, averaged over
time (Kaul, Yates and Gruteser, "Real-time status: How often should one update?", INFOCOM 2012). An engine
that always takes what is there tells old news; one that always waits stands idle. The rule looks one step
ahead: it compares the average age over the two services that follow, if the frame is taken, with the same
over the wait and the two services, if it is not. docs/latency.md has what that gives.
"""

from __future__ import annotations


def better_waits(
    *, known_age_ns: int, age_ns: int, next_in_ns: int, next_age_ns: int, service_ns: int
) -> bool:
    """True if the next frame will keep subscribers better informed than the one that is here.

    Args:
        known_age_ns: Age of the newest result's frame, now.
        age_ns: Age of the frame that could be taken, now.
        next_in_ns: How long the next frame will take to come.
        next_age_ns: Its age when it comes.
        service_ns: From taking a frame to its result.
    """
    taking = _average(known_age_ns, service_ns, age_ns, service_ns)
    waiting = _average(known_age_ns, next_in_ns + service_ns, next_age_ns, service_ns)
    return waiting < taking


def _average(known_age_ns: int, until_result_ns: int, age_ns: int, service_ns: int) -> float:
    """Mean age from now to the result after the next: what is known grows older, then the next does."""
    before = until_result_ns * (known_age_ns + until_result_ns / 2)
    after = service_ns * (age_ns + service_ns + service_ns / 2)
    return (before + after) / max(1, until_result_ns + service_ns)
