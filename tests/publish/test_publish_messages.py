"""The payloads are the contract: their keys, units and rounding."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from publish_samples import AT, MS, S, event, info, later, result, starting, state, stats

from edgecam.publish import messages
from edgecam.publish.drafts import EventDraft, InfoDraft, PredictionDraft, StateDraft
from edgecam.records import ClockReading, Reason
from edgecam.reports import MqttStats, Notice, NoticeKind, NoticeLevel, percentiles

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
MQTT = MqttStats(connected=True, protocol="5", published=9, refused=0, dropped=2, outbox=1, lost=0)
NOTICE = Notice(NoticeKind.CAMERA_LOST, NoticeLevel.WARNING, "no frames for 3 s", {"camera": "main"})

PAYLOADS: list[tuple[str, dict[str, object]]] = [
    ("state", messages.state(state(), AT, replayed=False)),
    ("state", messages.state(state(None, reason=Reason.LEFT), AT, replayed=True)),
    ("state", messages.state(starting(), AT, replayed=False)),
    ("event", EventDraft.of(event(), AT, event_id="a").render(later(S), replayed=False)),
    ("event", EventDraft.of(event(end=True), AT, event_id="b").render(later(S), replayed=True)),
    ("prediction", messages.prediction(result(), AT)),
    ("notice", messages.notice(NOTICE, AT)),
    ("info", messages.info(info(), AT)),
    ("stats", messages.stats(stats(), MQTT, AT)),
]


@pytest.mark.parametrize(("name", "payload"), PAYLOADS)
def test_every_payload_is_what_its_schema_says(name: str, payload: dict[str, object]) -> None:
    """What is published validates, and no key is published that the schema does not describe."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    wire = json.loads(messages.encode(payload))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(wire)
    assert set(wire) == set(schema["properties"])


def test_a_state_is_written_to_the_letter() -> None:
    """The reference vector of the most used topic."""
    assert messages.encode(messages.state(state(), later(2 * MS), replayed=False)).decode() == (
        '{"schema":1,"ts":"2026-01-31T11:59:59.960Z","ts_synced":true,"camera":"main","status":"ok","seq":7,'
        '"age_ms":42,"age_basis":"sensor","late":false,"replayed":false,"label":"cat","score":0.914,'
        '"since":"2026-01-31T11:59:58.000Z","reason":"entered",'
        '"top":[{"label":"tabby","id":281,"score":0.814},{"label":"tiger cat","id":282,"score":0.1}],'
        '"model":"default","engine":"litert/cpu"}'
    )


def test_a_camera_without_a_result_has_nulls_and_no_missing_keys() -> None:
    """Null, not absence: a template that reads a key must always find it."""
    before, after = (
        messages.state(starting(), AT, replayed=False),
        messages.state(state(), AT, replayed=False),
    )
    assert list(before) == list(after)
    nulls = {key for key, value in before.items() if value is None}
    assert nulls == {"ts", "seq", "age_ms", "age_basis", "label", "score", "since", "model", "engine"}
    assert before["late"] is False


@given(age_ns=st.integers(0, 10 * S), waited_ns=st.integers(0, 100 * S), budget_ms=st.integers(1, 1000))
def test_late_says_exactly_that_the_age_at_hand_over_is_above_the_budget(
    age_ns: int, waited_ns: int, budget_ms: int
) -> None:
    """`age_ms` and `late` never contradict each other, and `age_ms` never says younger than it is."""
    sample = replace(state(), result=result(age_ns=age_ns, budget_ns=budget_ms * MS))
    payload = messages.state(sample, later(waited_ns), replayed=False)
    age_ms = payload["age_ms"]
    assert isinstance(age_ms, int)
    assert age_ms * MS >= age_ns + waited_ns
    assert payload["late"] is (age_ms > budget_ms)


def test_a_replayed_state_tells_its_true_age() -> None:
    """A state that waited ten minutes for the broker says so."""
    payload = StateDraft(state()).render(later(600 * S), replayed=True)
    assert payload["age_ms"] == 600_040
    assert payload["late"] is True
    assert payload["replayed"] is True


def test_the_capture_time_follows_the_wall_clock_that_is_known_now() -> None:
    """A wall clock that was set by NTP after the capture gives the right `ts`, as ages run on BOOTTIME."""
    set_by_an_hour = ClockReading(boot_ns=AT.boot_ns, wall_ns=AT.wall_ns + 3600 * S, synced=True)
    payload = messages.state(state(), set_by_an_hour, replayed=False)
    assert payload["ts"] == "2026-01-31T12:59:59.960Z"
    assert payload["age_ms"] == 40


