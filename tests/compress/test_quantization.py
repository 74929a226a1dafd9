"""Smaller numbers for a float network: every scheme runs here, and what it costs is known first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import pytest
from make_tiny_model import Tiny
from numpy.typing import NDArray

WHY = "the extra quantize is not installed: scripts/check-compress runs this"
pytest.importorskip("ai_edge_quantizer", reason=WHY)

from edgecam.commands.compress_quantize import compress_quantize  # noqa: E402
from edgecam.commands.proving import prove  # noqa: E402
from edgecam.compress.calibration import input_range, tensors_of  # noqa: E402
from edgecam.compress.flatfile import input_tensor, pack, unpack  # noqa: E402
from edgecam.compress.learnt_ranges import NETWORK_FOLDER, RANGES_FILE  # noqa: E402
from edgecam.compress.quantization import Scheme, quantize  # noqa: E402
from edgecam.compress.quantized_model import Demands, Quantized, quantize_model  # noqa: E402
from edgecam.errors import EdgecamError, ModelError, SourceError, UnusableError, UsageError  # noqa: E402
from edgecam.evaluation.pictures import LabelledPicture, PictureSet  # noqa: E402
from edgecam.inference.litert import LiteRtEngine  # noqa: E402
from edgecam.model.add import Told  # noqa: E402
from edgecam.model.card import InputCard  # noqa: E402
from edgecam.model.graph import parse_graph  # noqa: E402
from edgecam.model.store import load_model  # noqa: E402
from edgecam.records import Image, PixelFormat  # noqa: E402

PHOTOS = Path(__file__).parents[1] / "data"
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "compress_quantize.schema.json"
SHIPPED = Path(__file__).parents[2] / "models" / "efficientnet_lite0_int8"
XOR = InputCard(8, 8, (127.0,), (128.0,))


def noise(count: int) -> list[NDArray[np.float32]]:
    """Normalised pictures that reach about half of what pixels can."""
    chance = np.random.default_rng(3)
    return [chance.uniform(-0.5, 0.5, (1, 8, 8, 3)).astype(np.float32) for _ in range(count)]


def logits(tflite: bytes, folder: Path, pictures: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The real scores, by edgecam's own engine; (pictures, classes)."""
    path = folder / "net.tflite"
    path.write_bytes(tflite)
    rows = []
    with LiteRtEngine(path, threads=1) as engine:
        given, made = engine.input, engine.output
        for picture in pictures:
            tensor: NDArray[Any] = picture
            if given.scale is not None and given.zero_point is not None:
                tensor = np.clip(np.round(picture / given.scale) + given.zero_point, -128, 127).astype(
                    np.int8
                )
            raw = engine.invoke(tensor)
            scale, zero_point = made.scale or 1.0, made.zero_point or 0
            rows.append(scale * (raw.astype(np.float32) - zero_point))
    return np.array(rows)


@pytest.fixture
def network(tiny: ModuleType) -> bytes:
    """A float network without a softmax: its logits are real numbers."""
    return bytes(tiny.make(Tiny(dtype="float32", softmax=False)))


@pytest.fixture
def model(tiny: ModuleType, tmp_path: Path) -> Path:
    """A float model directory with a licence."""
    folder = Path(tiny.write_folder(tmp_path / "net", Tiny(dtype="float32")))
    (folder / "LICENSE").write_text("as you like", encoding="utf-8")
    return folder


@pytest.mark.parametrize("scheme", list(Scheme))
def test_every_scheme_runs_here_and_says_nearly_the_same(
    network: bytes, tmp_path: Path, scheme: Scheme
) -> None:
    """With ends that edgecam feeds: int8 for int8, else float."""
    pictures = noise(12)
    made = quantize(network, scheme, inputs=pictures, input_range=input_range(XOR))
    assert parse_graph(made, path=tmp_path).inputs[0].dtype == (
        "int8" if scheme is Scheme.INT8 else "float32"
    )
    off = np.abs(logits(made, tmp_path, pictures) - logits(network, tmp_path, pictures)).max()
    assert off < {"int8": 0.03, "int16x8": 0.01, "float16": 0.001, "dynamic": 0.03}[scheme]


