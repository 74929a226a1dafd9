"""`edgecam eval` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from program import PHOTOS, edgecam, picture

from edgecam.config.shipped import shipped_folder
from edgecam.evaluation.scores_file import load_scores

Conforms = Callable[[str, Any], None]
MODEL = "efficientnet_lite0_int8"
LIGHTER = "efficientnet_lite0_160_int8"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Groups as class folders: two photos, patterns of which none is either, and one that cannot be read."""
    root = tmp_path / "pictures"
    for name, photo in (("cat", "cat.jpg"), ("cup", "espresso.jpg")):
        (root / name).mkdir(parents=True)
        (root / name / photo).write_bytes((PHOTOS / photo).read_bytes())
    (root / "cat" / "cut.jpg").write_bytes((PHOTOS / "cat.jpg").read_bytes()[:1000])
    (root / "other").mkdir()
    for number in range(5):
        cv2.imwrite(str(root / "other" / f"{number}.png"), picture(number))
    return root


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The photos as a CSV: one by its label, one by its number, and one that lies."""
    path = tmp_path / "set.csv"
    path.write_text(
        f"path,label\n{PHOTOS / 'cat.jpg'},Egyptian cat\n{PHOTOS / 'espresso.jpg'},967\n"
        f"{PHOTOS / 'espresso.jpg'},tench\n"
    )
    return path


def evaluated(*arguments: str | Path, conforms: Conforms) -> dict[str, Any]:
    """The JSON, held against its schema."""
    done = edgecam("eval", *arguments, "--json")
    assert done.code == 0, done.err
    report: dict[str, Any] = json.loads(done.out)
    conforms("eval", report)
    return report


def test_class_folders_become_figures(folder: Path, conforms: Conforms) -> None:
    """Groups are told apart; what could not be read is counted and named, and ends nothing."""
    report = evaluated(MODEL, folder, conforms=conforms)
    (model,) = report["models"]
    assert report["pictures"]["count"] == 8
    assert model["scored"] == 7
    assert [one["name"] for one in model["unreadable"]] == ["cat/cut.jpg"]
    assert model["groups"]
    assert model["labels"] == 3
    assert model["top1"] | {"low": 0, "high": 1} == {"value": 1.0, "low": 0, "high": 1, "hits": 7, "of": 7}
    assert model["top5"] is None
    assert {one["label"]: one["recall"]["of"] for one in model["classes"]} == {"cat": 1, "cup": 1, "other": 5}
    assert [(one["name"], one["group"]) for one in model["thresholds"]["names"]] == [
        ("cat", True),
        ("cup", True),
    ]
    assert sum(one["count"] for one in model["calibration"]["bins"]) == 7
    assert report["comparison"] is None


def test_the_table_is_for_people(folder: Path) -> None:
    """The result on stdout; on stderr what is missing from it, by name; no bar where there is no terminal."""
    (folder / "cup" / "later.heic").write_bytes(b"some")
    done = edgecam("eval", MODEL, folder)
    assert done.code == 0
    assert "7 pictures (1 more could not be read)" in done.out
    assert "top-1" in done.out
    assert "100.0 %" in done.out
    assert "cat (group)" in done.out
    assert "cut.jpg" in done.err
    assert "later.heic" in done.err
    assert len(done.err.splitlines()) == 2


def test_a_csv_names_labels_and_numbers(table: Path, conforms: Conforms) -> None:
    """Of all the model's classes; the mistake is told as what was shown and what was said."""
    (model,) = evaluated(MODEL, table, "--precision", "0.5", conforms=conforms)["models"]
    assert not model["groups"]
    assert model["labels"] == 1000
    assert (model["top1"]["hits"], model["top5"]["hits"], model["top1"]["of"]) == (2, 2, 3)
    assert model["confusion"] == [{"shown": "tench", "said": "espresso", "count": 1}]
    found = {one["name"]: one for one in model["thresholds"]["names"]}
    assert found["tench"]["enter"] is None
    assert found["espresso"]["precision"] | {"low": 0, "high": 0} == {
        "value": 0.5, "low": 0, "high": 0, "hits": 1, "of": 2
    }  # fmt: skip


