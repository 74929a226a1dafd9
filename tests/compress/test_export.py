"""The exported file is the network: its answers, its counts, its layout."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("safetensors", reason=WHY)
pytest.importorskip("litert_torch", reason=WHY)

from torch import Tensor, nn  # noqa: E402

from edgecam.compress.architectures import design  # noqa: E402
from edgecam.compress.checkpoint import Checkpoint  # noqa: E402
from edgecam.compress.design import Design  # noqa: E402
from edgecam.compress.export import network_to_tflite, to_float_tflite  # noqa: E402
from edgecam.compress.flatfile import tidy  # noqa: E402
from edgecam.compress.network import build  # noqa: E402
from edgecam.errors import UnusableError  # noqa: E402
from edgecam.inference.engines import EngineRequest, load_engine  # noqa: E402
from edgecam.model.graph import parse_graph  # noqa: E402


def short(made: Design) -> Design:
    """Its first blocks, which have all that the others have: conversion takes long."""
    return replace(made, blocks=made.blocks[:6])


def pruned() -> Design:
    """A MobileNetV2 with odd widths, as pruning leaves them."""
    whole = short(design("mobilenet_v2", classes=5, side_px=48, width=0.35))
    first, *rest = whole.blocks
    blocks = [replace(block, expanded=block.expanded - 7) for block in rest]
    return replace(whole, blocks=(first, *blocks), head=100)


DESIGNS = {
    "mobilenet_v2": short(design("mobilenet_v2", classes=5, side_px=96, width=0.35)),
    "pruned": pruned(),
    "efficientnet_lite0": short(design("efficientnet_lite0", classes=5, side_px=65)),
    "efficientnet_b0": short(design("efficientnet_b0", classes=5, side_px=33)),
    "micro_mobilenet": design("micro_mobilenet", classes=2, side_px=96),
}


def checkpoint(made: Design) -> Checkpoint:
    """A network whose normalisation has lived and whose biases are not zero."""
    network = build(made, seed=1)
    chance = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5, generator=chance)
            module.running_var.uniform_(0.5, 2, generator=chance)
            module.weight.data.uniform_(1, 2, generator=chance)
            module.bias.data.uniform_(-0.3, 0.3, generator=chance)
        elif isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            module.bias.data.uniform_(-1, 1, generator=chance)
    labels = tuple(f"class {number}" for number in range(made.classes))
    return Checkpoint(made, network.state_dict(), labels, (127.0,), (128.0,), "MIT", "made up")


@pytest.mark.parametrize("name", DESIGNS)
def test_the_file_is_the_network(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Same logits within 1e-4; rows of pixels in, no transpose; parameters and MACs as the design says."""
    made = DESIGNS[name]
    one = checkpoint(made)
    tflite = to_float_tflite(one)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    graph = parse_graph(tflite, path=Path("made.tflite"))
    (given,), (answer,) = graph.inputs, graph.outputs
    assert (given.shape, given.dtype) == ((1, made.side_px, made.side_px, 3), "float32")
    assert (answer.shape, answer.dtype) == ((1, made.classes), "float32")
    operators = Counter(step.name for step in graph.subgraphs[0].steps)
    assert not {"TRANSPOSE", "SOFTMAX"} & set(operators)
    assert (graph.parameters, graph.macs) == (made.parameters, made.macs)
    path = tmp_path / "tidy.tflite"
    path.write_bytes(tidy(tflite))
    pictures = np.random.default_rng(3).normal(size=(3, made.side_px, made.side_px, 3)).astype(np.float32)
    with torch.no_grad():
        expected = one.network()(torch.from_numpy(pictures).permute(0, 3, 1, 2)).numpy()
    with load_engine("litert", EngineRequest(path, threads=1)) as engine:
        found = np.stack([engine.invoke(picture[None]) for picture in pictures])
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_network_that_cannot_be_converted_is_an_error_of_ours() -> None:
    """Not a trace through the converter."""

    class Branching(nn.Module):  # type: ignore[misc]
        def forward(self, x: Tensor) -> Tensor:
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(UnusableError, match="litert-torch cannot convert this network: "):
        network_to_tflite(Branching(), side_px=8)


def test_a_missing_converter_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 69 and the remedy."""
    monkeypatch.setitem(__import__("sys").modules, "litert_torch", None)
    with pytest.raises(UnusableError, match=r"pip install 'edgecam\[compress\]'"):
        to_float_tflite(checkpoint(DESIGNS["micro_mobilenet"]))
