"""Recorded events as a Chrome trace (JSON), which ui.perfetto.dev and chrome://tracing show.

A viewer drops a slice that overlaps another of its track without lying inside it, so slices are laid out in
whole microseconds (fractions do not survive every viewer's sums), each after the one before, none empty.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from edgecam.pipeline.witness import Stage

StageRecord: TypeAlias = tuple[Literal["stage"], str, str, int, str, int, int]
"""worker, camera, seq, stage, began_ns, ended_ns."""
SkipRecord: TypeAlias = tuple[Literal["skip"], str, str, int, str, int]
"""worker, camera, seq, cause, at_ns."""
ResultRecord: TypeAlias = tuple[Literal["result"], str, int, int, int, int]
"""camera, seq, captured_ns, finished_ns, budget_ns."""
Record: TypeAlias = StageRecord | SkipRecord | ResultRecord

_FrameKey: TypeAlias = tuple[str, int]
_Json: TypeAlias = dict[str, object]

# A worker's number must not be its process's: viewers take such a one for the main thread.
_PID = 1
_FIRST_TID = 2
# A worker that rests for longer between two stages of a frame is not at work on it.
_LONGEST_PAUSE_US = 20_000

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _Slice(NamedTuple):
    """A stage as it is drawn."""

    frame: _FrameKey
    stage: str
    begin_us: int
    end_us: int
    ended_ns: int


@dataclass
class _Track:
    """What one worker did."""

    stages: list[StageRecord] = field(default_factory=list)
    skips: list[SkipRecord] = field(default_factory=list)


def chrome_trace(records: Iterable[Record], *, version: str) -> Iterator[str]:
    """The text of a trace file, a piece at a time: whole, it would take ten times the memory of the records.

    Args:
        records: what happened, in any order.
        version: edgecam's.
    """
    book = _Book(records)
    about = {"edgecam": version, "clock": "BOOTTIME", "zero_ns": book.zero_ns}
    yield f'{{"displayTimeUnit":"ms","otherData":{_encode(about)},"traceEvents":[\n'
    yield _encode(_meta("process_name", _FIRST_TID, {"name": "edgecam"}))
    for event in book.events():
        yield ",\n" + _encode(event)
    yield "\n]}\n"


class _Book:
    """The records, sorted by worker and by frame."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._tracks: defaultdict[str, _Track] = defaultdict(_Track)
        self._captured_ns: dict[_FrameKey, int] = {}
        self._budget_ns: dict[_FrameKey, int] = {}
        self._fates: dict[_FrameKey, _Json] = {}
        moments: list[int] = []
        for record in records:
            if record[0] == "stage":
                _, worker, camera, seq, stage, began_ns, _ = record
                self._tracks[worker].stages.append(record)
                moments.append(began_ns)
                if stage == Stage.CAPTURE:
                    self._captured_ns[camera, seq] = began_ns
            elif record[0] == "skip":
                _, worker, camera, seq, cause, at_ns = record
                self._tracks[worker].skips.append(record)
                moments.append(at_ns)
                self._fates[camera, seq] = {"skipped": cause}
            else:
                self._add_result(record)
        self.zero_ns = min(moments, default=0)
        """The BOOTTIME at which the trace's time begins: small numbers stay whole in every viewer."""

    def _add_result(self, record: ResultRecord) -> None:
        _, camera, seq, captured_ns, finished_ns, budget_ns = record
        frame = camera, seq
        self._captured_ns[frame] = captured_ns
        self._budget_ns[frame] = budget_ns
        age_ns = finished_ns - captured_ns
        self._fates[frame] = {
            "age_ms": _ms(age_ns), "budget_ms": _ms(budget_ns), "late": age_ns > budget_ns
        }  # fmt: skip

    def events(self) -> Iterator[_Json]:
        """Names first, then track by track: what each worker did with each frame, and what it skipped."""
        workers = dict(enumerate(sorted(self._tracks, key=self._rank), start=_FIRST_TID))
        for tid, worker in workers.items():
            yield _meta("thread_name", tid, {"name": worker})
            yield _meta("thread_sort_index", tid, {"sort_index": tid})
        slices = {tid: self._lay_out(self._tracks[worker].stages) for tid, worker in workers.items()}
        flows = _Flows(slices)
        for tid, worker in workers.items():
            for run in _runs(slices[tid]):
                yield self._frame_event(tid, run)
                for slice_ in run:
                    yield self._stage_event(tid, slice_)
                    yield from flows.events(tid, slice_)
            # After the flows: one of the same moment would be bound to the instant.
            yield from (self._skip_event(tid, skip) for skip in self._tracks[worker].skips)

    def _rank(self, worker: str) -> tuple[int, str]:
        """Captures, engines, publish, others."""
        stages = {record[4] for record in self._tracks[worker].stages}
        if Stage.CAPTURE in stages:
            return 0, worker
        if stages - {Stage.PUBLISH}:
            return 1, worker
        return (2 if stages else 3), worker

    def _lay_out(self, stages: Iterable[StageRecord]) -> list[_Slice]:
        """One worker's slices, one after the other.

        A capture begins in the sensor, often while its worker still hands over the frame before: it is drawn
        from where the worker is free, and its `age_ms` tells when it began.
        """
        slices: list[_Slice] = []
        free_us = 0
        for _, _, camera, seq, stage, began_ns, ended_ns in sorted(stages, key=_end_and_begin):
            begin_us = max(self._us(began_ns), free_us)
            free_us = max(self._us(ended_ns), begin_us + 1)
            slices.append(_Slice((camera, seq), stage, begin_us, free_us, ended_ns))
        return slices

    def _us(self, at_ns: int) -> int:
        return (at_ns - self.zero_ns) // 1000

    def _frame_event(self, tid: int, run: list[_Slice]) -> _Json:
        camera, seq = frame = run[0].frame
        args = {"camera": camera, "seq": seq, **self._fates.get(frame, {})}
        return _slice_event(
            tid, f"{camera} #{seq}", run[0].begin_us, run[-1].end_us, category="frame", args=args
        )

    def _stage_event(self, tid: int, slice_: _Slice) -> _Json:
        args: _Json = {}
        captured_ns, budget_ns = self._captured_ns.get(slice_.frame), self._budget_ns.get(slice_.frame)
        if captured_ns is not None:
            age_ns = slice_.ended_ns - captured_ns
            args["age_ms"] = _ms(age_ns)
            if slice_.stage == Stage.PUBLISH and budget_ns is not None:
                args["late"] = age_ns > budget_ns
        return _slice_event(tid, slice_.stage, slice_.begin_us, slice_.end_us, category="stage", args=args)

    def _skip_event(self, tid: int, skip: SkipRecord) -> _Json:
        _, _, camera, seq, cause, at_ns = skip
        return {
            "ph": "i", "name": f"skip: {cause}", "cat": "skip", "pid": _PID, "tid": tid,
            "ts": self._us(at_ns), "s": "t",
            "args": {"camera": camera, "seq": seq, "cause": cause},
        }  # fmt: skip