def test_an_event_keeps_what_was_decided_and_tells_how_long_it_waited() -> None:
    """Only what depends on the sending changes; the id is the same each time it is sent."""
    draft = EventDraft.of(event(end=True), AT, event_id="abc")
    now, then = draft.render(AT, replayed=False), draft.render(later(90 * S), replayed=True)
    changed = {key: then[key] for key in now if now[key] != then[key]}
    assert changed == {"age_ms": 90_040, "late": True, "replayed": True, "delayed_s": 90.0}
    assert (now["id"], now["event_type"], now["episode"]) == ("abc", "end", "e1")
    assert (now["start"], now["end"]) == ("2026-01-31T11:59:58.000Z", "2026-01-31T12:00:00.000Z")


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.LEFT, "ok"),
        (Reason.CAMERA_LOST, "no_camera"),
        (Reason.DISABLED, "disabled"),
        (Reason.ENGINE_FAILED, "error"),
        (Reason.STOPPED, "ok"),
        (Reason.RESTART, "starting"),
    ],
)
def test_an_event_carries_the_status_that_its_reason_means(reason: Reason, status: str) -> None:
    """An event has the keys of a state, status among them."""
    assert messages.event(event(end=True, reason=reason), AT, event_id="x")["status"] == status


def test_an_event_without_a_result_has_no_age() -> None:
    """An episode that a restart ends has no frame behind it."""
    draft = EventDraft.of(replace(event(end=True), result=None), AT, event_id="x")
    payload = draft.render(later(S), replayed=False)
    assert (payload["age_ms"], payload["ts"], payload["late"], payload["delayed_s"]) == (
        None,
        None,
        False,
        1.0,
    )


def test_a_prediction_is_rendered_when_sent() -> None:
    """Its age is the age at hand-over, and its stages are in milliseconds."""
    payload = PredictionDraft(result()).render(later(10 * MS), replayed=False)
    assert payload["age_ms"] == 50
    assert payload["stages_ms"] == {"preprocess": 1.0, "infer": 20.0, "postprocess": 0.25}


def test_info_speaks_of_now() -> None:
    """Sent again after days, `ts_synced` is that of today."""
    assert InfoDraft(info()).render(later(S), replayed=True)["ts"] == "2026-01-31T12:00:01.000Z"


def test_stats_name_every_cause_of_skipping() -> None:
    """A cause that did not occur is 0, not absent: sums must be possible."""
    payload: Any = messages.stats(stats(), MQTT, AT)
    assert payload["cameras"]["main"]["skipped"] == dict.fromkeys(
        ["superseded", "stale", "rate", "still", "disabled", "decode", "engine", "shutdown"], 0
    )
    assert payload["cameras"]["main"]["age_ms"] == {"p50": 21.5, "p95": 30.25, "p99": 44.12}
    assert payload["cameras"]["main"]["stages_ms"]["postprocess"] == {"p50": None, "p95": None, "p99": None}


@given(st.lists(st.integers(0, 10**10), min_size=1))
def test_percentiles_are_samples_and_in_order(samples_ns: list[int]) -> None:
    """Nearest rank: no value is invented, at least p % of the samples are not above the p-th percentile."""
    spread = percentiles(samples_ns)
    values = [spread.p50_ms, spread.p95_ms, spread.p99_ms]
    samples_ms = [sample / 1e6 for sample in samples_ns]
    for value, percent in zip(values, (50, 95, 99), strict=True):
        assert value in samples_ms
        assert sum(sample <= value for sample in samples_ms) >= percent / 100 * len(samples_ms)


@given(st.integers(0, 4 * 10**18))
def test_times_are_rfc3339_utc_with_milliseconds(wall_ns: int) -> None:
    """Python itself reads the time back to the millisecond it was in."""
    text = messages.rfc3339(wall_ns)
    assert len(text) == len("2026-01-31T12:00:00.000Z")
    assert text.endswith("Z")
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == wall_ns // MS


def test_text_is_utf8_and_numbers_are_json() -> None:
    """Labels of any script travel unescaped; what is no JSON is refused here, not at the subscriber."""
    assert messages.encode({"label": "кот"}) == '{"label":"кот"}'.encode()
    with pytest.raises(ValueError, match="JSON compliant"):
        messages.encode({"score": float("nan")})
