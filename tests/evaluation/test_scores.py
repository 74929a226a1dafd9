"""What a model says of labelled pictures, in one process and in several."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from program import PHOTOS, picture

from edgecam.capture.images import read_picture
from edgecam.config.shipped import shipped_folder
from edgecam.errors import EdgecamError, EngineError, ModelError, SourceError, UsageError
from edgecam.evaluation import parallel
from edgecam.evaluation.pictures import LabelledPicture, PictureSet, read_picture_set
from edgecam.evaluation.score_set import score_pictures
from edgecam.evaluation.scores import Scores
from edgecam.evaluation.scores_file import load_scores, save_scores
from edgecam.inference.engine import open_engine
from edgecam.model.model import Model
from edgecam.model.store import load_model
from edgecam.vision.geometry import View
from edgecam.vision.postprocess import Postprocessor
from edgecam.vision.preprocess import Preprocessor

COUNT = 70
"""Several lots, the last of which is not full."""


@pytest.fixture(scope="module")
def model() -> Model:
    """The shipped one."""
    return load_model(shipped_folder() / "models" / "efficientnet_lite0_160_int8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, all different, and three that nobody can read."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        cv2.imwrite(str(root / f"{number:03}.png"), picture(number))
    (root / "cat.jpg").write_bytes((PHOTOS / "cat.jpg").read_bytes())
    (root / "empty.jpg").touch()
    (root / "cut.jpg").write_bytes((PHOTOS / "cat.jpg").read_bytes()[:500])
    (root / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + 2 * (20_000).to_bytes(4, "big"))
    return root


def pictures_of(folder: Path, labels: Sequence[str]) -> PictureSet:
    """All of them as a set, each with some label."""
    paths = sorted(folder.iterdir())
    return PictureSet(
        folder, tuple(labels), tuple(LabelledPicture(path, place % 7) for place, path in enumerate(paths))
    )


def same(one: Scores, other: Scores) -> bool:
    """Bit for bit."""
    return (
        (one.labels, one.names, one.unreadable, one.engine)
        == (other.labels, other.names, other.unreadable, other.engine)
        and np.array_equal(one.truth, other.truth)
        and np.array_equal(one.probabilities, other.probabilities)
    )


def test_a_picture_is_seen_as_a_camera_sees_it(model: Model, folder: Path) -> None:
    """The same reader, preprocessing, engine and postprocessing: a figure is true for what runs."""
    scores = score_pictures(model, pictures_of(folder, model.labels), processes=1)
    with open_engine(model, threads=1) as engine:
        see = Preprocessor(model.card.input, engine.input, View())
        read = Postprocessor(model.card.output, engine.output, model.labels)
        expected = read(engine.invoke(see(read_picture(folder / "cat.jpg")))).probabilities
    assert np.array_equal(scores.probabilities[scores.names.index("cat.jpg")], expected)
    assert scores.engine.endswith("/cpu")


def test_the_result_does_not_depend_on_the_number_of_processes(model: Model, folder: Path) -> None:
    """Whoever is done first: names, truths and probabilities keep the order of the set."""
    pictures = pictures_of(folder, model.labels)
    alone = score_pictures(model, pictures, processes=1)
    heard: list[tuple[int, int]] = []
    shared = score_pictures(model, pictures, processes=3, told=lambda *done: heard.append(done))
    assert same(alone, shared)
    assert list(alone.names) == [
        path.name
        for path in sorted(folder.iterdir())
        if path.name not in {"empty.jpg", "cut.jpg", "huge.png"}
    ]
    assert alone.truth.tolist() == [
        place % 7 for place, path in enumerate(sorted(folder.iterdir())) if path.name in alone.names
    ]
    assert heard[-1] == (COUNT + 4, COUNT + 4)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_a_relative_path_leads_to_the_model_in_every_process(
    model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes do not run where the user does."""
    place = model.path.parent
    monkeypatch.chdir(place.parent)
    few = pictures_of(folder, model.labels)
    few = replace(few, pictures=few.pictures[:20])

    scores = score_pictures(Path(place.name), few, processes=2)

    assert len(scores.names) == 20


