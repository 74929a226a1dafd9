"""What `run --trace` writes: slices that nest, flows that join, skips that say why."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecam.errors import EdgecamError, UsageError
from edgecam.pipeline.trace import Trace
from edgecam.pipeline.trace_format import Record, chrome_trace
from edgecam.pipeline.witness import Stage
from edgecam.records import AgeBasis, Result, SkipCause, StageTimes

MS = 1_000_000
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "trace.schema.json").read_text(encoding="utf-8")
)
Events = list[dict[str, Any]]


def events_of(records: Iterable[Record]) -> Events:
    """The trace of some records, as a viewer loads it."""
    events: Events = json.loads("".join(chrome_trace(records, version="1")))["traceEvents"]
    return events


class Viewer:
    """Loads a trace as Perfetto's importer is published to do.

    By time; at one time longer slices first, the rest in the file's order. A slice ends what ended before it
    begins, and is dropped if it outlives what is still open. A flow is bound to the slice opened last.
    """

    def __init__(self, events: Events) -> None:
        self.dropped: Events = []
        self.parents: dict[int, dict[str, Any]] = {}
        """The slice around a slice, by the inner one's place in the file."""
        self.bound: defaultdict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        """By flow: phase and slice."""
        self._open: defaultdict[int, Events] = defaultdict(list)
        timed = [(place, event) for place, event in enumerate(events) if event["ph"] != "M"]
        for place, event in sorted(timed, key=lambda one: (one[1]["ts"], -one[1].get("dur", 0), one[0])):
            if event["ph"] in "Xi":
                self._add(place, event)
            else:
                self.bound[event["id"]].append((event["ph"], self._open[event["tid"]][-1]))

    def _add(self, place: int, event: dict[str, Any]) -> None:
        stack, begin, duration = self._open[event["tid"]], event["ts"], event.get("dur", 0)
        while stack and stack[-1]["ts"] + stack[-1].get("dur", 0) <= begin:
            stack.pop()
        if any(begin + duration > outer["ts"] + outer.get("dur", 0) for outer in stack):
            self.dropped.append(event)
            return
        if stack:
            self.parents[place] = stack[-1]
        stack.append(event)


def check(events: Events) -> Viewer:
    """Nothing is dropped, each stage lies in a slice of its frame, each flow joins one frame's stages."""
    viewer = Viewer(events)
    assert viewer.dropped == []
    owner = {}
    for place, event in enumerate(events):
        if event.get("cat") == "frame":
            assert place not in viewer.parents
            frame = event["name"]
        elif event.get("cat") == "stage":
            assert event["dur"] > 0
            parent = viewer.parents[place]
            assert parent["cat"] == "frame"
            assert parent["name"] == frame == f"{parent['args']['camera']} #{parent['args']['seq']}"
            owner[id(event)] = frame
    for bound in viewer.bound.values():
        assert len({owner[id(slice_)] for _, slice_ in bound}) == 1
        assert "".join(phase for phase, _ in bound) == f"s{'t' * (len(bound) - 2)}f"
    joined = [id(slice_) for bound in viewer.bound.values() for _, slice_ in bound]
    frames = list(owner.values())
    assert sorted(joined) == sorted(one for one, frame in owner.items() if frames.count(frame) > 1)
    return viewer


