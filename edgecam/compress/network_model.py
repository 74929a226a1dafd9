"""A trained network as a model directory: what edgecam runs, and beside it what compression goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgecam.compress.checkpoint import Checkpoint, load, save
from edgecam.compress.export import to_float_tflite
from edgecam.compress.flatfile import tidy
from edgecam.compress.learnt_ranges import NETWORK_FOLDER, RANGES_FILE
from edgecam.compress.tensor_ranges import Activation
from edgecam.errors import ModelError
from edgecam.model.bare import describe
from edgecam.model.card import DEFAULT_FILE, OutputCard, OutputKind, SelfTest
from edgecam.model.card_text import card_text
from edgecam.model.pull import Prove
from edgecam.model.staging import check_free, publish, staged, write_bytes, write_text
from edgecam.model.store import CARD_FILE, LABELS_FILE, load_model


def write_network_model(
    place: Path,
    checkpoint: Checkpoint,
    *,
    activations: Sequence[Activation] = (),
    description: str,
    prove: Prove,
    force: bool = False,
) -> Path:
    """Make a float model directory of a network; it appears when it runs.

    Args:
        place: the new model directory.
        checkpoint: the network.
        activations: their ranges, if the network learnt to be int8.
        description: for people.
        prove: runs it once before it is believed.
        force: replace a model directory.

    Returns:
        The model directory.

    Raises:
        UsageError: `place` is taken.
        ModelError, EngineError, UnusableError: it cannot be exported, written or run.
    """
    place = check_free(place.parent, place.name, force=force)
    data = tidy(to_float_tflite(checkpoint))
    with staged(place.parent, place.name) as folder:
        file = folder / DEFAULT_FILE
        write_bytes(file, data)
        card = replace(
            describe(file, mean=checkpoint.mean, std=checkpoint.std)[0],
            name=place.name,
            description=description,
            output=OutputCard(OutputKind.LOGITS),
            licence=checkpoint.licence,
            source=checkpoint.source,
        )
        write_text(folder / LABELS_FILE, "".join(f"{label}\n" for label in checkpoint.labels))
        write_text(folder / CARD_FILE, card_text(card))
        load_model(folder)
        write_text(folder / CARD_FILE, card_text(replace(card, self_test=SelfTest(top5=prove(folder)))))
        save(checkpoint, folder / NETWORK_FOLDER)
        if activations:
            text = json.dumps([asdict(activation) for activation in activations])
            write_text(folder / NETWORK_FOLDER / RANGES_FILE, text)
        publish(folder, place)
    return place


def has_network(model: Path) -> bool:
    """Whether a model directory can be trained further."""
    return (model / NETWORK_FOLDER).is_dir()


def network_of(model: Path) -> Checkpoint:
    """The network of a model directory that compression made.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    if not has_network(model):
        raise ModelError(
            f"{model}: has no network that could be trained further; name a model that `edgecam compress` "
            "made in float (transfer, prune, distil, qat)"
        )
    return load(model / NETWORK_FOLDER)


def history_of(model: Path) -> list[Mapping[str, Any]]:
    """What was done to the network of a model directory, step by step, as the checkpoint tells it.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    return list(network_of(model).steps)