def test_a_picture_becomes_the_int8_input_by_turning_its_sign_bits(network: bytes, tmp_path: Path) -> None:
    """The input's range is what pixels can reach, not what the calibration's happened to reach."""
    made = quantize(network, Scheme.INT8, inputs=noise(2), input_range=input_range(XOR))
    tensor = parse_graph(made, path=tmp_path).inputs[0]
    assert (tensor.scale, tensor.zero_point) == (1 / 128, -1)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    image = Image(pixels, PixelFormat.RGB, width_px=8, height_px=8)
    (fed,) = tensors_of(XOR, tensor, [image])
    assert (fed.view(np.uint8) == pixels ^ 0x80).all()


def test_what_is_rare_is_not_cut_off(network: bytes, tmp_path: Path) -> None:
    """A tensor's range is the union over all pictures: one in forty counts as much as the others."""
    rare = noise(1)[0] * 2
    pictures = [picture * 0.02 for picture in noise(39)] + [rare]
    made = quantize(network, Scheme.INT8, inputs=pictures, input_range=input_range(XOR))
    assert np.abs(logits(made, tmp_path, [rare]) - logits(network, tmp_path, [rare])).max() < 0.06


def test_pictures_are_calibrated_one_at_a_time(network: bytes) -> None:
    """A thousand pictures never lie in memory together."""
    alive: list[int] = []

    def once() -> Iterator[NDArray[np.float32]]:
        for number, picture in enumerate(noise(5)):
            alive.append(number)
            yield picture

    assert quantize(network, Scheme.INT8, inputs=once()) == quantize(network, Scheme.INT8, inputs=noise(5))
    assert alive == [0, 1, 2, 3, 4]


def test_learnt_ranges_stand_above_those_of_pictures(network: bytes, tmp_path: Path) -> None:
    """Training knows better; and where it knows all, no picture is needed."""
    name = parse_graph(network, path=tmp_path).outputs[0].name
    learnt = {input_tensor(network): (-1.0, 1.0), name: (-2.0, 2.0)}
    for inputs in (noise(3), []):
        made = parse_graph(quantize(network, Scheme.INT8, inputs=inputs, ranges=learnt), path=tmp_path)
        assert made.outputs[0].scale == pytest.approx(4 / 255)
        assert made.inputs[0].scale == pytest.approx(2 / 255)


def test_without_pictures_or_ranges_nothing_can_be_calibrated(network: bytes) -> None:
    """Said before the quantizer says it in its own way."""
    with pytest.raises(UnusableError, match="int8 needs the ranges of 2 tensors; give pictures"):
        quantize(network, Scheme.INT8)


@pytest.mark.parametrize("scheme", [Scheme.INT8, Scheme.INT16X8])
@pytest.mark.parametrize("bias", [0.9, -0.9])
def test_a_channel_whose_weights_died_keeps_its_bias(
    network: bytes, tmp_path: Path, scheme: Scheme, bias: float
) -> None:
    """The quantizer alone cuts such a bias off, or turns its sign."""
    model = unpack(network)
    weights, biases = (model.buffers[model.subgraphs[0].tensors[index].buffer] for index in (1, 2))
    values = np.frombuffer(bytes(weights.data), np.float32).reshape(4, -1).copy()
    values[2] *= 1e-12
    weights.data = values.tobytes()
    biases.data = np.array([0, 0, bias, 0], np.float32).tobytes()
    dead, pictures = pack(model, network), noise(4)
    assert logits(dead, tmp_path, pictures)[:, 2] == pytest.approx([bias] * 4)
    mended = quantize(dead, scheme, inputs=pictures, input_range=input_range(XOR))
    assert logits(mended, tmp_path, pictures)[:, 2] == pytest.approx([bias] * 4, abs=0.02)
    plain = quantize(dead, scheme, inputs=pictures, input_range=input_range(XOR), keep_biases=False)
    assert np.abs(logits(plain, tmp_path, pictures)[:, 2] - bias).min() > 0.5


def test_healthy_channels_are_left_as_they_are(network: bytes) -> None:
    """Mending must not change what needs none."""
    assert quantize(network, Scheme.INT8, inputs=noise(3)) == quantize(
        network, Scheme.INT8, inputs=noise(3), keep_biases=False
    )


def quantized(model: Path, out: Path, **more: Any) -> Quantized:
    """The model in int8, calibrated with two photos."""
    return quantize_model(model, out, Scheme.INT8, sorted(PHOTOS.glob("*.jpg")), prove=prove, **more)


