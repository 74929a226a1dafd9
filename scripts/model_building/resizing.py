"""A network on pictures of another size than it was trained with: the same weights, the same certainty.

On smaller pictures the pooled features grow, the logits with them, and the network is surer of itself than
it has reason to be. One factor on the features makes a score mean what it means at the trained size.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecam.compress.network import Network

_DECIMALS = 2


def match_features(
    model: Network,
    *,
    trained: Iterable[NDArray[np.float32]],
    resized: Iterable[NDArray[np.float32]],
) -> float:
    """Scale the last layer's weights by what brings the pooled features nearest to those of the trained size.

    Args:
        model: The network; changed.
        trained: Normalised pictures of the size that it was trained with, float32 [1, side, side, 3].
        resized: The same pictures at the size that it shall run at.

    Returns:
        The factor: least squares over all features of all pictures, coarsely rounded, so that a last bit that
        differs between processors does not change the file.
    """
    wanted, found = _features(model, trained), _features(model, resized)
    factor = round(float((wanted * found).sum() / (found * found).sum()), _DECIMALS)
    with torch.no_grad():
        model.linear.weight.mul_(factor)
    return factor


def _features(model: Network, pictures: Iterable[NDArray[np.float32]]) -> Tensor:
    with torch.no_grad():
        rows = [model.features(torch.from_numpy(picture).permute(0, 3, 1, 2)) for picture in pictures]
    return torch.cat(rows).double()
