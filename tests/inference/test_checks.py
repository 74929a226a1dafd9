"""Contract and self-test: an engine is believed only after it has proved itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edgecam.errors import EngineError
from edgecam.inference.contract import check_contract, quantized_range
from edgecam.inference.engine import open_engine
from edgecam.inference.litert import LiteRtEngine
from edgecam.inference.self_test import check_answer, run_self_test, synthetic_picture, synthetic_tensor
from edgecam.model.card import Channels, InputCard, OutputCard, OutputKind, SelfTest
from edgecam.model.model import Model
from edgecam.model.store import load_model
from edgecam.records import TensorSpec


@pytest.fixture
def model(tiny: ModuleType, tmp_path: Path) -> Model:
    """A model directory's model, uint8."""
    return load_model(tiny.write_folder(tmp_path / "pets", tiny.Tiny()))


@pytest.fixture
def engine(model: Model) -> Iterator[LiteRtEngine]:
    """Its engine."""
    with LiteRtEngine(model.path, threads=1) as opened:
        yield opened


def _with_input(model: Model, **change: object) -> Model:
    card = replace(model.card, input=replace(model.card.input, **change))  # type: ignore[arg-type] # fields by name
    return replace(model, card=card)


def test_a_sound_engine_passes(model: Model, engine: LiteRtEngine) -> None:
    """The checks do not stand in the way of what is right."""
    check_contract(engine, model)
    assert run_self_test(engine, model) > 0


def test_a_file_that_changed_after_it_was_checked_is_refused(tiny: ModuleType, model: Model) -> None:
    """Engines are opened again long after the start: another network must not answer under these labels."""
    model.path.write_bytes(tiny.make(tiny.Tiny(dead=True)))
    with pytest.raises(EngineError, match="has changed since it was checked"):
        open_engine(model, threads=1)


def test_a_file_that_is_gone_is_told(model: Model, engine: LiteRtEngine) -> None:
    """The interpreter has it already; what it has cannot be compared any more."""
    model.path.unlink()
    with pytest.raises(EngineError, match="cannot be read: No such file"):
        check_contract(engine, model)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width_px": 9}, r"input is \(1, 8, 8, 3\) in the engine, \(1, 8, 9, 3\) in the card"),
        ({"color": Channels.GRAY}, r"\(1, 8, 8, 1\) in the card"),
        (
            {"mean": (0.0,), "std": (1.0,)},
            "mean and std make the pixels 0 to 255, but the input tensor holds",
        ),
        ({"mean": (0.0,), "std": (255e3,)}, "correct mean and std in the card"),
        ({"mean": (128.0, 128.0, 900.0)}, "correct mean and std in the card"),
    ],
)
def test_a_card_that_does_not_fit_the_engine_is_refused(
    model: Model, engine: LiteRtEngine, change: dict[str, object], said: str
) -> None:
    """A wrong normalisation costs accuracy silently: a tensor that cannot hold the pixels gives it away."""
    with pytest.raises(EngineError, match=said):
        check_contract(engine, _with_input(model, **change))


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"scale": 0.0},
        {"scale": -1 / 256},
        {"zero_point": 256},
        {"zero_point": -1},
        {"shape": (-2, -2)},
    ],
)
@pytest.mark.parametrize("what", ["input", "output"])
def test_a_tensor_that_cannot_be_is_refused(
    model: Model, engine: LiteRtEngine, what: str, wrong: dict[str, object]
) -> None:
    """What a package's engine says of its tensors need not make sense: all pixels would be one number."""
    setattr(engine, what, replace(getattr(engine, what), **wrong))
    with pytest.raises(EngineError, match=rf"has a {what} of shape .* which no uint8 can have"):
        check_contract(engine, model)


def test_negative_std_is_a_valid_normalisation(model: Model, engine: LiteRtEngine) -> None:
    """Inverted pictures are unusual, not wrong."""
    check_contract(engine, _with_input(model, std=(-128.0,)))


def test_labels_must_be_as_many_as_outputs(model: Model, engine: LiteRtEngine) -> None:
    """Whatever was loaded, the interpreter has the last word."""
    with pytest.raises(EngineError, match="has 4 outputs, but there are 3 labels"):
        check_contract(engine, replace(model, labels=("a", "b", "c")))


def test_an_output_beyond_one_holds_no_probabilities(tiny: ModuleType, tmp_path: Path) -> None:
    """Logits under a card of probabilities would give scores of 12 and -7."""
    model = load_model(tiny.write_folder(tmp_path / "m", tiny.Tiny(softmax=False)))
    with pytest.raises(EngineError, match=r"output reaches from -16 to 15.9.*set output.kind: logits"):
        open_engine(model, threads=1)
    right = replace(model, card=replace(model.card, output=OutputCard(kind=OutputKind.LOGITS)))
    open_engine(right, threads=1).close()