def test_a_model_directory_comes_whole_with_its_provenance(model: Path, tmp_path: Path) -> None:
    """Labels, groups, licence, normalisation are kept; who made it of what is said; it has run."""
    told: list[tuple[str, int, int]] = []
    made = quantized(model, tmp_path / "small", told=lambda *words: told.append(words))
    before, after = load_model(model), load_model(made.place)
    assert (after.labels, after.groups) == (before.labels, before.groups)
    assert (made.place / "LICENSE").read_text(encoding="utf-8") == "as you like"
    assert after.card.input == before.card.input
    assert after.card.source.startswith("made by the test; quantized to int8 by edgecam ")
    assert "calibrated on 2 pictures (sha256 " in after.card.source
    assert after.card.self_test is not None
    assert (made.compared_on, made.calibrated_on, made.learnt) == (2, 2, False)
    assert 0 <= made.same <= 2
    assert ("calibrating", 2, 2) in told
    assert made.bytes == after.path.stat().st_size < made.float_bytes == before.path.stat().st_size


def test_a_network_that_learnt_its_ranges_needs_no_pictures(
    tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command finds them beside the model, without torch; they are not mixed with those of pictures."""
    model = tiny.write_folder(tmp_path / "net", Tiny(dtype="float32", softmax=False))
    card = model / "card.yaml"
    card.write_text(card.read_text(encoding="utf-8").replace("probabilities", "logits"), encoding="utf-8")
    (model / NETWORK_FOLDER).mkdir()
    learnt = [{"operator": "FULLY_CONNECTED", "channels": 4, "low": -3.0, "high": 3.0}]
    (model / NETWORK_FOLDER / RANGES_FILE).write_text(json.dumps(learnt), encoding="utf-8")
    compress_quantize(str(model), out=tmp_path / "small")
    assert "with the ranges that it learnt" in capsys.readouterr().out
    made = load_model(tmp_path / "small")
    assert made.card.source.endswith("with the ranges that it learnt")
    graph = parse_graph(made.path.read_bytes(), path=made.path)
    assert graph.outputs[0].scale == pytest.approx(6 / 255)
    assert graph.inputs[0].scale == pytest.approx(1 / 128)
    assert quantized(model, tmp_path / "again").calibrated_on == 0


def labelled(model: Path, label: int) -> PictureSet:
    """The two photos, both of one class."""
    pictures = tuple(LabelledPicture(path, label) for path in sorted(PHOTOS.glob("*.jpg")))
    return PictureSet(PHOTOS, load_model(model).labels, pictures)


def test_more_loss_than_allowed_leaves_nothing_behind(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accuracy is not given away silently: exit code 1, how much, what to do, and no model."""
    from edgecam.compress import quantized_model

    answers = iter([np.array([0, 0]), np.array([0, 1])] * 3)
    monkeypatch.setattr(quantized_model, "top_classes", lambda *_: next(answers))
    with pytest.raises(EdgecamError, match=r"loses 50.0 points .* but 49 are allowed; nothing") as caught:
        quantized(model, tmp_path / "a", labelled=labelled(model, 0), demands=Demands(max_loss_points=49))
    assert caught.value.exit_code == 1
    with pytest.raises(EdgecamError, match=r"on 1 of 2 pictures, a share of 0.500, but 0.9 is demanded"):
        quantized(model, tmp_path / "a", demands=Demands(min_agreement=0.9))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net"]
    made = quantized(model, tmp_path / "a", labelled=labelled(model, 0), demands=Demands(0.5, 50))
    assert (made.top1, made.float_top1, made.loss_points) == (0.5, 1.0, 50.0)


@pytest.mark.parametrize(
    ("pictures", "demands", "words"),
    [
        ("*.jpg", Demands(max_loss_points=1), "give --test"),
        ("*.none", Demands(min_agreement=0.9), "give --pictures or --test"),
        ("*.none", None, "int8 has to be calibrated; give --pictures"),
    ],
)
def test_a_demand_that_cannot_be_measured_is_refused(
    model: Path, tmp_path: Path, pictures: str, demands: Demands | None, words: str
) -> None:
    """Before anything is computed."""
    paths = sorted(PHOTOS.glob(pictures))
    with pytest.raises(UsageError, match=words):
        quantize_model(model, tmp_path / "a", Scheme.INT8, paths, demands=demands, prove=prove)


def test_what_is_quantized_already_is_refused(tiny: ModuleType, tmp_path: Path) -> None:
    """Its rounding could not be undone."""
    model = tiny.write_folder(tmp_path / "net", Tiny(dtype="int8"))
    with pytest.raises(
        ModelError, match=r"is no float \.tflite, its input is int8; quantize the float model"
    ):
        quantized(model, tmp_path / "a")


def test_a_bare_file_is_called_as_the_user_called_it(tiny: ModuleType, tmp_path: Path) -> None:
    """And not as the model directory that it becomes for the time being, which is gone by then."""
    model = tiny.write_folder(tmp_path / "net", Tiny(dtype="int8"))
    told = Told(labels=model / "labels.txt", licence="none", source="made by a test")
    with pytest.raises(ModelError) as caught:
        compress_quantize(str(model / "model.tflite"), out=tmp_path / "a", pictures=PHOTOS, bare=told)
    assert str(caught.value).startswith(f"{model / 'model.tflite'}: is no float .tflite")


def test_a_picture_that_cannot_be_read_is_no_loss_of_accuracy(model: Path, tmp_path: Path) -> None:
    """Whoever reads exit codes can tell the two apart; nor do models lie among the pictures."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceError, match="is not a picture") as caught:
        compress_quantize(str(model), out=tmp_path / "a", pictures=tmp_path / "photos")
    assert caught.value.exit_code == 69
    assert not (tmp_path / "a").exists()
    with pytest.raises(UsageError, match=r"--out: .* lies among the pictures"):
        compress_quantize(str(model), out=tmp_path / "photos" / "a", pictures=tmp_path / "photos")


def test_the_command_prints_what_its_schema_promises(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON on stdout, a slow scheme's warning on stderr, lines for people else."""
    told = Told(labels=model / "labels.txt", mean=(128,), std=(128,), licence="none", source="made by a test")
    file = str(model / "model.tflite")
    compress_quantize(file, out=tmp_path / "a", scheme="dynamic", bare=told, as_json=True)
    said = capsys.readouterr()
    printed = json.loads(said.out)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(printed)
    assert set(printed) == set(schema["properties"])
    assert "small but slow" in said.err
    compress_quantize(str(model), out=tmp_path / "b", pictures=PHOTOS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(tmp_path / "b")
    assert lines[1].endswith("calibrated with 2 pictures")
    with pytest.raises(
        UsageError, match="--scheme: expected one of int8, int16x8, float16, dynamic, got 'int4'"
    ):
        compress_quantize(str(model), out=tmp_path / "c", scheme="int4")


@pytest.mark.shared_data
def test_the_shipped_network_agrees_with_its_float(shared_data: Path, tmp_path: Path) -> None:
    """On at least 95 of 100 sample photos in top-1, calibrated on other pictures."""
    pytest.importorskip("litert_torch", reason="the extra compress is not installed")
    from edgecam.compress.architectures import design
    from edgecam.compress.backbones import load_backbone
    from edgecam.compress.export import network_to_tflite
    from edgecam.compress.network import folded

    try:
        backbone = load_backbone(design("efficientnet_lite0", classes=1000, side_px=224))
    except UnusableError as error:
        pytest.skip(f"the published weights are not here: {error}")
    data = network_to_tflite(folded(backbone.network), side_px=224)
    (tmp_path / "float.tflite").write_bytes(data)
    card = load_model(SHIPPED).card
    others = tmp_path / "others"
    others.mkdir()
    cifar = sorted((shared_data / "images" / "cifar10" / "test").rglob("*.jpg"))
    photos = [shared_data / "images" / "parrot.jpg", *sorted(PHOTOS.glob("*.jpg")), *cifar[::20]]
    for number, path in enumerate(photos):
        (others / f"{number}{path.suffix}").symlink_to(path)
    table = tmp_path / "sample.csv"
    sample = shared_data / "images" / "imagenet_sample"
    rows = (sample / "index.csv").read_text(encoding="utf-8").splitlines()[1:]
    table.write_text("\n".join(["path,label", *(f"{sample}/{row}" for row in rows)]), encoding="utf-8")
    told = Told(
        labels=SHIPPED / "labels.txt",
        mean=card.input.mean,
        std=card.input.std,
        licence=card.licence,
        source=card.source,
        crop_fraction=card.input.crop_fraction,
    )
    compress_quantize(
        str(tmp_path / "float.tflite"),
        out=tmp_path / "int8",
        pictures=others,
        labelled=table,
        min_agreement=0.95,
        bare=told,
    )
    made = load_model(tmp_path / "int8")
    assert replace(made.card.input, mean=card.input.mean, std=card.input.std) == card.input
