"""Which delegate a model gets: by what is there and what suits it, with nothing loaded."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edgecam.config.schema import ModelConfig
from edgecam.inference import choice, presence
from edgecam.inference.choice import Wish, choose, lacks_twin, unsuited, why_not
from edgecam.inference.delegates import DELEGATES, Delegate, find_delegate
from edgecam.model.card import Card, InputCard, OutputCard, OutputKind, Twin
from edgecam.model.model import Model

CORAL = "Coral Edge TPU (USB)"
TEFLON = "NPU with a driver in Mesa"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """One without twins."""
    path = tmp_path / "model.tflite"
    path.write_bytes(b"for the CPU")
    digest = hashlib.sha256(b"for the CPU").hexdigest()
    card = Card(
        name="net",
        description="",
        file=path.name,
        sha256=digest,
        input=InputCard(width_px=8, height_px=8, mean=(0.0,), std=(1.0,)),
        output=OutputCard(kind=OutputKind.LOGITS),
        licence="CC0-1.0",
        source="made",
    )
    return Model("net", path, digest, card, ("cat", "dog"))


def with_twin(model: Model, content: bytes, *, said: bytes | None = None) -> Model:
    """The model, with a file for the Coral."""
    file = model.path.with_name("model_edgetpu.tflite")
    file.write_bytes(content)
    digest = hashlib.sha256(said if said is not None else content).hexdigest()
    return replace(model, card=replace(model.card, twins={"coral": Twin(file.name, digest)}))


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """All libraries are installed."""
    monkeypatch.setattr(choice, "find_library", lambda names: names[0])


def test_a_twin_that_is_there_as_the_card_says_is_lacked_by_nobody(model: Model) -> None:
    """Else `check` would warn of a delegate that can serve; an older file would be refused."""
    assert lacks_twin("coral", with_twin(model, b"for the Edge TPU")) == ""
    assert "fetch it again" in lacks_twin("coral", with_twin(model, b"old", said=b"new"))


@pytest.mark.usefixtures("everything")
def test_auto_takes_the_first_that_is_there_with_the_models_twin(model: Model) -> None:
    """Its own file goes to it, and the hash that the card has of it."""
    model = with_twin(model, b"for the Edge TPU")
    chosen = choose(Wish(), model, dtype="int8", plugged_in=[TEFLON, CORAL])
    assert chosen is not None
    assert chosen.use.name == "coral"
    assert chosen.model.name == "model_edgetpu.tflite"
    assert chosen.sha256 == hashlib.sha256(b"for the Edge TPU").hexdigest()


@pytest.mark.usefixtures("everything")
def test_auto_passes_over_an_accelerator_whose_twin_is_missing_or_another(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one may run the model as it is; why not the first is in the log, as it is plugged in."""
    with caplog.at_level(logging.INFO, choice.__name__):
        for candidate in (model, with_twin(model, b"old", said=b"new")):
            chosen = choose(Wish(), candidate, dtype="int8", plugged_in=[TEFLON, CORAL])
            assert chosen is not None
            assert (chosen.use.name, chosen.model, chosen.sha256) == ("teflon", model.path, model.sha256)
    assert "delegate=coral reason=the card names no twin for it" in caplog.text
    assert "model_edgetpu.tflite is not the file that the card names" in caplog.text
    assert "delegate=vx" not in caplog.text


