"""When heat and want of power are told: decided on given looks at given times."""

from __future__ import annotations

import pytest

from edgecam.pipeline.strain import Strain, is_strained
from edgecam.reports import Limit, Limits, Notice, NoticeKind, NoticeLevel

S = 1_000_000_000
NONE = Limits()


def look(strain: Strain, at_s: float, limits: Limits | None) -> list[Notice]:
    """Look at that moment."""
    return strain.observe(limits, temperature_c=60.0, now_ns=round(at_s * S))


def now(*limits: Limit) -> Limits:
    """They hold."""
    return Limits(limits, limits)


def told(notices: list[Notice]) -> list[tuple[NoticeKind, object]]:
    """Kind, and whether it holds."""
    return [(notice.kind, notice.data["active"]) for notice in notices]


def test_it_is_told_when_it_begins_and_when_it_has_been_over_for_a_minute() -> None:
    """It comes and goes within seconds: one notice each, whatever it does meanwhile."""
    strain, news = Strain(), []
    for at_s in range(0, 200, 10):
        holds = at_s in {30, 50, 70}
        news += [
            (at_s, *notice)
            for notice in told(look(strain, at_s, now(Limit.UNDER_VOLTAGE) if holds else NONE))
        ]
    assert news == [(30, NoticeKind.UNDER_VOLTAGE, True), (130, NoticeKind.UNDER_VOLTAGE, False)]


def test_power_and_heat_are_two_things() -> None:
    """Each with its remedy; the notice names what holds, and how hot it is."""
    power, heat = look(Strain(), 0, now(Limit.UNDER_VOLTAGE, Limit.FREQUENCY_CAPPED, Limit.SOFT_TEMP_LIMIT))
    assert (power.kind, power.level, power.data["limits"]) == (
        NoticeKind.UNDER_VOLTAGE, NoticeLevel.WARNING, "under_voltage"
    )  # fmt: skip
    assert "power supply" in power.message
    assert (heat.kind, heat.data["limits"]) == (NoticeKind.THROTTLED, "frequency_capped,soft_temp_limit")
    assert heat.data["temperature_c"] == 60.0


def test_what_came_and_went_between_two_looks_is_told() -> None:
    """Its mark since boot is new; a mark that was there at the start is old news."""
    strain = Strain()
    assert look(strain, 0, Limits((), (Limit.UNDER_VOLTAGE,))) == []
    news = look(strain, 10, Limits((), (Limit.UNDER_VOLTAGE, Limit.THROTTLED)))
    assert told(news) == [(NoticeKind.THROTTLED, True)]
    assert look(strain, 20, Limits((), (Limit.UNDER_VOLTAGE, Limit.THROTTLED))) == []


def test_a_board_that_does_not_tell_is_no_news() -> None:
    """Nor is what is going on over because the firmware gave no answer."""
    strain = Strain()
    assert look(strain, 0, None) == []
    assert told(look(strain, 10, now(Limit.THROTTLED))) == [(NoticeKind.THROTTLED, True)]
    assert look(strain, 300, None) == []
    assert told(look(strain, 310, NONE)) == [(NoticeKind.THROTTLED, False)]


@pytest.mark.parametrize(
    ("limits", "temperature_c", "trip_c", "strained"),
    [
        (None, None, None, False),
        (NONE, 84.9, 85.0, False),
        (None, 85.0, 85.0, True),
        (None, 99.0, None, False),
        (now(Limit.UNDER_VOLTAGE), 50.0, None, False),
        (now(Limit.FREQUENCY_CAPPED), 50.0, None, True),
        (now(Limit.SOFT_TEMP_LIMIT), 80.0, None, True),
        (Limits((), (Limit.THROTTLED,)), 50.0, None, False),
    ],
)
def test_a_board_is_strained_while_it_is_slowed_down_or_about_to_be(
    limits: Limits | None, temperature_c: float | None, trip_c: float | None, *, strained: bool
) -> None:
    """By the firmware's word of now, else by the temperature from which the kernel slows it down."""
    assert is_strained(limits, temperature_c=temperature_c, passive_trip_c=trip_c) is strained
