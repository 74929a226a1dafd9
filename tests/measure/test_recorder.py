"""The books of a span, from what a witness is told."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edgecam.measure.recorder import Recorder
from edgecam.pipeline.witness import Stage
from edgecam.records import AgeBasis, Result, SkipCause, StageTimes

CAUSES = list(SkipCause)


def result(camera: str, seq: int, *, captured_ns: int, took_ns: int = 5, budget_ns: int = 100) -> Result:
    """A classified frame."""
    return Result(
        camera=camera,
        seq=seq,
        captured_ns=captured_ns,
        basis=AgeBasis.ARRIVAL,
        finished_ns=captured_ns + took_ns,
        budget_ns=budget_ns,
        top=(),
        model="default",
        engine="litert/cpu",
        stages=StageTimes(1, 3, 1),
    )


def capture(recorder: Recorder, camera: str, seq: int, *, at_ns: int) -> None:
    """A frame lies in its slot."""
    recorder.stage(Stage.CAPTURE, camera, seq, began_ns=at_ns, ended_ns=at_ns + 1)


fates = st.sampled_from(["result", "late", "lost", *CAUSES])


@given(frames=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 99), fates), max_size=60))
def test_every_captured_frame_is_in_the_sums_once(frames: list[tuple[str, int, str]]) -> None:
    """A camera's results and skips sum up to the frames of the span, whenever their fate came."""
    recorder = Recorder()
    for seq, (camera, at_ns, fate) in enumerate(frames):
        if fate != SkipCause.DECODE:
            capture(recorder, camera, seq, at_ns=at_ns)
        if fate in CAUSES:
            recorder.skipped(camera, seq, SkipCause(fate), at_ns=at_ns + (fate != SkipCause.DECODE) * 1000)
        elif fate != "lost":
            took_ns = 500 if fate == "late" else 5
            recorder.finished(result(camera, seq, captured_ns=at_ns, took_ns=took_ns))
    inside = [(camera, fate) for camera, at_ns, fate in frames if 20 <= at_ns < 70]
    books = recorder.books(since_ns=20, until_ns=70)
    assert books.keys() == {camera for camera, _ in inside}
    for camera, book in books.items():
        expected = Counter(fate for name, fate in inside if name == camera)
        assert book.captured == expected.total() == len(book.results) + len(book.skips)
        assert book.late == expected["late"]
        assert len(book.results) == expected["result"] + expected["late"]
        for cause in SkipCause:
            lost = expected["lost"] if cause is SkipCause.SHUTDOWN else 0
            assert book.skipped[cause] == expected[cause] + lost
    lost = sum(fate == "lost" for _, fate in inside)
    assert recorder.unsettled(since_ns=20, until_ns=70) == lost


def test_the_first_message_that_carries_a_result_gives_its_age_at_the_socket() -> None:
    """A heartbeat that repeats it later does not make it older; one that was never sent has no such age."""
    recorder = Recorder()
    for seq in (1, 2):
        capture(recorder, "main", seq, at_ns=100 * seq)
        recorder.finished(result("main", seq, captured_ns=100 * seq))
    recorder.stage(Stage.PUBLISH, "main", 1, began_ns=106, ended_ns=109)
    recorder.stage(Stage.PUBLISH, "main", 1, began_ns=900, ended_ns=990)
    recorder.stage(Stage.INFER, "main", 1, began_ns=101, ended_ns=104)
    recorder.stage(Stage.INFER, "other", 1, began_ns=101, ended_ns=104)
    books = recorder.books(since_ns=0, until_ns=1000)
    assert books["main"].ages_ns == [5, 5]
    assert books["main"].sent_ages_ns == [9]
    assert books["main"].stages_ns[Stage.INFER] == [3]
    assert books.keys() == {"main"}


def test_the_first_result_is_told() -> None:
    """Warming up begins then."""
    recorder = Recorder()
    capture(recorder, "main", 1, at_ns=1)
    assert not recorder.first_result.is_set()
    recorder.finished(result("main", 1, captured_ns=1))
    assert recorder.first_result.is_set()
