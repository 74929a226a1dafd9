"""A checkpoint comes back as it was, or what was there before does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("safetensors", reason=WHY)

from edgecam.compress.architectures import design  # noqa: E402
from edgecam.compress.checkpoint import FILE, Checkpoint, load, save, step_record  # noqa: E402
from edgecam.compress.network import build, folded  # noqa: E402
from edgecam.errors import ModelError  # noqa: E402

DESIGN = design("micro_mobilenet", classes=2, side_px=32)
X = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def made(seed: int = 1, **changes: Any) -> Checkpoint:
    """A small one."""
    facts: dict[str, Any] = {
        "state": build(DESIGN, seed=seed).state_dict(),
        "steps": (step_record("train", seed=seed),),
        **changes,
    }
    return Checkpoint(
        DESIGN, labels=("naïve", "猫"), mean=(127.0, 1.5, 0.0), std=(128.0, 2.0, 1.0), licence="MIT",
        source="made up", **facts,
    )  # fmt: skip


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    """Weights bit by bit, and every word."""
    one = made()
    save(one, tmp_path / "new" / "folder")
    back = load(tmp_path / "new" / "folder")
    assert all(torch.equal(one.state[name], back.state[name]) for name in one.state)
    assert (back.design, back.labels, back.mean, back.std) == (one.design, one.labels, one.mean, one.std)
    assert (back.licence, back.source, back.steps) == (one.licence, one.source, one.steps)
    with torch.no_grad():
        assert torch.equal(one.network()(X), back.network()(X))


def test_folded_weights_come_back_as_a_folded_network(tmp_path: Path) -> None:
    """What quantization-aware training gives has no normalisation any more."""
    network = folded(made().network())
    save(made(state=network.state_dict()), tmp_path)
    with torch.no_grad():
        assert torch.equal(load(tmp_path).network()(X), network(X))


def test_weights_of_any_layout_are_kept(tmp_path: Path) -> None:
    """Pruning leaves slices of tensors, training another memory format."""
    state = dict(made().state)
    name = "blocks.1.project.conv.weight"
    state[name] = torch.cat([state[name]] * 2)[::2]
    state["stem.conv.weight"] = state["stem.conv.weight"].to(memory_format=torch.channels_last)
    save(made(state=state), tmp_path)
    assert torch.equal(load(tmp_path).state[name], state[name])


def test_learning_leaves_a_checkpoint_as_it_is() -> None:
    """Its network is a copy."""
    one = made()
    before = one.state["linear.weight"].clone()
    one.network().linear.weight.data.zero_()
    assert torch.equal(one.state["linear.weight"], before)


def test_a_step_is_added_with_its_settings_and_versions() -> None:
    """Provenance: what was done, in order, with what."""
    one = made()
    two = one.then(one.network(), step_record("prune", macs=0.5, seed=4))
    assert [step["step"] for step in two.steps] == ["train", "prune"]
    assert two.steps[1]["macs"] == 0.5
    assert two.steps[1]["versions"]["torch"] == torch.__version__
    assert [step["step"] for step in one.steps] == ["train"]


class Interrupted(Exception):
    """As a kill in the middle of writing."""


@pytest.mark.parametrize("at", ["weights-", FILE])
def test_an_interrupted_save_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Wherever writing ends, the folder holds one whole checkpoint."""
    save(made(seed=1), tmp_path)
    replace = Path.replace

    def stop(self: Path, target: Path) -> Path:
        if target.name.startswith(at):
            raise Interrupted
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(Interrupted):
        save(made(seed=2), tmp_path)
    monkeypatch.undo()
    assert torch.equal(load(tmp_path).state["linear.weight"], made(seed=1).state["linear.weight"])
    save(made(seed=2), tmp_path)
    assert torch.equal(load(tmp_path).state["linear.weight"], made(seed=2).state["linear.weight"])
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_labels_are_one_a_class() -> None:
    """Else every result would be called by another's name."""
    with pytest.raises(ModelError, match="2 classes, and 3 labels"):
        Checkpoint(DESIGN, {}, ("a", "b", "c"), (0.0,), (1.0,), "", "")


def test_weights_of_another_design_are_refused() -> None:
    """With the layer that does not fit."""
    other = build(design("micro_mobilenet", classes=2, side_px=32, width=0.5))
    with pytest.raises(ModelError, match=r"not those of the design: size mismatch for stem\.conv\.weight"):
        made(state=other.state_dict()).network()


def change(path: Path, **values: Any) -> None:
    """Write other values into network.json."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_damage_is_found_and_named(tmp_path: Path) -> None:
    """A flipped byte, a cut file, a stranger's number, nothing at all: each says which file."""
    with pytest.raises(ModelError, match=r"network\.json: cannot be read"):
        load(tmp_path)
    save(made(), tmp_path)
    described, (weights,) = tmp_path / FILE, tmp_path.glob("*.safetensors")
    text, content = described.read_text(), weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(
        ModelError, match=r"weights-\w+\.safetensors: is not the file that network\.json names"
    ):
        load(tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match=r"weights-\w+\.safetensors: cannot be read"):
        load(tmp_path)
    weights.write_bytes(content)
    for damage in (
        text[:-20],
        text.replace('"stem": 8', '"stem": "8"'),
        text.replace('"kernel"', '"colonel"'),
        text.replace('"kernel": 3', '"kernel": 3.0'),
        text.replace('"batch_norm_epsilon": 0.001', '"batch_norm_epsilon": NaN'),
        json.dumps({**json.loads(text), "mean": [10**400] * 3}),
        json.dumps({**json.loads(text), "std": [1, 0, 1]}),
        json.dumps({**json.loads(text), "mean": [1]}),
        "[]",
        99_999 * "[",
    ):
        described.write_text(damage)
        with pytest.raises(ModelError, match=r"network\.json: is damaged"):
            load(tmp_path)
    described.write_text(text)
    change(described, schema=2)
    with pytest.raises(ModelError, match="has schema 2, this edgecam reads 1"):
        load(tmp_path)
    described.write_text(text)
    change(described, labels=["one"])
    with pytest.raises(ModelError, match="2 classes, and 1 labels"):
        load(tmp_path)


@pytest.mark.parametrize("change", [lambda x: x * float("nan"), lambda x: x.double()])
def test_weights_that_no_network_learns_are_refused(tmp_path: Path, change: Callable[[Any], Any]) -> None:
    """Training that failed, or another program's file: it is told where it is read, not where it is used."""
    name = "linear.weight"
    save(made(state={**made().state, name: change(made().state[name])}), tmp_path)
    with pytest.raises(ModelError, match=rf"weights-\w+\.safetensors: {name} are no finite float32"):
        load(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file in its place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="file: cannot be written"):
        save(made(), tmp_path / "file")