# Anything may take any time: nanoseconds that share a microsecond, and longer than a frame's period.
durations = st.one_of(st.integers(0, 3_000), st.integers(0, 80 * MS))


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Frames of some cameras through one engine that prepares the next frame while it infers."""
    handed: list[tuple[int, str, int, int]] = []
    records: list[Record] = []
    for camera in "abc"[: draw(st.integers(1, 3))]:
        free_ns = captured_ns = draw(durations)
        for seq in range(1, draw(st.integers(1, 6)) + 1):
            captured_ns += draw(durations)
            free_ns = max(captured_ns + draw(durations), free_ns)
            records.append(("stage", f"capture-{camera}", camera, seq, "capture", captured_ns, free_ns))
            if draw(st.booleans()):
                handed.append((free_ns, camera, seq, captured_ns))
            else:
                records.append(("skip", f"capture-{camera}", camera, seq, "superseded", free_ns))
    aide, engine, publish = "engine-default-aide", "engine-default", "publish"
    free = {aide: 0, engine: 0, publish: 0}

    def run(worker: str, stage: Stage, frame: tuple[int, str, int, int], *, from_ns: int) -> int:
        began_ns = max(free[worker], from_ns) + draw(st.integers(0, 2_000))
        free[worker] = began_ns + draw(durations)
        records.append(("stage", worker, frame[1], frame[2], stage.value, began_ns, free[worker]))
        return free[worker]

    prepared_ns: dict[tuple[int, str, int, int], int] = {}
    handed.sort()
    for place, frame in enumerate(handed):
        if frame not in prepared_ns:
            prepared_ns[frame] = run(engine, Stage.PREPROCESS, frame, from_ns=frame[0])
        inferred_ns = run(engine, Stage.INFER, frame, from_ns=prepared_ns[frame])
        if place + 1 < len(handed) and draw(st.booleans()):
            ahead = handed[place + 1]
            prepared_ns[ahead] = run(aide, Stage.PREPROCESS, ahead, from_ns=ahead[0])
        worker = draw(st.sampled_from([aide, engine]))
        done_ns = run(worker, Stage.POSTPROCESS, frame, from_ns=inferred_ns)
        records.append(("result", frame[1], frame[2], frame[3], done_ns, 150 * MS))
        done_ns = run(worker, Stage.DECIDE, frame, from_ns=done_ns)
        for _ in range(draw(st.integers(0, 3))):
            run(publish, Stage.PUBLISH, frame, from_ns=done_ns)
    return draw(st.permutations(records))


@given(histories())
@settings(deadline=None)
def test_slices_nest_and_flows_join_whatever_takes_how_long(records: list[Record]) -> None:
    """A viewer drops nothing, and a frame can be followed from its capture to its last message."""
    events = events_of(records)
    check(events)
    stages = sum(record[0] == "stage" for record in records)
    assert sum(event.get("cat") == "stage" for event in events) == stages
    jsonschema.Draft202012Validator(SCHEMA).validate(
        {
            "displayTimeUnit": "ms",
            "otherData": {"edgecam": "1", "clock": "BOOTTIME", "zero_ns": 0},
            "traceEvents": events,
        }
    )


times = st.integers(0, 20_000)
stage_records = st.builds(
    lambda worker, seq, stage, began, lasted: (
        "stage", worker, "a", seq, stage.value, began, began + lasted
    ),
    st.sampled_from(["capture-a", "engine-default"]), st.integers(1, 3), st.sampled_from(Stage), times, times,
)  # fmt: skip


@given(st.lists(stage_records))
@settings(deadline=None)
def test_slices_nest_even_if_the_workers_tell_nonsense(records: list[Record]) -> None:
    """Overlapping stages of one thread are laid out one after the other, never dropped."""
    check(events_of(records))


def test_the_check_finds_a_slice_that_overlaps_another() -> None:
    """The checker above can fail."""
    one = {"ph": "X", "name": "a #1", "cat": "frame", "pid": 1, "tid": 2, "ts": 0, "dur": 10, "args": {}}
    two = one | {"name": "a #2", "ts": 5}
    assert Viewer([one, two]).dropped == [two]


def test_a_capture_that_began_before_the_last_hand_over_is_drawn_after_it_and_says_its_age() -> None:
    """The sensor exposes a frame while the one before is still on its way."""
    events = events_of(
        [
            ("stage", "capture-a", "a", 1, "capture", 0, 50 * MS),
            ("stage", "capture-a", "a", 2, "capture", 33 * MS, 83 * MS),
        ]
    )
    captures = [event for event in events if event["name"] == "capture"]
    assert [(one["ts"], one["dur"]) for one in captures] == [(0, 50_000), (50_000, 33_000)]
    assert [one["args"]["age_ms"] for one in captures] == [50, 50]


def one_frame(*, budget_ms: int) -> Events:
    """A frame that is 40 ms old when it is classified and 45 ms when it is published."""
    at = [moment * MS + 7 for moment in (1000, 1010, 1012, 1035, 1037, 1041, 1045)]
    workers = ["capture-a", *["engine-default"] * 4, "publish"]
    records: list[Record] = [
        ("stage", worker, "a", 9, stage.value, began_ns, ended_ns)
        for worker, stage, began_ns, ended_ns in zip(workers, Stage, at, at[1:], strict=False)
    ]
    return events_of([*records, ("result", "a", 9, at[0], at[0] + 40 * MS, budget_ms * MS)])


def test_one_frame_lies_on_three_tracks_and_flows_through_all_its_stages() -> None:
    """Capture, engine, publish: a slice of the frame on each, its stages inside, joined in their order."""
    events = one_frame(budget_ms=150)
    names = {one["tid"]: one["args"]["name"] for one in events if one["name"] == "thread_name"}
    slices = [(names[one["tid"]], one["name"], one["ts"], one["dur"]) for one in events if one["ph"] == "X"]
    assert slices == [
        ("capture-a", "a #9", 0, 10_000),
        ("capture-a", "capture", 0, 10_000),
        ("engine-default", "a #9", 10_000, 31_000),
        ("engine-default", "preprocess", 10_000, 2_000),
        ("engine-default", "infer", 12_000, 23_000),
        ("engine-default", "postprocess", 35_000, 2_000),
        ("engine-default", "decide", 37_000, 4_000),
        ("publish", "a #9", 41_000, 4_000),
        ("publish", "publish", 41_000, 4_000),
    ]
    (flow,) = check(events).bound.values()
    assert [(phase, one["name"]) for phase, one in flow] == list(zip("sttttf", Stage, strict=True))
    assert [one["bp"] for one in events if one["ph"] == "f"] == ["e"]


@pytest.mark.parametrize(
    ("budget_ms", "late_when_classified", "late_when_published"),
    [(45, False, False), (44, False, True), (39, True, True)],
)
def test_a_frame_says_its_age_and_whether_it_was_late(
    *, budget_ms: int, late_when_classified: bool, late_when_published: bool
) -> None:
    """When it was classified on the frame's slices, when it was published on that stage."""
    events = one_frame(budget_ms=budget_ms)
    for one in events:
        if one.get("cat") == "frame":
            fate = {"age_ms": 40, "budget_ms": budget_ms, "late": late_when_classified}
            assert one["args"] == {"camera": "a", "seq": 9, **fate}
    (published,) = (one for one in events if one["name"] == "publish" and one["ph"] == "X")
    assert published["args"] == {"age_ms": 45, "late": late_when_published}


