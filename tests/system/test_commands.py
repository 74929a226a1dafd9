"""The commands, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from program import PHOTOS, edgecam

import edgecam as package


def test_version_and_help_answer_at_once() -> None:
    """The result goes to stdout; the version is the package's."""
    assert edgecam("--version").out == f"edgecam {package.__version__}\n"
    shown = edgecam("--help")
    assert shown.code == 0
    for command in ("init", "run", "check", "classify", "watch", "models", "inspect"):
        assert command in shown.out


@pytest.mark.parametrize(
    "arguments", [["fly"], ["run", "--confg", "x"], ["classify"], ["classify", "x", "--top", "0"]]
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str]) -> None:
    """Exit 2, on stderr, without a traceback."""
    done = edgecam(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    assert done.err


def test_classify_names_a_photo_for_people_and_for_programs(conforms: Callable[[str, Any], None]) -> None:
    """A line per class, best first; --json keeps its schema."""
    done = edgecam("classify", PHOTOS / "cat.jpg", "--top", "3")
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) == 4
    assert lines[1].endswith("Egyptian cat")
    said = edgecam("classify", PHOTOS, "--json")
    for line in said.out.splitlines():
        conforms("classify", json.loads(line))
    assert len(said.out.splitlines()) == 2


def test_classify_goes_on_after_an_unreadable_picture(tmp_path: Path) -> None:
    """All others are named; the fault is told by name, and the exit code is 1."""
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    done = edgecam("classify", broken, PHOTOS / "espresso.jpg", tmp_path / "absent.png")
    assert done.code == 1
    assert "espresso" in done.out
    assert "broken.jpg" in done.err
    assert "absent.png" in done.err
    assert "2 of 3 pictures" in done.err


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    """Nothing to classify is no success; what was looked for is said."""
    done = edgecam("classify", tmp_path)
    assert done.code == 69
    assert ".jpg" in done.err


def test_a_bare_model_takes_its_labels_and_normalisation_from_options(
    tmp_path: Path, tiny: ModuleType
) -> None:
    """`classify` runs any .tflite; a float one without --mean/--std is refused with the remedy."""
    made = tiny.Tiny(dtype="float32")
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny.make(made))
    refused = edgecam("classify", PHOTOS / "cat.jpg", "--model", path)
    assert refused.code == 69
    assert "--mean" in refused.err
    done = edgecam("classify", PHOTOS / "cat.jpg", "--model", path, "--mean", "0", "--std", "255")
    assert done.code == 0, done.err
    wrong = edgecam("classify", PHOTOS / "cat.jpg", "--model", path, "--mean", "a,b")
    assert wrong.code == 2
    assert "--mean" in wrong.err


def test_options_of_a_bare_model_do_not_override_a_card() -> None:
    """A model directory knows its own normalisation; a silent override would give silent nonsense."""
    done = edgecam("classify", PHOTOS / "cat.jpg", "--mean", "0", "--std", "255")
    assert done.code == 2
    assert "card" in done.err


def test_a_missing_model_is_told_with_the_nearest_name() -> None:
    """Exit 69: a model that this command needs."""
    done = edgecam("classify", PHOTOS / "cat.jpg", "--model", "efficientnet_lite0")
    assert done.code == 69
    assert "efficientnet_lite0_int8" in done.err


def test_init_writes_a_configuration_that_check_accepts(tmp_path: Path) -> None:
    """The first two steps of a new user; an existing file is never overwritten unasked."""
    path = tmp_path / "new" / "config.yaml"
    done = edgecam("init", "--config", path)
    assert done.code == 0, done.err
    assert f"edgecam run --config {path}" in done.err
    checked = edgecam("check", "--config", path)
    assert checked.code == 0, checked.err
    text = path.read_text()
    assert "# classify at most so many frames per second" in text
    again = edgecam("init", "--config", path)
    assert again.code == 2
    assert path.read_text() == text
    assert edgecam("init", "--config", path, "--force").code == 0


def test_the_shipped_model_is_listed_and_inspected(conforms: Callable[[str, Any], None]) -> None:
    """Both commands work on nothing but an installation, and keep their schemas."""
    listed = json.loads(edgecam("models", "list", "--json").out)
    conforms("models", listed)
    assert "efficientnet_lite0_int8" in str(listed)
    inspected = json.loads(edgecam("inspect", "efficientnet_lite0_int8", "--json").out)
    conforms("inspect", inspected)
    assert inspected["parameters"] == pytest.approx(4.63e6, rel=0.01)
    assert inspected["macs"] == pytest.approx(385e6, rel=0.01)
    assert inspected["custom_ops"] == []