def test_two_models_are_compared_on_the_same_pictures(
    folder: Path, tmp_path: Path, conforms: Conforms
) -> None:
    """Each is held against its own labels; with its groups, a bare file of the same labels, too."""
    report = evaluated(MODEL, folder, "--against", LIGHTER, conforms=conforms)
    assert [one["name"] for one in report["models"]] == [MODEL, LIGHTER]
    pair = report["comparison"]
    assert (
        pair["both_right"] + pair["only_first_right"] + pair["only_second_right"] + pair["neither_right"] == 7
    )
    assert pair["low"] <= pair["delta"] <= pair["high"]
    files = shipped_folder() / "models" / MODEL
    bare = tmp_path / "bare.tflite"
    bare.write_bytes((files / "model.tflite").read_bytes())
    same = evaluated(
        MODEL, folder, "--against", bare, "--labels", files / "labels.txt", "--mean", "127", "--std", "128",
        conforms=conforms,
    )  # fmt: skip
    assert same["comparison"]["delta"] == 0
    assert not same["comparison"]["significant"]
    shown = edgecam("eval", MODEL, folder, "--against", LIGHTER)
    assert f"{LIGHTER} less {MODEL}" in shown.out


def test_numbers_that_mean_different_things_to_two_models_are_refused(
    table: Path, tmp_path: Path, tiny: ModuleType
) -> None:
    """Else one of them would seem never to be right."""
    path = tmp_path / "tiny.tflite"
    made = tiny.Tiny(dtype="uint8")
    path.write_bytes(tiny.make(made))
    table.write_text(f"path,label\n{PHOTOS / 'cat.jpg'},1\n")
    done = edgecam("eval", MODEL, table, "--against", path)
    assert done.code == 69
    assert 'is "goldfish" to efficientnet_lite0_int8, and "class 1" to tiny' in done.err


def test_the_number_of_processes_changes_nothing(folder: Path) -> None:
    """Nor does it show."""
    outs = {edgecam("eval", MODEL, folder, "--processes", count, "--json").out for count in ("1", "2")}
    assert len(outs) == 1