def test_a_frame_that_a_worker_takes_up_again_after_a_pause_has_a_second_slice() -> None:
    """A worker that sends the result again a minute later was not busy with it meanwhile."""
    events = events_of(
        [
            ("stage", "publish", "a", 1, "publish", 0, MS),
            ("stage", "publish", "a", 1, "publish", 2 * MS, 3 * MS),
            ("stage", "publish", "a", 1, "publish", 60_000 * MS, 60_001 * MS),
        ]
    )
    assert [one["dur"] for one in events if one.get("cat") == "frame"] == [3_000, 1_000]


def test_tracks_stand_in_the_order_of_a_frames_life() -> None:
    """Captures, engines and their aides, publish, the rest; by name within each; the same in every file."""
    records: list[Record] = [
        ("skip", "MainThread", "a", 3, "shutdown", 9),
        ("stage", "publish", "a", 1, "publish", 8, 9),
        ("stage", "engine-b-aide", "a", 1, "preprocess", 3, 4),
        ("stage", "engine-b", "a", 1, "infer", 4, 5),
        ("stage", "capture-b", "b", 1, "capture", 1, 2),
        ("stage", "capture-a", "a", 1, "capture", 1, 2),
    ]
    for order in (records, records[::-1]):
        events = events_of(order)
        assert [one["args"]["name"] for one in events if one["name"] == "process_name"] == ["edgecam"]
        named = {one["tid"]: one["args"]["name"] for one in events if one["name"] == "thread_name"}
        places = {
            one["tid"]: one["args"]["sort_index"] for one in events if one["name"] == "thread_sort_index"
        }
        assert [named[tid] for tid in sorted(named, key=places.__getitem__)] == [
            "capture-a", "capture-b", "engine-b", "engine-b-aide", "publish", "MainThread",
        ]  # fmt: skip


def in_thread(name: str, work: Callable[[], None]) -> Thread:
    """A started worker of this name."""
    thread = Thread(target=work, name=name)
    thread.start()
    return thread


def result(seq: int = 1) -> Result:
    """A late one of camera a."""
    times = StageTimes(1, 1, 1)
    return Result("a", seq, 0, AgeBasis.SENSOR, 200 * MS, 150 * MS, (), "m", "litert/cpu", times)


def written(path: Path) -> Events:
    """The events of a file that keeps its schema."""
    document = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    events: Events = document["traceEvents"]
    return events


@pytest.mark.parametrize("cause", SkipCause)
def test_every_cause_is_named_on_the_track_where_it_happened(tmp_path: Path, cause: SkipCause) -> None:
    """An instant says which frame was skipped, why, and by whom."""
    trace = Trace(tmp_path / "t.json")
    in_thread("engine-default", lambda: trace.skipped("a", 7, cause, at_ns=5 * MS)).join()
    trace.write()
    events = written(tmp_path / "t.json")
    (skip,) = (one for one in events if one["ph"] == "i")
    (track,) = (one for one in events if one["name"] == "thread_name")
    assert skip["name"] == f"skip: {cause}"
    assert skip["args"] == {"camera": "a", "seq": 7, "cause": cause.value}
    assert (skip["tid"], track["args"]["name"]) == (track["tid"], "engine-default")


