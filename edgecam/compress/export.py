"""From a checkpoint to a float `.tflite`: pictures in rows of pixels, logits out, nothing transposed."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from edgecam.compress.checkpoint import Checkpoint
from edgecam.compress.interruption import interruption_kept
from edgecam.compress.network import folded
from edgecam.errors import UnusableError
from edgecam.inference.quiet import stderr_caught


def to_float_tflite(checkpoint: Checkpoint) -> bytes:
    """The network as `network_to_tflite` gives it.

    Raises:
        UnusableError: litert-torch is not installed, or refuses the network.
    """
    return network_to_tflite(folded(checkpoint.network()), side_px=checkpoint.design.side_px)


def network_to_tflite(network: nn.Module, *, side_px: int) -> bytes:
    """The file, straight from the converter: tensors have long names, `flatfile.tidy` shortens them.

    Args:
        network: in evaluation mode, its batch normalisation folded.
        side_px: of the square picture.

    Returns:
        Input float32 [1, side_px, side_px, 3], normalised; output float32 [1, classes] logits: the softmax
        is the host's, in float.

    Raises:
        UnusableError: litert-torch is not installed, or refuses the network.
    """
    sample = (torch.zeros(1, side_px, side_px, 3),)
    with interruption_kept(), _quiet(), torch.no_grad():
        converter = _converter()
        channel_last = converter.to_channel_last_io(network, args=[0]).eval()
        try:
            return bytes(converter.convert(channel_last, sample).model_content())
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise UnusableError(f"litert-torch cannot convert this network: {reason}") from error


def _converter() -> Any:
    try:
        import litert_torch
    except ImportError as error:
        raise UnusableError(
            f"litert-torch is not installed ({error}): `pip install 'edgecam[compress]'`; "
            "it is for 64-bit x86 Linux and Apple's machines"
        ) from error
    return litert_torch


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the converter's progress, and without its libraries' warnings of one another's future."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), stderr_caught():
        warnings.simplefilter("ignore")
        yield
