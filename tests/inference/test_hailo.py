"""The engine for Hailo's chips, on a stand-in for HailoRT: it has not run on hardware (docs/hardware.md)."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import fake_hailo
import numpy as np
import pytest
from fake_hailo import Chip, FormatType, HailoRTException, QuantInfo, Stream
from opaque_model import write_folder

from edgecam.errors import EngineError, LastingError
from edgecam.inference import hailo
from edgecam.inference.engine import open_engine
from edgecam.inference.engines import EngineRequest, load_engine
from edgecam.inference.hailo import HailoEngine
from edgecam.model.store import load_model

PATH = Path("/m/net/model.hef")
PICTURE = np.arange(144, dtype=np.uint8).reshape(1, 8, 6, 3)


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> type[Chip]:
    """The stand-in, with a classifier of four classes; a chip that is not there is not waited for."""
    monkeypatch.setattr(hailo, "_CHIP_S", 0.0)
    return fake_hailo.install(monkeypatch)


def test_a_picture_goes_in_as_it_is_and_scores_come_out(chip: type[Chip]) -> None:
    """Without the batch axis, in uint8; the answer is the caller's, though the buffer is used again."""
    with load_engine("hailo", EngineRequest(PATH, threads=1)) as engine:
        assert (engine.input.shape, engine.input.dtype) == ((1, 8, 6, 3), "uint8")
        assert (engine.input.scale, engine.input.zero_point) == (1.0, 0)
        assert (engine.output.shape, engine.output.dtype) == ((1, 4), "float32")
        assert (engine.info.name, engine.info.version) == ("hailo/npu", "4.23.0")
        first = engine.invoke(PICTURE)
        chip.answer = np.array([1, 0, 0, 0], np.float32)
        second = engine.invoke(PICTURE[:, ::-1])
    assert first.tolist() == pytest.approx([0.1, 0.2, 0.6, 0.1])
    assert second.tolist() == [1, 0, 0, 0]
    assert (chip.seen[0] == PICTURE[0]).all()
    assert (chip.seen[1] == PICTURE[0, ::-1]).all()
    assert chip.inputs[0].format_type is FormatType.UINT8
    assert chip.outputs[0].format_type is FormatType.FLOAT32


def test_a_network_without_its_own_normalisation_says_so_by_its_scale(chip: type[Chip]) -> None:
    """The card's mean and std are held against it like any quantized input's."""
    chip.inputs = [Stream("net/input_layer1", [8, 6, 3], [QuantInfo(127.0, 1 / 128)])]
    with HailoEngine(PATH, threads=1) as engine:
        assert (engine.input.scale, engine.input.zero_point) == (1 / 128, 127)


def test_a_model_directory_with_a_hef_needs_no_more_words(chip: type[Chip], tmp_path: Path) -> None:
    """By the file's ending the engine is chosen; card and labels are held against what the chip says."""
    labels = ("ant", "bee", "cat", "dog")
    folder = write_folder(tmp_path / "net", "model.hef", labels=labels, width_px=6, height_px=8)
    with open_engine(load_model(folder)) as engine:
        assert engine.info.name == "hailo/npu"
    assert chip.seen[0].shape == (8, 6, 3)
    (folder / "labels.txt").write_text("ant\nbee\n", encoding="utf-8")
    with pytest.raises(EngineError, match="has 4 outputs, but there are 2 labels"):
        open_engine(load_model(folder))


def test_a_card_that_normalises_what_the_chip_normalises_is_refused(chip: type[Chip], tmp_path: Path) -> None:
    """Doing it twice would leave the network nothing to see."""
    labels = ("ant", "bee", "cat", "dog")
    folder = write_folder(tmp_path / "net", "model.hef", labels=labels, width_px=6, height_px=8, std=255)
    with pytest.raises(EngineError, match="mean and std make the pixels 0 to 1"):
        open_engine(load_model(folder))
    assert not chip.seen


def test_two_engines_share_the_chip(chip: type[Chip]) -> None:
    """A second VDevice of its own would find no chip: so a ladder of two models could not be."""
    with HailoEngine(PATH, threads=1), HailoEngine(PATH, threads=1):
        assert len(chip.groups) == 2
        assert len(set(chip.groups)) == 1


def test_closing_gives_the_chip_back_once(chip: type[Chip]) -> None:
    """Another program may want it."""
    engine = HailoEngine(PATH, threads=1)
    engine.close()
    engine.close()
    assert chip.log == ["shutdown", "release"]
    with pytest.raises(EngineError, match="is closed"):
        engine.invoke(PICTURE)


