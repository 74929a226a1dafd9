"""A trained network on disk, and what was done to get there.

A folder holds `network.json` and one `weights-DIGEST.safetensors`, which that names: there is no pickle that
could run code, and a folder whose writing was cut off still holds what was in it before.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_weights
from safetensors.torch import save as write_weights
from torch import Tensor

from edgecam.compress.design import COLOURS, Block, Design
from edgecam.compress.network import Network, design_of
from edgecam.errors import ModelError
from edgecam.model.card import InputCard

FILE = "network.json"
"""Written last: where it is, the weights are whole."""
_SCHEMA = 1
_WEIGHTS = "weights-*.safetensors"
_DIGEST_CHARS = 12
_TOOLS = ("edgecam", "torch")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A network with its weights and all that its users have to know of it.

    Raises:
        ModelError: there are not as many labels as classes.
    """

    design: Design
    state: Mapping[str, Tensor]
    """The weights as `Network.state_dict` names them; without `.norm.` they are folded."""
    labels: tuple[str, ...]
    """One per class."""
    mean: tuple[float, ...]
    """On 0..255 pixels, red, green, blue: input = (pixel - mean) / std."""
    std: tuple[float, ...]
    licence: str
    """SPDX, of the weights."""
    source: str
    """Where the weights come from, for the model card."""
    steps: tuple[Mapping[str, Any], ...] = ()
    """What was done, in order: `step`, its settings, seed, the digest of its pictures, versions of tools."""

    def __post_init__(self) -> None:
        if len(self.labels) != self.design.classes:
            raise ModelError(
                f"the network has {self.design.classes} classes, and {len(self.labels)} labels are given"
            )

    def network(self) -> Network:
        """A network of its own with these weights, in evaluation mode.

        Raises:
            ModelError: the weights are those of another design.
        """
        is_folded = not any(".norm." in name for name in self.state)
        with torch.device("meta"):
            network = Network(self.design, folded=is_folded)
        try:
            own = {name: value.clone() for name, value in self.state.items()}
            network.load_state_dict(own, strict=True, assign=True)
        except RuntimeError as error:
            raise ModelError(f"the weights are not those of the design: {_first_line(error)}") from error
        network.eval()
        return network

    def then(self, network: Network, step: Mapping[str, Any]) -> Self:
        """What became of it by one more step."""
        state = {name: value.detach().clone() for name, value in network.state_dict().items()}
        return replace(self, design=design_of(network), state=state, steps=(*self.steps, step))

    def input_card(self) -> InputCard:
        """How pictures become its input: the middle, as large as a square can be."""
        side_px = self.design.side_px
        return InputCard(width_px=side_px, height_px=side_px, mean=self.mean, std=self.std)


def step_record(step: str, **facts: Any) -> dict[str, Any]:
    """An entry of `Checkpoint.steps`; the facts have to be writable as JSON."""
    return {"step": step, **facts, "versions": {tool: _version(tool) for tool in _TOOLS}}


def save(checkpoint: Checkpoint, folder: Path) -> None:
    """Write it; what was in the folder is replaced at once, or not at all.

    Raises:
        ModelError: the folder cannot be written.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in checkpoint.state.items()}
    content = write_weights(state)
    digest = hashlib.sha256(content).hexdigest()
    weights = folder / _WEIGHTS.replace("*", digest[:_DIGEST_CHARS])
    table = {
        "schema": _SCHEMA,
        "weights": {"file": weights.name, "sha256": digest},
        "design": asdict(checkpoint.design),
        "labels": checkpoint.labels,
        "mean": checkpoint.mean,
        "std": checkpoint.std,
        "licence": checkpoint.licence,
        "source": checkpoint.source,
        "steps": checkpoint.steps,
    }
    text = json.dumps(table, indent=1, ensure_ascii=False, default=str)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(weights, content)
        _replace(folder / FILE, text.encode())
        for other in folder.glob(_WEIGHTS):
            if other.name != weights.name:
                other.unlink()
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror}); check place and rights") from error


def load(folder: Path) -> Checkpoint:
    """Read what `save` wrote.

    Raises:
        ModelError: there is none, or it is damaged; with the file.
    """
    path = folder / FILE
    try:
        table = json.loads(path.read_bytes())
        if table["schema"] != _SCHEMA:
            raise ModelError(f"{path}: has schema {table['schema']}, this edgecam reads {_SCHEMA}; update it")
        return Checkpoint(
            design=_design(table["design"]),
            state=_weights(folder, table["weights"]),
            labels=tuple(str(label) for label in table["labels"]),
            mean=_of_colours(table["mean"]),
            std=_of_colours(table["std"], above=0),
            licence=str(table["licence"]),
            source=str(table["source"]),
            steps=tuple(dict(step) for step in table["steps"]),
        )
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelError(f"{path}: is damaged ({_first_line(error)}); make it again") from error


def _design(table: Mapping[str, Any]) -> Design:
    blocks = tuple(Block(**block) for block in table["blocks"])
    return Design(**{**table, "blocks": blocks})


def _of_colours(values: Sequence[Any], *, above: float = -math.inf) -> tuple[float, ...]:
    """A number for each colour; raises ValueError, TypeError, OverflowError."""
    found = tuple(float(value) for value in values)
    if len(found) != COLOURS or not all(above < value < math.inf for value in found):
        raise ValueError(f"mean and std have {COLOURS} numbers, those of std above 0, got {values}")
    return found


def _weights(folder: Path, entry: Mapping[str, str]) -> dict[str, Tensor]:
    path = folder / Path(entry["file"]).name
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ModelError(f"{path}: is not the file that {FILE} names (sha256); make it again")
    try:
        weights: dict[str, Tensor] = read_weights(content)
    except SafetensorError as error:
        raise ModelError(f"{path}: holds no weights ({_first_line(error)}); make it again") from error
    for name, value in weights.items():
        if value.is_floating_point() and (value.dtype != torch.float32 or not value.isfinite().all()):
            raise ModelError(f"{path}: {name} are no finite float32; make it again")
    return weights


def _replace(path: Path, content: bytes) -> None:
    """Write a file durably, then give it its name."""
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _version(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:
        return "unknown"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # torch says in its first line only which class it is about.
    return next((line for line in lines if not line.startswith("Error(s)")), type(error).__name__)
