"""Published weights, found in an installed package or in a file, as a network to go on from."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from edgecam.compress.design import Design
from edgecam.compress.network import Network, build, load_published
from edgecam.compress.published import PUBLISHED, Published, installed_weights
from edgecam.errors import ModelError, UsageError

# What torch's reader raises at files that are none of its own.
_UNREADABLE = (
    RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, AssertionError,
    pickle.UnpicklingError, struct.error,
)  # fmt: skip
_UNKNOWN_LICENCE = "LicenseRef-unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A network with published weights, and what is known of them."""

    network: Network
    published: Published
    sha256: str
    """Of the weights' file."""
    licence: str
    """SPDX."""
    source: str
    """For the model card."""


def load_backbone(design: Design, *, weights: Path | None = None, seed: int = 0) -> Backbone:
    """A network with published weights; its last layer is new if it has not as many classes.

    Args:
        design: of a family in `published.PUBLISHED`.
        weights: a `.pth` file of weights in forward order, as torchvision's are; None: the file in the
            installed package.
        seed: of a new last layer.

    Raises:
        UsageError: nobody published weights of this family.
        UnusableError: the package is not installed.
        ModelError: the file cannot be read, or holds weights of another shape.
    """
    published = PUBLISHED.get(design.family)
    if published is None:
        raise UsageError(
            f"there are no published weights of {design.family}; take {' or '.join(PUBLISHED)}, "
            "or train from scratch"
        )
    path = weights or installed_weights(published)
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    network = build(design, seed=seed)
    load_published(network, read_weights(content, where=str(path)), where=str(path))
    if digest == published.sha256:
        return Backbone(network, published, digest, published.licence, published.source)
    if weights is None:
        raise ModelError(f"{path}: is not the published file (sha256); {published.advice}")
    source = f"{design.family} weights of {path.name}, sha256 {digest}"
    return Backbone(network, published, digest, _UNKNOWN_LICENCE, source)


def read_weights(content: bytes, *, where: str) -> dict[str, Tensor]:
    """The tensors of a `.pth` file, by name, in the file's order; no code in it is run.

    Raises:
        ModelError: it is none, or holds more than weights.
    """
    try:
        with warnings.catch_warnings():
            # Of what it is about to refuse.
            warnings.simplefilter("ignore")
            weights = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{where}: is no file of torch weights ({reason}); give a state_dict's .pth"
        ) from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ModelError(f"{where}: expected named tensors, a state_dict; save the network's state_dict()")
    return dict(weights)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path") from error