class _Flows:
    """Joins the slices of each frame, in the order in which they begin."""

    def __init__(self, slices: Mapping[int, list[_Slice]]) -> None:
        self._ids: dict[_FrameKey, int] = {}
        self._first: dict[_FrameKey, _Slice] = {}
        self._last: dict[_FrameKey, _Slice] = {}
        for slice_ in sorted(
            (one for track in slices.values() for one in track), key=lambda one: one.begin_us
        ):
            self._ids.setdefault(slice_.frame, len(self._ids) + 1)
            self._first.setdefault(slice_.frame, slice_)
            self._last[slice_.frame] = slice_

    def events(self, tid: int, slice_: _Slice) -> Iterator[_Json]:
        """The flow's event in this slice; none if the frame has no other slice.

        It lies at the slice's begin: a viewer binds it to the slice that was opened last, which is this one.
        """
        first, last = self._first[slice_.frame], self._last[slice_.frame]
        if first is last:
            return
        phase = "s" if slice_ is first else "f" if slice_ is last else "t"
        event: _Json = {
            "ph": phase, "name": "frame", "cat": "flow", "id": self._ids[slice_.frame],
            "pid": _PID, "tid": tid, "ts": slice_.begin_us,
        }  # fmt: skip
        # Without it, an end is bound to the next slice.
        yield event if phase == "s" else event | {"bp": "e"}


def _end_and_begin(record: StageRecord) -> tuple[int, int]:
    return record[6], record[5]


def _runs(slices: Iterable[_Slice]) -> Iterator[list[_Slice]]:
    """One worker's slices in runs: one frame, without a long pause."""
    run: list[_Slice] = []
    for slice_ in slices:
        if run and (slice_.frame != run[-1].frame or slice_.begin_us - run[-1].end_us > _LONGEST_PAUSE_US):
            yield run
            run = []
        run.append(slice_)
    if run:
        yield run


def _slice_event(tid: int, name: str, begin_us: int, end_us: int, *, category: str, args: _Json) -> _Json:
    return {
        "ph": "X", "name": name, "cat": category, "pid": _PID, "tid": tid, "ts": begin_us,
        "dur": end_us - begin_us, "args": args,
    }  # fmt: skip


def _meta(name: str, tid: int, args: _Json) -> _Json:
    return {"ph": "M", "name": name, "pid": _PID, "tid": tid, "args": args}


def _ms(duration_ns: int) -> float:
    return round(duration_ns / 1e6, 3)