def test_of_what_is_there_and_not_used_it_is_said_why(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Device and library alone do not make a model run on it; what is not there goes without saying."""
    monkeypatch.setattr(choice, "find_library", lambda names: "there" if "libedgetpu.so.1" in names else None)
    ((name, why),) = unsuited(model, dtype="int8", plugged_in=[TEFLON, CORAL])
    assert (name, "edgecam models pull mobilenet_v2_uint8" in why) == ("coral", True)
    assert unsuited(model, dtype="int8", plugged_in=[TEFLON]) == []
    assert unsuited(with_twin(model, b"for the Edge TPU"), dtype="int8", plugged_in=[CORAL]) == []


@pytest.mark.usefixtures("everything")
def test_auto_passes_over_a_twin_that_is_no_file(model: Model) -> None:
    """Reading a pipe would wait for a writer, and no camera would be served meanwhile."""
    twin = with_twin(model, b"for the Edge TPU")
    path = model.path.with_name("model_edgetpu.tflite")
    path.unlink()
    os.mkfifo(path)
    chosen = choose(Wish(), twin, dtype="int8", plugged_in=[TEFLON, CORAL])
    assert chosen is not None
    assert chosen.use.name == "teflon"


@pytest.mark.usefixtures("everything")
def test_auto_waits_for_a_device_whose_library_and_twin_are_there(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stick may come up after the service when the machine starts; what is there goes before it."""
    model = with_twin(model, b"for the Edge TPU")
    monkeypatch.setattr(choice, "find_library", lambda names: "there" if "libedgetpu.so.1" in names else None)
    chosen = choose(Wish(), model, dtype="int8", plugged_in=[])
    assert chosen is not None
    assert chosen.use.name == "coral"
    monkeypatch.setattr(choice, "find_library", lambda _names: "there")
    chosen = choose(Wish(), model, dtype="int8", plugged_in=[TEFLON])
    assert chosen is not None
    assert chosen.use.name == "teflon"


@pytest.mark.usefixtures("everything")
def test_auto_takes_none_that_does_not_run_the_models_numbers(model: Model) -> None:
    """A float model on an int8 chip would run on the CPU, with a detour."""
    teflon = find_delegate("teflon")
    assert teflon is not None
    assert "takes float32" in why_not(teflon, model, dtype="float32", plugged_in=[TEFLON])
    assert why_not(teflon, model, dtype="uint8", plugged_in=[TEFLON]) == ""


def test_auto_takes_the_cpu_where_nothing_is_there(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a device without its library nor what is used only by name."""
    monkeypatch.setattr(choice, "find_library", lambda _names: None)
    assert choose(Wish(), model, dtype="int8", plugged_in=[]) is None
    assert choose(Wish(), model, dtype="float32", plugged_in=[CORAL, TEFLON]) is None


@pytest.mark.parametrize("delegate", DELEGATES, ids=lambda delegate: delegate.name)
def test_each_preset_says_why_it_is_not_taken_and_what_to_do(
    model: Model, monkeypatch: pytest.MonkeyPatch, delegate: Delegate
) -> None:
    """For the doctor's line and the debug log."""
    monkeypatch.setattr(choice, "find_library", lambda _names: None)
    found, _, remedy = why_not(delegate, model, dtype="int16", plugged_in=[]).partition("; ")
    assert found
    assert remedy


def test_what_is_named_is_chosen_though_it_is_not_there(model: Model) -> None:
    """It may come; till then the CPU serves, and is told why."""
    chosen = choose(Wish("coral", {"device": "usb"}), model, dtype="float32", plugged_in=[])
    assert chosen is not None
    assert (chosen.model.name, chosen.sha256) == ("model_edgetpu.tflite", "")
    assert chosen.use.options == {"device": "usb"}


def test_cpu_is_no_delegate_whatever_is_there(model: Model) -> None:
    """For comparing, and for accelerators that are worse."""
    assert choose(Wish("cpu"), model, dtype="int8", plugged_in=[TEFLON]) is None


def test_a_librarys_relative_path_is_one_beside_the_configuration(tmp_path: Path) -> None:
    """As the paths of models are; the names of presets are none."""
    assert Wish("./npu.so").placed(tmp_path).delegate == str(tmp_path / "npu.so")
    assert Wish("/opt/npu.so").placed(tmp_path).delegate == "/opt/npu.so"
    assert Wish("coral").placed(tmp_path) == Wish("coral")


def test_the_reference_names_every_preset() -> None:
    """The schema's words are written by hand."""
    words = ModelConfig.model_fields["delegate"].description or ""
    assert [name for name in (f"`{delegate.name}`" for delegate in DELEGATES) if name not in words] == []


def test_a_library_is_found_as_the_loader_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By path, cache, folders and LD_LIBRARY_PATH; nothing is loaded, so that any file will do."""
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    assert presence.find_library(["libnpu.so", "/opt/libnpu.so"], tmp_path) is None
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/libnpu.so").touch()
    assert presence.find_library(["libnpu.so", "/opt/libnpu.so"], tmp_path) == "/opt/libnpu.so"
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{tmp_path / 'opt'}")
    assert presence.find_library(["libnpu.so"], tmp_path) == "libnpu.so"
    monkeypatch.delenv("LD_LIBRARY_PATH")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.cache").write_bytes(b"ld.so-1.7.0\0/usr/lib/libmynpu.so\0/usr/lib/libnpu.so.2\0")
    assert presence.find_library(["libnpu.so"], tmp_path) is None
    assert presence.find_library(["libnpu.so.2"], tmp_path) == "libnpu.so.2"
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/libnpu.so").touch()
    assert presence.find_library(["libnpu.so"], tmp_path) == "libnpu.so"


def test_a_files_stamp_changes_with_it(tmp_path: Path) -> None:
    """So that a library that was replaced is tried at once."""
    path = tmp_path / "libnpu.so"
    assert presence.stamp(path) is None
    path.write_bytes(b"one")
    before = presence.stamp(path)
    path.write_bytes(b"another")
    assert presence.stamp(path) not in {before, None}


@pytest.mark.parametrize(
    ("driver", "is_intels"), [("intel_vpu", True), ("amdxdna", False), ("rocket", False), (None, True)]
)
def test_openvino_takes_no_other_makers_npu_for_its_own(
    tmp_path: Path, driver: str | None, *, is_intels: bool
) -> None:
    """It would refuse there, where its CPU would do; a container may show the node without its driver."""
    assert not presence.has_intel_npu(tmp_path)
    (tmp_path / "dev/accel").mkdir(parents=True)
    (tmp_path / "dev/accel/accel0").touch()
    if driver is not None:
        (tmp_path / "drivers" / driver).mkdir(parents=True)
        device = tmp_path / "sys/class/accel/accel0/device"
        device.mkdir(parents=True)
        (device / "driver").symlink_to(tmp_path / "drivers" / driver)
    assert presence.has_intel_npu(tmp_path) is is_intels