@pytest.mark.shared_data
def test_real_models_of_others_run_or_are_refused_by_name(shared_data: Path) -> None:
    """Two MobileNets name a parrot; the Edge TPU twin and a broken model are refused in one line."""
    models, parrot = shared_data / "models", shared_data / "images" / "parrot.jpg"
    labels = models / "imagenet_labels.txt"
    for name in ("tf2_mobilenet_v2_1.0_224_ptq", "mobilenet_v1_0.25_128_quant"):
        done = edgecam("classify", parrot, "--model", models / f"{name}.tflite", "--labels", labels, "--json")
        assert done.code == 0, done.err
        said = {entry["label"] for entry in json.loads(done.out)["top"]}
        assert said & {"macaw", "lorikeet", "sulphur-crested cockatoo, Kakatoe galerita, Cacatua galerita"}
    twin = edgecam("classify", parrot, "--model", models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite")
    assert twin.code == 69
    assert "Edge TPU" in twin.err
    person = edgecam(
        "classify",
        parrot,
        "--model",
        shared_data / "tinyml" / "person_detect.tflite",
        "--mean",
        "128",
        "--std",
        "1",
    )
    assert person.code == 69
    assert "quantized_dimension" in person.err
    for refused in (twin, person):
        assert len(refused.err.strip().splitlines()) == 1
        assert "Traceback" not in refused.err


@pytest.mark.shared_data
def test_a_parrot_is_a_parrot(shared_data: Path) -> None:
    """The shipped model on a large photograph."""
    done = edgecam("classify", shared_data / "images" / "parrot.jpg", "--json")
    assert json.loads(done.out)["top"][0]["label"] == "macaw"


def test_check_finds_a_watched_name_that_no_model_knows(tmp_path: Path) -> None:
    """What `run` would refuse, `check` tells before: with its line, its column and the likeness."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "cameras:\n"
        "  main:\n"
        '    source: "pattern:"\n'
        "    watch: {cat: {}, spacecraff: {}, xylophonist: {}}\n"
        "    ignore: [tabby, begle]\n"
        "models:\n"
        "  default: {groups: {mine: [tabby, begle]}}\n"
    )
    done = edgecam("check", "--config", path)
    assert done.code == 78
    assert (
        f'{path}:4:22: cameras.main.watch.spacecraff: the model has no label or group "spacecraff"'
        in done.err
    )
    assert 'did you mean "spacecraft"' in done.err
    [listed] = [line for line in done.err.splitlines() if "xylophonist" in line]
    assert listed.startswith(f"{path}:4:38: cameras.main.watch.xylophonist: ")
    files = listed.partition("; what it has is in ")[2].split(" and ")
    assert [Path(file).name for file in files if Path(file).is_file()] == ["labels.txt", "groups.yaml"]
    likeness = 'did you mean "beagle"'
    ignored = f'{path}:5:21: cameras.main.ignore.1: the model has no label or group "begle"; {likeness}'
    assert ignored in done.err
    assert f'{path}:7:22: models.default.groups.mine: the model has no label "begle"; {likeness}' in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--set", "cameras.main.source=pattern:"],
        ["models", "list"],
        ["classify", PHOTOS / "cat.jpg"],
    ],
)
def test_a_result_that_cannot_be_written_is_a_failure_and_no_bug(arguments: list[str | Path]) -> None:
    """A full disk is told in one line, with exit code 1."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edgecam", *map(str, arguments)],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_streams_change_no_exit_code(tmp_path: Path) -> None:
    """Started without stdout and stderr, as some supervisors do; or with a stderr that takes nothing."""
    absent = tmp_path / "absent.yaml"
    program = f"{sys.executable} -m edgecam"
    for command, code in (
        (f"{program} check -c {absent} >&- 2>&-", 78),
        (f"{program} check -c {absent} 2>/dev/full", 78),
        (f"{program} run -c {absent} <&- >&- 2>&-", 78),
        (f"{program} models list >&- 2>&-", 0),
    ):
        assert subprocess.run(["sh", "-c", command], timeout=60, check=False).returncode == code, command


def test_a_terminal_that_knows_ascii_alone_is_no_reason_to_fail() -> None:
    """What it cannot show is escaped."""
    done = edgecam("inspect", "efficientnet_lite0_int8", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["classify", "/dev/zero"], 1),
        (["inspect", "/dev/zero"], 69),
        (["classify", PHOTOS / "cat.jpg", "--threads", "1000000"], 2),
        (["check", "--set", "cameras.main.max_fps=5e-324"], 78),
    ],
)
def test_absurd_input_is_refused_at_once(arguments: list[str | Path], code: int) -> None:
    """Neither endless files nor numbers that no machine can hold are tried."""
    done = edgecam(*arguments, timeout_s=30)
    assert done.code == code, done.err
    assert "Traceback" not in done.err


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    """`edgecam check | head -1`."""
    command = f"{sys.executable} -m edgecam models list --json | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_name_that_the_system_refuses_is_one_line() -> None:
    """Whatever the kernel says of a path: what, where, why."""
    done = edgecam("classify", "x" * 5000)
    assert done.code == 1
    assert "Traceback" not in done.err