def test_the_witness_sees_all_that_it_is_told_and_writes_what_keeps_the_schema(tmp_path: Path) -> None:
    """Stages on the track of the thread that tells them; on the frame's slices what became of it."""
    trace = Trace(tmp_path / "t.json")

    def capture() -> None:
        for seq in (1, 2):
            trace.stage(Stage.CAPTURE, "a", seq, began_ns=seq * MS, ended_ns=(seq + 1) * MS)
        trace.skipped("a", 2, SkipCause.SUPERSEDED, at_ns=3 * MS)

    def infer() -> None:
        trace.stage(Stage.INFER, "a", 1, began_ns=3 * MS, ended_ns=200 * MS)
        trace.finished(result())

    for name, work in (("capture-a", capture), ("engine-default", infer)):
        in_thread(name, work).join()
    trace.write()
    events = written(tmp_path / "t.json")
    check(events)
    frames = [one["args"] for one in events if one.get("cat") == "frame"]
    assert [(one["seq"], one.get("late"), one.get("skipped")) for one in frames] == [
        (1, True, None),
        (2, None, "superseded"),
        (1, True, None),
    ]


def test_the_ring_keeps_the_newest_and_no_more(tmp_path: Path) -> None:
    """It can be left on for months; what it forgot does not break what it kept."""
    trace = Trace(tmp_path / "t.json", most_events=5)
    for seq in range(1, 101):
        trace.stage(Stage.CAPTURE, "a", seq, began_ns=seq * MS, ended_ns=(seq + 1) * MS)
        trace.finished(result(seq))
    trace.write()
    events = written(tmp_path / "t.json")
    assert [one["args"]["seq"] for one in events if one.get("cat") == "frame"] == [99, 100]
    check(events)


def test_an_empty_trace_is_a_trace(tmp_path: Path) -> None:
    """Stopped before the first frame."""
    Trace(tmp_path / "t.json").write()
    assert [one["name"] for one in written(tmp_path / "t.json")] == ["process_name"]


def test_what_happens_during_a_write_is_kept_for_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file holds the moment at which it was asked for; the workers do not wait for the disk."""
    trace = Trace(tmp_path / "t.json")
    trace.skipped("a", 1, SkipCause.RATE, at_ns=1)

    def slow(records: Iterable[Record], *, version: str) -> Iterator[str]:
        for place, text in enumerate(chrome_trace(iter(records), version=version), start=2):
            trace.skipped("a", place, SkipCause.RATE, at_ns=place)
            yield text
        assert len(list(records)) == 1

    monkeypatch.setattr("edgecam.pipeline.trace.chrome_trace", slow)
    trace.write()
    assert sum(one["ph"] == "i" for one in written(tmp_path / "t.json")) == 1
    monkeypatch.undo()
    trace.write()
    assert sum(one["ph"] == "i" for one in written(tmp_path / "t.json")) > 1


def test_workers_go_on_while_two_write_and_every_file_is_whole(tmp_path: Path) -> None:
    """A signal may ask for the file while the end of the run writes it, and frames pass meanwhile."""
    trace = Trace(tmp_path / "t.json", most_events=500)
    trace.write()
    starts = Barrier(5)
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            starts.wait()
            try:
                for _ in range(10):
                    work()
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)

        return run

    def record() -> None:
        for seq in range(1, 2_000):
            trace.stage(Stage.INFER, "a", seq, began_ns=seq * MS, ended_ns=seq * MS + 1)

    works = (record, record, trace.write, trace.write, lambda: check(written(tmp_path / "t.json")))
    threads = [in_thread(f"worker-{place}", guarded(work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_a_place_where_no_file_can_be_made_is_refused_at_the_start(tmp_path: Path) -> None:
    """Not after an hour of recording; and a device is not replaced by a file."""
    with pytest.raises(UsageError, match=r"absent is no folder; make it"):
        Trace(tmp_path / "absent" / "t.json")
    with pytest.raises(UsageError, match="exists and is no file"):
        Trace(tmp_path)
    with pytest.raises(UsageError, match="exists and is no file"):
        Trace(Path("/dev/null"))


def test_a_folder_that_may_not_be_written_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Said by the system's own answer, which is yes to everything for root: so it is played here."""
    monkeypatch.setattr("edgecam.pipeline.trace.os.access", lambda *_: False)
    with pytest.raises(UsageError, match=r"no file can be made in .*; allow it"):
        Trace(tmp_path / "t.json")


def test_a_failed_write_is_told_and_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """What was there is better than half of what should be."""
    folder = tmp_path / "folder"
    folder.mkdir()
    trace = Trace(folder / "t.json")
    trace.write()
    before = (folder / "t.json").read_text()
    # A record that cannot be written as JSON, deep in the ring.
    trace._events.append(("skip", "x", "a", 1, object(), 5))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        trace.write()
    assert [path.name for path in folder.iterdir()] == ["t.json"]
    assert (folder / "t.json").read_text() == before
    folder.rename(tmp_path / "moved")
    with pytest.raises(
        EdgecamError, match=r"t\.json cannot be written: No such file or directory; make room"
    ):
        trace.write()