@pytest.mark.parametrize("tensor", [PICTURE[:, :4], PICTURE.astype(np.float32)])
def test_a_tensor_that_does_not_fit_is_refused_in_words(
    chip: type[Chip], tensor: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
) -> None:
    """HailoRT would say INVALID_ARGUMENT."""
    with HailoEngine(PATH, threads=1) as engine, pytest.raises(EngineError, match=r"\[1, 8, 6, 3\] uint8"):
        engine.invoke(tensor)
    assert not chip.seen


@pytest.mark.parametrize(
    ("error", "said", "lasts"),
    [
        (fake_hailo.HailoRTHEFNotCompatibleWithDevice("HEF file is not compatible"), "another chip", True),
        (HailoRTException("libhailort failed with error: 93 (HAILO_HEF_NOT_COMPATIBLE_WITH_DEVICE)"),
         "another chip", True),
        (fake_hailo.HailoRTInvalidHEFException("Invalid HEF. See hailort.log"), "is damaged", True),
        (HailoRTException("libhailort failed with error: 74 (HAILO_OUT_OF_PHYSICAL_DEVICES)"),
         "see that /dev/hailo0 is there", False),
        (fake_hailo.HailoRTDriverOperationFailedException("Failure in ioctl"), "driver", False),
        (HailoRTException("libhailort failed with error: 8 (HAILO_INTERNAL_FAILURE)"), "hailort.log", False),
    ],
)  # fmt: skip
def test_what_hailort_refuses_is_told_with_the_remedy(
    chip: type[Chip], error: HailoRTException, said: str, *, lasts: bool
) -> None:
    """Its own words are a number and a name; nothing is tried again where only another file helps."""
    chip.configure_error = error
    with pytest.raises(EngineError, match=said) as raised:
        HailoEngine(PATH, threads=1)
    assert isinstance(raised.value, LastingError) is lasts
    assert chip.log == ["release"]


def test_a_chip_that_is_not_there_is_told(chip: type[Chip]) -> None:
    """Nothing was opened, so nothing is closed."""
    chip.open_error = HailoRTException("libhailort failed with error: 74 (HAILO_OUT_OF_PHYSICAL_DEVICES)")
    with pytest.raises(EngineError, match="no chip is free"):
        HailoEngine(PATH, threads=1)
    assert chip.log == []


@pytest.mark.parametrize("where", ["open_error", "configure_error"])
def test_a_chip_that_comes_late_is_waited_for(
    chip: type[Chip], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """Its driver comes up after us, or it was not given back yet: systemd starts nothing again after a 69."""
    setattr(chip, where, HailoRTException("libhailort failed with error: 75 (HAILO_DEVICE_IN_USE)"))
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            setattr(chip, where, None)

    monkeypatch.setattr(hailo, "_CHIP_S", 60.0)
    monkeypatch.setattr(hailo, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=sleep))
    with HailoEngine(PATH, threads=1) as engine:
        assert engine.invoke(PICTURE).tolist() == chip.answer.tolist()
    assert caplog.text.count("waits for the chip") == 1
    assert chip.log == ["release"] * 2 * (where == "configure_error") + ["shutdown", "release"]


def test_a_chip_that_goes_away_is_an_engine_error(chip: type[Chip]) -> None:
    """The engine's worker opens it anew then."""
    with HailoEngine(PATH, threads=1) as engine:
        chip.run_error = fake_hailo.HailoRTTimeout("Received a timeout")
        with pytest.raises(EngineError, match="HailoRTTimeout"):
            engine.invoke(PICTURE)


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        ([[8, 6, 3], [8, 6, 3]], [[4]], "has 2 inputs"),
        ([[8, 6, 3]], [[4], [4]], "has 2 outputs"),
    ],
)
def test_what_is_no_classifier_is_refused(
    chip: type[Chip], inputs: list[list[int]], outputs: list[list[int]], said: str
) -> None:
    """By its ends."""
    chip.inputs = [Stream(f"in{i}", shape) for i, shape in enumerate(inputs)]
    chip.outputs = [Stream(f"out{i}", shape) for i, shape in enumerate(outputs)]
    with pytest.raises(LastingError, match=said):
        HailoEngine(PATH, threads=1)


def test_a_detector_is_refused(chip: type[Chip]) -> None:
    """Most files that come with the HAT find objects."""
    chip.outputs[0].is_nms = True
    with pytest.raises(LastingError, match="finds objects"):
        HailoEngine(PATH, threads=1)


def test_without_hailort_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module comes by apt only."""
    monkeypatch.setitem(sys.modules, "hailo_platform", None)
    with pytest.raises(LastingError, match=r"no module hailo_platform.*sudo apt install hailo-all"):
        HailoEngine(PATH, threads=1)