def test_what_cannot_be_read_is_named_and_left_out(model: Model, folder: Path) -> None:
    """One file that is broken, or takes all memory, does not end an evaluation of thousands."""
    scores = score_pictures(model, pictures_of(folder, model.labels), processes=2)
    assert [one.name for one in scores.unreadable] == ["cut.jpg", "empty.jpg", "huge.png"]
    assert "has 20000x20000 pixels" in scores.unreadable[2].fault
    assert all(one.name in one.fault for one in scores.unreadable)
    assert len(scores.names) == len(scores.truth) == len(scores.probabilities) == COUNT + 1


def test_where_nothing_can_be_read_there_is_no_result(model: Model, tmp_path: Path) -> None:
    """A CSV with wrong paths is no model that is never right."""
    table = tmp_path / "set.csv"
    table.write_text("path,label\nabsent/a.jpg,3\nabsent/b.jpg,4\n")
    with pytest.raises(SourceError, match=r"none of the 2 pictures can be read; the first: .*absent/a\.jpg"):
        score_pictures(model, read_picture_set(table, labels=model.labels))


def test_groups_are_summed_as_a_camera_sums_them(model: Model, tmp_path: Path) -> None:
    """The score of a group is that of its members; `other` has the rest."""
    for name in ("cat", "cup", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes((PHOTOS / "cat.jpg").read_bytes())
    grouped = read_picture_set(tmp_path, labels=model.labels, groups=model.groups)
    scores = score_pictures(model, grouped)
    alone = score_pictures(
        model, replace(grouped, labels=model.labels, members=None, pictures=grouped.pictures[:1])
    )
    cat = alone.probabilities[0][list(model.groups["cat"])].sum()
    cup = alone.probabilities[0][list(model.groups["cup"])].sum()
    assert scores.labels == ("cat", "cup", "other")
    assert scores.truth.tolist() == [0, 1, 2]
    assert np.allclose(scores.probabilities, [[cat, cup, 1 - cat - cup]] * 3, atol=1e-6)


def test_a_class_of_two_groups_counts_for_both_and_is_missing_once(model: Model, tmp_path: Path) -> None:
    """As both would be seen by a camera that watches them."""
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes((PHOTOS / "cat.jpg").read_bytes())
    groups = {"left": (281, 285), "right": (285, 287)}
    scores = score_pictures(model, read_picture_set(tmp_path, labels=model.labels, groups=groups))
    table = tmp_path / "set.csv"
    table.write_text("path,label\nleft/1.jpg,285\n")
    (one,) = score_pictures(model, read_picture_set(table, labels=model.labels)).probabilities
    expected = [one[281] + one[285], one[285] + one[287], 1 - one[281] - one[285] - one[287]]
    assert one[285] > 0.1
    assert np.allclose(scores.probabilities, [expected] * 2, atol=1e-6)


def test_pictures_of_another_models_labels_are_refused(model: Model, folder: Path) -> None:
    """Truth is a place among labels: with others, all would be wrong."""
    with pytest.raises(ModelError, match="has 1000 labels, they have 2"):
        score_pictures(model, pictures_of(folder, ("a", "b")))


def test_a_bare_file_is_scored_by_its_path(tmp_path: Path, tiny: ModuleType, folder: Path) -> None:
    """Whatever `bare_model` can read."""
    path = tmp_path / "tiny.tflite"
    made = tiny.Tiny(dtype="uint8")
    path.write_bytes(tiny.make(made))
    labels = [f"class {index}" for index in range(made.classes)]
    pictures = replace(pictures_of(folder, labels), pictures=(LabelledPicture(folder / "cat.jpg", 1),))
    assert score_pictures(path, pictures).probabilities.shape == (1, made.classes)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_engine_that_does_not_open_is_told_alike(model: Model, folder: Path, processes: int) -> None:
    """In our process or in another one."""
    with pytest.raises(EngineError, match=r'got "litter"; did you mean "litert"\?'):
        score_pictures(model, pictures_of(folder, model.labels), processes=processes, engine="litter")


def test_a_process_that_dies_is_told_and_takes_the_others_along(model: Model, folder: Path) -> None:
    """No hang, no result without its pictures, nobody left behind."""
    before = children()
    seen: set[int] = set()

    def kill(_done: int, _total: int) -> None:
        seen.update(children() - before)
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(
        EngineError, match=r"ended \(SIGKILL\) (at|before the \d+ pictures from) /.*--processes 1"
    ):
        score_pictures(model, pictures_of(folder, model.labels), processes=2, told=kill)
    assert len(seen) == 2
    assert children() == before


def test_a_machine_without_room_for_processes_is_told_so(
    model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what helps; those that were started end."""
    before = children()
    start = parallel._start
    lines: list[int] = []

    def refuse(line: int) -> subprocess.Popen[bytes]:
        if lines:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        lines.append(line)
        return start(line)

    monkeypatch.setattr(parallel, "_start", refuse)
    with pytest.raises(EngineError, match=r"temporarily unavailable.*--processes 1"):
        score_pictures(model, pictures_of(folder, model.labels), processes=2)
    assert children() == before


def test_what_goes_wrong_here_ends_the_processes(model: Model, folder: Path) -> None:
    """As Ctrl-C does."""
    before = children()

    def fail(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_pictures(model, pictures_of(folder, model.labels), processes=3, told=fail)
    assert children() == before


def test_scores_come_back_from_their_file(model: Model, folder: Path, tmp_path: Path) -> None:
    """All that figures are made of."""
    scores = score_pictures(model, pictures_of(folder, model.labels))
    save_scores(scores, tmp_path / "scores.npz")
    assert same(load_scores(tmp_path / "scores.npz"), replace(scores, unreadable=()))
    assert [path.name for path in tmp_path.iterdir()] == ["scores.npz"]


def test_another_file_is_no_scores(tmp_path: Path) -> None:
    """Whatever it is, it is told by name; nothing in it is run."""
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.save(tmp_path / "objects.npy", np.array([object()]), allow_pickle=True)
    (tmp_path / "text.npz").write_text("nothing")
    (tmp_path / "empty.npz").touch()
    (tmp_path / "zip.npz").write_bytes(b"PK\x03\x04 cut off")
    np.savez(
        tmp_path / "shapes.npz",
        labels=np.array(["a"]),
        names=np.array(["x"]),
        engine=np.array(""),
        truth=np.zeros(2),
        probabilities=np.zeros((1, 1)),
    )
    for path in (*tmp_path.iterdir(), tmp_path / "absent.npz"):
        with pytest.raises(UsageError, match=path.name):
            load_scores(path)


def test_changed_bytes_of_scores_are_scores_or_a_refusal(tmp_path: Path) -> None:
    """Zip, zlib and NumPy each have their own words for it, and none of them comes through."""
    path, chance = tmp_path / "scores.npz", np.random.default_rng(0)
    truth = chance.integers(0, 2, 40)
    probabilities = chance.random((40, 2), np.float32)
    save_scores(Scores(("a", "b"), tuple(map(str, range(40))), truth, probabilities), path)
    whole, refused = path.read_bytes(), 0
    for _ in range(200):
        content = bytearray(whole)
        for place in chance.integers(0, len(whole), 3):
            content[place] = chance.integers(256)
        path.write_bytes(content)
        try:
            load_scores(path)
        except UsageError:
            refused += 1
    assert refused


def test_scores_of_classes_that_are_not_there_are_refused(tmp_path: Path) -> None:
    """They would be counted somewhere else, or not."""
    path = tmp_path / "scores.npz"
    save_scores(Scores(("a",), ("1.jpg",), np.full(1, 7), np.ones((1, 1), np.float32)), path)
    with pytest.raises(UsageError, match="is damaged"):
        load_scores(path)


def children() -> set[int]:
    """Our child processes."""
    return {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the file that was wanted, also where nothing can be removed."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    scores = Scores(("a",), ("1.jpg",), np.zeros(1, np.int64), np.ones((1, 1), np.float32))
    with pytest.raises(EdgecamError, match=r"scores\.npz: cannot be written \(Read-only file system\)"):
        save_scores(scores, tmp_path / "scores.npz")
