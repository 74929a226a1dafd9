"""Every event waits until it is accepted, only the newest of each state, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publish_samples import AT, event, result, state

from edgecam.publish.drafts import EventDraft, FixedDraft, PredictionDraft, RawDraft, StateDraft
from edgecam.publish.outbox import Outbox
from edgecam.publish.queues import Delivery, MemoryQueue, Outgoing


def outbox(max_events: int = 100) -> Outbox:
    """One with a connection."""
    box = Outbox(MemoryQueue(max_items=max_events), max_notices=2)
    box.connected()
    return box


def draft(event_id: str) -> EventDraft:
    """An event that can be told from others."""
    return EventDraft.of(event(), AT, event_id=event_id)


def id_of(item: Outgoing) -> str:
    """The id given to `draft`."""
    assert isinstance(item.draft, EventDraft)
    return str(item.draft.payload["id"])


def take_all(box: Outbox) -> list[Outgoing]:
    """Everything that may be sent now."""
    items = []
    while (item := box.take()) is not None:
        items.append(item)
    return items


def test_events_leave_in_order_and_stay_until_settled() -> None:
    """An event that was handed over but not accepted still counts as waiting."""
    box = outbox()
    for name in "abc":
        box.put_event("t", draft(name))
    items = take_all(box)
    assert [id_of(item) for item in items] == ["a", "b", "c"]
    assert box.counts().waiting == 3
    for item in items:
        box.settle(item, accepted=True)
    assert (box.counts().waiting, box.counts().published) == (0, 3)


def test_what_was_on_its_way_is_sent_again_first_and_in_order() -> None:
    """A connection that broke takes nothing with it."""
    box = outbox()
    for name in "abcd":
        box.put_event("t", draft(name))
    first, second = box.take(), box.take()
    assert first is not None
    assert second is not None
    box.settle(second, accepted=True)
    box.disconnected()
    box.connected()
    again = take_all(box)
    assert [id_of(item) for item in again] == ["a", "c", "d"]
    assert all(item.epoch < box.epoch for item in again)


def test_a_refused_event_is_forgotten_and_counted() -> None:
    """A refusal does not block the queue."""
    box = outbox()
    box.put_event("t", draft("a"))
    (item,) = take_all(box)
    box.settle(item, accepted=False)
    assert (box.counts().waiting, box.counts().refused, box.counts().published) == (0, 1, 0)


def test_a_full_outbox_loses_the_oldest_and_says_how_many() -> None:
    """Oldest out first; the newest is what somebody wants to know."""
    box = outbox(max_events=3)
    assert [box.put_event("t", draft(name)) for name in "abcde"] == [0, 0, 0, 1, 1]
    assert [id_of(item) for item in take_all(box)] == ["c", "d", "e"]
    assert (box.counts().lost, box.counts().waiting) == (2, 3)


def test_a_full_outbox_spares_what_is_on_its_way() -> None:
    """An event that the broker most likely has is not counted as lost; its late answer changes nothing."""
    box = outbox(max_events=2)
    for name in "ab":
        box.put_event("t", draft(name))
    on_its_way = box.take()
    assert on_its_way is not None
    box.put_event("t", draft("c"))
    box.disconnected()
    assert [id_of(item) for item in take_all(box)] == ["a", "c"]
    box.put_event("t", draft("d"))
    box.settle(on_its_way, accepted=True)
    assert (box.counts().lost, box.counts().waiting) == (2, 2)


@given(
    st.lists(st.sampled_from(["put", "take", "settle", "break"]), max_size=60),
    st.integers(1, 5),
)
def test_whatever_happens_events_are_accepted_in_order_or_lost_and_counted(
    steps: list[str], max_events: int
) -> None:
    """The promise, for any course of things; each event is accepted, lost and counted, or still waiting."""
    box = outbox(max_events)
    sent: list[Outgoing] = []
    first_sent: list[int] = []
    accepted: set[int] = set()
    put = 0
    for step in steps:
        if step == "put":
            box.put_event("t", draft(str(put)))
            put += 1
        elif step == "take" and (item := box.take()) is not None:
            sent.append(item)
            if int(id_of(item)) not in first_sent:
                first_sent.append(int(id_of(item)))
        elif step == "settle" and sent:
            item = sent.pop(0)
            accepted.add(int(id_of(item)))
            box.settle(item, accepted=True)
        elif step == "break":
            sent.clear()
            box.disconnected()
            box.connected()
    assert first_sent == sorted(first_sent)
    counts = box.counts()
    assert counts.waiting <= max_events
    # One that was pushed out on its way and accepted all the same counts as both.
    assert put <= len(accepted) + counts.lost + counts.waiting
    assert counts.waiting >= put - len(accepted) - counts.lost


def test_only_the_newest_of_each_state_is_sent() -> None:
    """A slow broker gets fresh states, not a history of them."""
    box = outbox()
    old, new, other = StateDraft(state("cat")), StateDraft(state("dog")), StateDraft(state(camera="b"))
    box.put_state("main/state", old)
    box.put_state("b/state", other)
    box.put_state("main/state", new)
    assert [item.draft for item in take_all(box)] == [new, other]


def test_every_state_is_due_again_on_a_new_connection() -> None:
    """The broker may have forgotten what it retained."""
    box = outbox()
    box.put_state("a", StateDraft(state("cat")))
    box.put_state("b", StateDraft(state("dog")))
    for item in take_all(box):
        box.settle(item, accepted=True)
    assert take_all(box) == []
    box.disconnected()
    box.connected()
    again = take_all(box)
    assert [item.topic for item in again] == ["a", "b"]
    assert all(item.epoch < box.epoch for item in again)


def test_states_go_before_events_and_events_before_notices() -> None:
    """After an outage the present comes first, then the past."""
    box = outbox()
    box.put_volatile("p", PredictionDraft(result()))
    box.put_notice("n", FixedDraft({}))
    box.put_event("e", draft("a"))
    box.put_state("s", StateDraft(state()))
    items = take_all(box)
    assert [item.delivery for item in items] == [
        Delivery.LATEST,
        Delivery.EVENT,
        Delivery.NOTICE,
        Delivery.VOLATILE,
    ]
    assert [(item.qos, item.retain) for item in items] == [(1, True), (1, False), (1, False), (0, False)]


def test_what_is_volatile_is_never_kept() -> None:
    """A prediction is sent now or dropped and counted."""
    box = Outbox(MemoryQueue(max_items=1))
    box.put_volatile("p", PredictionDraft(result()))
    box.connected()
    assert box.take() is None
    box.put_volatile("p", PredictionDraft(result(seq=1)), expiry_s=5)
    newest = PredictionDraft(result(seq=2))
    box.put_volatile("p", newest, expiry_s=5)
    (item,) = take_all(box)
    assert (item.draft, item.expiry_s) == (newest, 5)
    box.put_volatile("p", newest)
    box.disconnected()
    box.connected()
    assert box.take() is None
    assert box.counts().dropped == 3


def test_notices_never_push_out_events() -> None:
    """A flood of notices stays in its own short queue."""
    box = outbox(max_events=2)
    box.put_event("e", draft("a"))
    for _ in range(5):
        box.put_notice("n", FixedDraft({}))
    assert [item.delivery for item in take_all(box)] == [Delivery.EVENT, Delivery.NOTICE, Delivery.NOTICE]
    assert (box.counts().lost, box.counts().dropped) == (0, 3)


@pytest.mark.parametrize("put_while_connected", [True, False])
def test_replayed_is_what_is_older_than_the_connection(put_while_connected: bool) -> None:  # noqa: FBT001
    """`replayed` has one meaning: made before the present connection."""
    box = outbox()
    if not put_while_connected:
        box.disconnected()
    box.put_event("e", draft("a"))
    if not put_while_connected:
        box.connected()
    (item,) = take_all(box)
    assert (item.epoch == box.epoch) is put_while_connected


def test_what_is_cleared_is_cleared_on_each_connection_until_accepted_and_then_forgotten() -> None:
    """A retained message of a removed camera does not outlive a refusal or a lost connection."""
    remembered = {"gone"}
    box = Outbox(MemoryQueue(max_items=1), retained=remembered)
    box.clear("gone")
    for accepted in (False, True):
        box.connected()
        (item,) = take_all(box)
        assert (item.topic, item.draft, item.qos, item.retain) == ("gone", RawDraft(b""), 1, True)
        assert remembered == {"gone"}
        box.settle(item, accepted=accepted)
        box.disconnected()
    box.connected()
    assert (take_all(box), remembered) == ([], set())


def test_what_is_put_after_a_clearing_stays() -> None:
    """The answer to the clearing is not taken for one to the newer state."""
    remembered = set[str]()
    box = Outbox(MemoryQueue(max_items=1), retained=remembered)
    box.connected()
    box.clear("t")
    (cleared,) = take_all(box)
    newest = StateDraft(state())
    box.put_state("t", newest)
    box.settle(cleared, accepted=True)
    assert [item.draft for item in take_all(box)] == [newest]
    assert remembered == {"t"}


def test_what_was_to_be_cleared_and_is_ours_again_is_kept() -> None:
    """Topics that come back offline: the availability that was said there on welcome must not be wiped."""
    remembered = {"t"}
    box = Outbox(MemoryQueue(max_items=1), retained=remembered)
    box.clear("t")
    box.keep("t")
    box.connected()
    assert (take_all(box), remembered) == ([], {"t"})
    newest = StateDraft(state())
    box.put_state("t", newest)
    box.keep("t")
    assert [item.draft for item in take_all(box)] == [newest]


def picture(name: bytes) -> RawDraft:
    """A JPEG, as far as the outbox cares."""
    return RawDraft(name)


def test_a_picture_that_ends_two_connections_is_not_sent_again() -> None:
    """What a broker chokes on must not cut it off for ever; a newer one may be smaller."""
    box = outbox()
    box.put_picture("p", picture(b"large"), expiry_s=9)
    for _ in range(2):
        assert [item.draft for item in take_all(box)] == [picture(b"large")]
        box.disconnected()
        box.connected()
    assert take_all(box) == []
    assert box.counts().refused == 1
    box.put_picture("p", picture(b"small"), expiry_s=9)
    assert [item.draft for item in take_all(box)] == [picture(b"small")]


def test_a_picture_that_arrived_is_blamed_for_nothing() -> None:
    """Each new connection brings the pictures again, however many there were."""
    box = outbox()
    box.put_picture("p", picture(b"a"), expiry_s=9)
    for _ in range(5):
        (item,) = take_all(box)
        box.settle(item, accepted=True)
        box.disconnected()
        box.connected()
    assert box.counts().refused == 0


def test_one_picture_at_a_time_is_on_its_way() -> None:
    """Else nobody could say which of them ended the connection."""
    box = outbox()
    box.put_picture("p", picture(b"a"), expiry_s=9)
    box.put_picture("q", picture(b"b"), expiry_s=9)
    (first,) = take_all(box)
    box.settle(first, accepted=True)
    (second,) = take_all(box)
    assert {first.topic, second.topic} == {"p", "q"}


def test_a_picture_that_waits_is_forgotten_with_its_topic() -> None:
    """Its camera is taken out while another picture is on its way: nothing is due there any more."""
    box = outbox()
    box.put_picture("p", picture(b"a"), expiry_s=9)
    (first,) = take_all(box)
    box.put_picture("q", picture(b"b"), expiry_s=9)
    box.clear("q")
    (clearing,) = take_all(box)
    box.settle(clearing, accepted=True)
    box.settle(first, accepted=True)
    assert take_all(box) == []


def test_a_picture_put_where_something_was_to_be_cleared_is_sent_once() -> None:
    """The camera has come back before the broker heard that it was gone."""
    box = outbox()
    box.clear("p")
    box.put_picture("p", picture(b"a"), expiry_s=9)
    assert [item.draft for item in take_all(box)] == [picture(b"a")]


def test_an_answer_is_now_or_never_and_pushes_out_no_notice() -> None:
    """An answer belongs to the connection that brought the question; a flood of them harms nothing else."""
    box = outbox()
    box.put_notice("n", FixedDraft({}))
    for number in range(30):
        box.put_answer(f"a{number}", FixedDraft({}), correlation=b"c")
    items = take_all(box)
    assert [item.topic for item in items] == [*(f"a{number}" for number in range(10, 30)), "n"]
    box.put_answer("late", FixedDraft({}), correlation=None)
    box.disconnected()
    box.connected()
    assert [item.topic for item in take_all(box)] == ["n"]
    assert box.counts().dropped == 11