def test_scores_are_kept_for_other_programs(folder: Path, tmp_path: Path) -> None:
    """A NumPy archive with a row per picture."""
    path = tmp_path / "scores.npz"
    assert edgecam("eval", MODEL, folder, "--save-scores", path).code == 0
    scores = load_scores(path)
    assert scores.names == (
        "cat/cat.jpg",
        "cup/espresso.jpg",
        *(f"other/{number}.png" for number in range(5)),
    )
    assert scores.probabilities.argmax(axis=1).tolist() == scores.truth.tolist()
    assert np.allclose(scores.probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_configuration_adds_groups_of_its_own(folder: Path, tmp_path: Path, conforms: Conforms) -> None:
    """They are told apart, and win over the model's, also for a model of the same labels."""
    (folder / "cup").rename(folder / "my coffee")
    config = tmp_path / "config.yaml"

    def write(path: str, label: str) -> None:
        groups = {"my coffee": [label]}
        models = {"default": {"path": LIGHTER}, "mine": {"path": path, "groups": groups}}
        config.write_text(json.dumps({"models": models}))

    write(MODEL, "espresso")
    report = evaluated(MODEL, folder, "-c", config, "--against", LIGHTER, conforms=conforms)
    for model in report["models"]:
        assert {one["label"] for one in model["classes"]} == {"cat", "my coffee", "other"}
    write(MODEL, "expresso")
    done = edgecam("eval", MODEL, folder, "-c", config)
    assert done.code == 78
    assert 'mine.groups.my coffee: the model has no label "expresso"; did you mean "espresso"?' in done.err
    write("elsewhere", "espresso")
    done = edgecam("eval", MODEL, folder, "-c", config)
    assert done.code == 2
    assert f"is {MODEL}; leave it out" in done.err


def test_the_page_shows_the_pictures_that_were_told_wrong(table: Path, tmp_path: Path) -> None:
    """One file that loads nothing; the result stays on stdout."""
    page = tmp_path / "page.html"
    done = edgecam("eval", MODEL, table, "--html", page)
    assert done.code == 0, done.err
    assert "top-1" in done.out
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 1
    assert "espresso.jpg" in text
    assert "://" not in text


def test_a_page_that_cannot_be_written_leaves_the_old_one(table: Path, tmp_path: Path) -> None:
    """A disk that is full is told as such, after the result."""
    page = tmp_path / "page.html"
    page.write_text("of last week")
    (tmp_path / ".page.html.part").symlink_to("/dev/full")
    done = edgecam("eval", LIGHTER, table, "--html", page)
    assert done.code == 1
    assert "top-1" in done.out
    assert "page.html: cannot be written (No space left on device)" in done.err
    assert page.read_text() == "of last week"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((MODEL, "absent"), 69, "absent: there is no such folder or CSV"),
        ((MODEL, "pictures", "--engine", "litter"), 69, 'did you mean "litert"?'),
        ((f"{MODEL}x", "pictures"), 69, f"did you mean '{MODEL}'?"),
        ((MODEL, "pictures", "--save-scores", "absent/x.npz"), 2, "--save-scores: absent/x.npz cannot be"),
        ((MODEL, "pictures", "--html", "absent/x.html"), 2, "--html: absent/x.html cannot be"),
        ((MODEL, "pictures", "--labels", "x.txt"), 2, "has its own card"),
        ((MODEL, "pictures", "--mean", "1"), 2, "has its own card"),
        ((MODEL, "pictures", "--processes", "2", "--dask", "tcp://127.0.0.1:1"), 2, "--processes"),
        ((MODEL, "pictures", "--precision", "95"), 2, "--precision"),
        ((MODEL,), 2, "edgecam eval MODEL PICTURES"),
        ((MODEL, "pictures", "--vary", "a=1,2"), 2, "--vary is for --replay alone"),
        ((MODEL, "pictures", "--camera", "main"), 2, "--camera is for --record or --replay"),
        (("--replay", "x", "--html", "x.html"), 2, "--html is not for --replay"),
        (("--record", "x", "--precision", "0.9"), 2, "--precision is not for --record"),
        (
            (MODEL, "bad.csv"),
            69,
            'bad.csv:2: the model has no label or group "egyptian cat"; did you mean "E',
        ),
        ((MODEL, "unlike"), 69, 'the model has no label or group "cats"; did you mean "cat"?'),
        ((MODEL, "hollow"), 69, "hollow/cat: has no picture"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(
    folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Before anything is scored; nothing on stdout."""
    (folder.parent / "bad.csv").write_text("path,label\na.jpg,egyptian cat\n")
    (folder.parent / "hollow" / "cat").mkdir(parents=True)
    (folder.parent / "unlike" / "cats").mkdir(parents=True)
    (folder.parent / "unlike" / "cats" / "1.jpg").touch()
    done = edgecam("eval", *arguments, cwd=folder.parent)
    assert (done.code, done.out) == (code, "")
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_without_dask_its_extra_is_named(folder: Path, tmp_path: Path) -> None:
    """A library that this command needs and that is not there."""
    (tmp_path / "distributed.py").write_text("raise ImportError('as if absent')")
    done = edgecam("eval", MODEL, folder, "--dask", "tcp://127.0.0.1:1", PYTHONPATH=str(tmp_path))
    assert done.code == 69
    assert "pip install 'edgecam[dask]'" in done.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -9)]
)
def test_however_it_ends_no_process_outlives_it(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C, an ordered end, and one that cannot be handled."""
    photo = tmp_path / "many" / "cat" / "0.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes((PHOTOS / "cat.jpg").read_bytes())
    for count in range(1, 10_000):
        (photo.parent / f"{count}.jpg").hardlink_to(photo)
    process = subprocess.Popen(
        [sys.executable, "-m", "edgecam", "eval", MODEL, tmp_path / "many", "--processes", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until(lambda: len(alive(process.pid)) == 2)
        helpers = alive(process.pid)
        # Their engines are open, and they are in the middle of it.
        wait_until(lambda: all("litert" in Path(f"/proc/{pid}/maps").read_text() for pid in helpers))
        process.send_signal(number)
        assert process.wait(30) == code
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in helpers))


def alive(pid: int) -> list[int]:
    """Its child processes."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def wait_until(done: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Look every so often."""
    ends = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < ends, "it does not come"
        time.sleep(0.02)


@pytest.mark.shared_data
def test_the_shipped_model_on_real_photos(shared_data: Path, conforms: Conforms) -> None:
    """A hundred, one of every tenth class; by numbers, as its CSV has them."""
    photos = shared_data / "images" / "imagenet_sample" / "index.csv"
    report = evaluated(MODEL, photos, "--against", LIGHTER, conforms=conforms)
    first, second = report["models"]
    assert first["scored"] == second["scored"] == 100
    assert first["top1"]["hits"] >= 85
    assert first["top5"]["hits"] >= 93
    assert second["top1"]["hits"] >= 75
    assert first["calibration"]["ece"] < 0.25
    assert {one["name"] for one in first["thresholds"]["names"]} >= {"dog", "bird", "tiger shark"}
    assert os.sep not in first["name"]
