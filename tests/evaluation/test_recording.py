"""Files of scores: exact, whole or not at all, and read with care, whoever wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_recordings import LABELS, S, heard, payload, prediction, recorded

from edgecam.errors import EdgecamError, SourceError
from edgecam.evaluation.recording import Origin, open_recording, packed, unpacked, write_recording
from edgecam.evaluation.replay import Seen
from edgecam.evaluation.truth import Interval
from edgecam.evaluation.truth_file import read_truth

CAT, DOG = (0.7, 0.2, 0.1), (0.125, 0.5, 0.25)


def read(path: Path, *, camera: str = "main") -> list[Seen]:
    """All frames."""
    return list(open_recording(path).frames(LABELS, camera=camera))


@given(arrays(np.float32, st.integers(1, 50), elements=st.floats(0, 1, width=32)))
def test_probabilities_come_back_exactly(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    """To the last bit: a replay decides as the live path did, not nearly so."""
    assert unpacked(packed(values), len(values)).tobytes() == values.tobytes()


def test_a_recording_comes_back_as_it_was(tmp_path: Path) -> None:
    """Frames, moments, and of what they are."""
    path = recorded(tmp_path / "scores.jsonl", [(0, CAT), (0.5, DOG)])
    recording = open_recording(path)
    assert recording.origin is not None
    assert (recording.origin.model, recording.origin.camera) == ("made", "main")
    first, second = recording.frames(LABELS, camera="another")
    assert (first.at_ns, second.at_ns) == (0, S // 2)
    assert first.probabilities.tobytes() == np.array(CAT, np.float32).tobytes()
    assert first.unknown == 0.0
    assert json.loads(path.read_text().splitlines()[1])["top"][0] == {"label": "cat", "id": 0, "score": 0.7}


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C or a failing engine: no part of a recording is taken for a whole one, and an old one stays."""
    path = recorded(tmp_path / "scores.jsonl", [(0, CAT)])
    before = path.read_bytes()
    origin = Origin("made", "0" * 64, LABELS, "main", "file:clip.mp4", "litert/cpu")

    def broken_off() -> None:
        with write_recording(path, origin) as writer:
            writer.add(prediction(DOG), at_ns=0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.jsonl"]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the file's name, and what to do."""
    origin = Origin("made", "0" * 64, LABELS, "main", "file:clip.mp4", "litert/cpu")
    gone = tmp_path / "gone" / "scores.jsonl"
    with (
        pytest.raises(EdgecamError, match=r"scores\.jsonl: cannot be written"),
        write_recording(gone, origin),
    ):
        pass


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """By the recording's name, although what is buffered fails again when the file is closed."""
    origin = Origin("made", "0" * 64, LABELS, "main", "file:clip.mp4", "litert/cpu")
    path = tmp_path / "scores.jsonl"
    part = tmp_path / ".scores.jsonl.part"
    part.symlink_to("/dev/full")

    def fill() -> None:
        with write_recording(path, origin) as writer:
            for _ in range(1000):
                writer.add(prediction(CAT), at_ns=0)

    with pytest.raises(EdgecamError, match=r"scores\.jsonl: cannot be written \(No space left"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_another_models_scores_are_refused(tmp_path: Path) -> None:
    """Places of classes mean nothing to a model with other labels."""
    path = recorded(tmp_path / "scores.jsonl", [(0, CAT)])
    with pytest.raises(SourceError, match="other labels"):
        list(open_recording(path).frames(("cat", "dog", "fish"), camera="main"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"at_ns":0', '"at_ns":"x"'),
        lambda text: text.replace('"at_ns":0', '"at_ns":true'),
        lambda text: text.replace('"at_ns":0', '"at_ns":1' + 400 * "0"),
        lambda text: text.replace('"probabilities":"', '"probabilities":"AA'),
        lambda text: text.replace('"probabilities"', '"p"'),
        lambda text: text.rstrip()[:-9],
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    """By its number, rather than that what follows is left out in silence."""
    path = recorded(tmp_path / "scores.jsonl", [(0, CAT)])
    path.write_text(spoil(path.read_text()))
    with pytest.raises(SourceError, match=r"scores\.jsonl:2: is no frame"):
        read(path)


def test_numbers_that_are_no_probabilities_are_refused() -> None:
    """NaN would blind the smoothing for good; and a bomb of zeros is not unpacked."""
    for values in ([np.nan, 0, 0], [2, 0, 0], [-1, 0, 0], [0] * 4, [0] * 1_000_000):
        with pytest.raises(ValueError, match=r"expected|no prob"):
            unpacked(packed(np.array(values, np.float32)), 3)


def test_what_subscribers_recorded_is_read_in_each_of_its_forms(tmp_path: Path) -> None:
    """Edgecam watch --json; mosquitto_sub -v, -F %J and bare; among other topics, and cut off at the end."""
    body = json.dumps(payload(1, CAT))
    forms = [
        heard(1, CAT),
        f"edgecam/box/main/prediction {body}",
        json.dumps(
            {"tst": "x", "topic": "edgecam/box/main/prediction", "qos": 0, "payload": payload(1, CAT)}
        ),
        body,
    ]
    for number, form in enumerate(forms):
        path = tmp_path / f"{number}.jsonl"
        others = (
            'edgecam/box/availability online\n{"topic": "edgecam/box/availability", "payload": "online"}\n'
        )
        state = json.dumps({"topic": "edgecam/box/main/state", "payload": {"top": [], "camera": "main"}})
        path.write_text(
            f"{others}{state}\n\n{form}\n{form.replace('12:00:01.000', '12:00:01.250')}\n{form[:50]}"
        )
        frames = read(path)
        assert [frame.at_ns - frames[0].at_ns for frame in frames] == [0, S // 4]
        assert frames[0].probabilities.tolist() == pytest.approx([0.7, 0.2, 0.0])
        assert frames[0].unknown == pytest.approx(0.1)
        assert frames[0].most_unnamed == pytest.approx(0.2005)


def test_of_several_cameras_one_is_read(tmp_path: Path) -> None:
    """The one that is asked for; if it is not there, those that are get named."""
    path = tmp_path / "heard.jsonl"
    path.write_text("\n".join([heard(1, CAT), heard(2, DOG, camera="door"), heard(3, CAT)]) + "\n")
    assert len(read(path)) == 2
    assert len(read(path, camera="door")) == 1
    with pytest.raises(SourceError, match="no predictions of the camera attic; it has some of door, main"):
        read(path, camera="attic")


def test_two_devices_are_not_mixed(tmp_path: Path) -> None:
    """Two cameras of one name on two devices are two cameras."""
    path = tmp_path / "heard.jsonl"
    path.write_text(heard(1, CAT) + "\n" + heard(2, CAT, device="attic") + "\n")
    with pytest.raises(SourceError, match=r"heard\.jsonl:2: has predictions of two devices"):
        read(path)


def test_predictions_of_another_model_are_refused(tmp_path: Path) -> None:
    """A class must have its place and its name."""
    path = tmp_path / "heard.jsonl"
    path.write_text(heard(1, CAT).replace('"id": 0', '"id": 2') + "\n")
    with pytest.raises(SourceError, match=r'heard\.jsonl:1: .*no class 2 "cat"'):
        read(path)


def test_time_that_runs_backwards_is_told_by_its_line(tmp_path: Path) -> None:
    """Two recordings in one file, or a clock that was set: smoothing and episodes of that mean nothing."""
    path = recorded(tmp_path / "scores.jsonl", [(0, CAT), (2, DOG), (2, CAT), (0.5, CAT)])
    with pytest.raises(SourceError, match=r"scores\.jsonl:5: lies 1\.500 s before .*each part by itself"):
        read(path)
    path.write_text(f"{heard(3, CAT)}\n\n{heard(1, CAT, camera='door')}\n{heard(2.75, DOG)}\n")
    with pytest.raises(SourceError, match=r"scores\.jsonl:4: lies 0\.250 s before"):
        read(path)
    assert len(read(path, camera="door")) == 1


def test_a_recording_of_nothing_is_told(tmp_path: Path) -> None:
    """Whoever wrote it was stopped after the first line."""
    path = recorded(tmp_path / "scores.jsonl", [])
    with pytest.raises(SourceError, match=r"scores\.jsonl: has no frame"):
        read(path)


def test_a_score_of_many_digits_is_refused(tmp_path: Path) -> None:
    """JSON has no largest number, and Python's float has."""
    path = tmp_path / "heard.jsonl"
    message = json.loads(heard(1, CAT))
    message["payload"]["top"][0]["score"] = 10**400
    path.write_text(json.dumps(message) + "\n")
    with pytest.raises(SourceError, match=r"heard\.jsonl:1: is no prediction"):
        read(path)


def test_a_line_that_is_broken_in_the_middle_is_named(tmp_path: Path) -> None:
    """Only the last one may be cut off."""
    path = tmp_path / "heard.jsonl"
    path.write_text(heard(1, CAT)[:60] + "\n" + heard(2, CAT) + "\n")
    with pytest.raises(SourceError, match=r"heard\.jsonl:1: is no JSON"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_told(tmp_path: Path, content: bytes) -> None:
    """With what writes one."""
    path = tmp_path / "scores.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is empty; record with"):
        open_recording(path)
    with pytest.raises(SourceError, match="cannot be read"):
        open_recording(tmp_path / "gone.jsonl")
    with pytest.raises(SourceError, match="is no file but a folder"):
        open_recording(tmp_path)


@given(st.binary(max_size=300))
def test_no_file_makes_anything_but_frames_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Whatever somebody names as a recording."""
    path = tmp_path_factory.mktemp("any") / "scores.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError):
        read(path)


def truth_of(tmp_path: Path, text: str, *, has_dates: bool = False) -> list[Interval]:
    """What a CSV says, of a recording that begins at its second 100."""
    path = tmp_path / "truth.csv"
    path.write_text(text, encoding="utf-8")
    return read_truth(path, watched=["cat", "big dog"], start_ns=100 * S, has_dates=has_dates)


def test_moments_of_the_truth_count_from_the_first_frame(tmp_path: Path) -> None:
    """In seconds, in minutes, in hours; with a first line or without."""
    found = truth_of(tmp_path, "Start,End,Label\n1.5,2,cat\n\n1:30,1:31.5,big dog\n1:00:00,1:00:01,cat\n")
    assert [(i.label, i.start_ns / S, i.end_ns / S) for i in found] == [
        ("cat", 101.5, 102),
        ("big dog", 190, 191.5),
        ("cat", 3700, 3701),
    ]
    assert truth_of(tmp_path, "0,1,cat\n") == [Interval("cat", 100 * S, 101 * S)]


def test_moments_of_the_truth_may_be_dates(tmp_path: Path) -> None:
    """Of predictions, which have them; of a recording, which has none, they are refused."""
    text = "1970-01-01T00:00:05Z,1970-01-01T01:00:06+01:00,cat\n"
    assert truth_of(tmp_path, text, has_dates=True) == [Interval("cat", 5 * S, 6 * S)]
    with pytest.raises(SourceError, match=r"truth\.csv:1: .*has no dates"):
        truth_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0,1,cat\n2,1,cat", r"truth\.csv:2: expected an end after the start"),
        ("0,1,cart", r'truth\.csv:1: the camera does not watch "cart"; did you mean "cat"'),
        ("0,1", r"truth\.csv:1: expected start,end,label"),
        ("x,1,cat", r"truth\.csv:1: expected start,end,label"),
        ("nan,1,cat", "no moment"),
        ("0,1e300,cat", r"truth\.csv:1: expected start,end,label"),
        ("0," + 400 * "9" + ":00:00,cat", r"truth\.csv:1: expected start,end,label"),
        ("-1,1,cat", "no moment"),
        ("start,end,label\n", "names nothing"),
        ("", "names nothing"),
        ('"0,1,cat', "no CSV"),
    ],
)
def test_a_fault_of_the_truth_is_named(tmp_path: Path, text: str, fault: str) -> None:
    """With its line, and what was expected."""
    with pytest.raises(SourceError, match=fault):
        truth_of(tmp_path, text)