def test_float_logits_are_found_by_the_self_test(tiny: ModuleType, tmp_path: Path) -> None:
    """A float tensor has no range to check, so its first answer is."""
    model = load_model(tiny.write_folder(tmp_path / "m", tiny.Tiny(dtype="float32", softmax=False)))
    with pytest.raises(EngineError, match=r"are no probabilities; set output.kind: logits in the card"):
        open_engine(model, threads=1)


def test_a_network_that_sees_nothing_is_refused(tiny: ModuleType, tmp_path: Path) -> None:
    """Zeroed weights, or a delegate that returns its buffer untouched, say the same of everything."""
    model = load_model(tiny.write_folder(tmp_path / "m", tiny.Tiny(dead=True)))
    with pytest.raises(EngineError, match=r"computes wrong results: all 4 scores are 0.25"):
        open_engine(model, threads=1)


def test_scores_that_are_not_finite_are_refused(tiny: ModuleType, tmp_path: Path) -> None:
    """NaN compares with nothing, so it would pass every other check."""
    model = load_model(tiny.write_folder(tmp_path / "m", tiny.Tiny(dtype="float32")))
    raw = np.array([0.1, np.nan, 0.2, np.inf], np.float32)
    with (
        LiteRtEngine(model.path, threads=1) as engine,
        pytest.raises(EngineError, match="2 scores are not fin"),
    ):
        check_answer(raw, engine=engine, model=model)


def test_the_cards_self_test_must_come_true(model: Model, engine: LiteRtEngine) -> None:
    """The class that the card expects must be among the engine's best five; of ten here."""
    raw = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], np.uint8)

    def expecting(*top5: int) -> Model:
        return replace(model, card=replace(model.card, self_test=SelfTest(top5=top5)))

    check_answer(raw, engine=engine, model=expecting(4, 9))
    with pytest.raises(EngineError, match=r"must give class 5 among the best 5, got \[0, 1, 2, 3, 4\]"):
        check_answer(raw, engine=engine, model=expecting(5, 0))


def test_a_failed_check_closes_the_engine(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that was refused leaves nothing behind."""
    closed: list[LiteRtEngine] = []

    def close(engine: LiteRtEngine) -> None:
        closed.append(engine)

    monkeypatch.setattr(LiteRtEngine, "close", close)
    with pytest.raises(EngineError):
        open_engine(replace(model, labels=("a",)), threads=1)
    assert len(closed) == 1


def test_the_synthetic_picture_is_its_formula() -> None:
    """Cards carry its answer, so not a pixel of it may ever change."""
    picture = synthetic_picture(20, 30)
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    for y, x, c in ((0, 0, 0), (1, 2, 0), (19, 29, 2), (7, 13, 1), (16, 16, 2)):
        assert picture[y, x, c] == ((x * (c + 1) * 7 + y * (3 - c) * 5) ^ (x * y // 16)) & 255


@pytest.mark.parametrize(
    ("color", "order"), [(Channels.RGB, [0, 1, 2]), (Channels.BGR, [2, 1, 0]), (Channels.GRAY, [0])]
)
def test_the_synthetic_tensor_is_normalised_like_any_picture(color: Channels, order: list[int]) -> None:
    """Mean, std and colour order of the card are in it."""
    channels = len(order)
    means = (10.0, 20.0, 30.0)[:channels]
    card = InputCard(width_px=6, height_px=4, mean=means, std=(2.0,), color=color)
    tensor = synthetic_tensor(card, TensorSpec("x", (1, 4, 6, channels), "float32"))
    expected = (synthetic_picture(4, 6)[..., order].astype(np.float32) - np.array(means, np.float32)) / 2
    assert tensor.shape == (1, 4, 6, channels)
    assert tensor.dtype == np.float32
    assert np.allclose(tensor[0], expected)


def test_the_range_of_a_tensor() -> None:
    """From scale * (lowest - zero point) to scale * (highest - zero point)."""
    assert quantized_range(TensorSpec("x", (1,), "int8", 0.5, -128)) == (0.0, 127.5)
    assert quantized_range(TensorSpec("x", (1,), "uint8", 0.5, 128)) == (-64.0, 63.5)
    assert quantized_range(TensorSpec("x", (1,), "float32")) is None


def test_an_integer_output_without_a_scale_is_refused(model: Model, engine: LiteRtEngine) -> None:
    """Numbers of unknown size cannot be compared with thresholds."""
    engine.output = replace(engine.output, scale=None, zero_point=None)
    with pytest.raises(EngineError, match="the uint8 output has no scale"):
        check_contract(engine, model)
