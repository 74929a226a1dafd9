"""How narrow a network has to be to take no more than a wanted time, found by measuring candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgecam.compress.export import network_to_tflite
from edgecam.compress.latency_target import Device, macs_within, measure_ms
from edgecam.compress.network import Network, design_of, folded
from edgecam.compress.quantization import Scheme, quantize
from edgecam.errors import EdgecamError

# Of the whole network's work: the widths that show how time goes with work.
_LADDER = (0.6, 0.35, 0.2, 0.12)
# Of the work that seemed to fit: the widths among which the last choice is made.
_LAST_LADDER = (1.15, 1.0, 0.87, 0.75, 0.6)


@dataclass(slots=True)
class LatencySearch:
    """Candidates of several widths, exported and measured in turns."""

    limit_ms: float
    device: Device
    narrow: Callable[[Network, int], Network]
    """A copy with so many multiply-accumulates; raises EdgecamError if that is out of reach."""
    int8: bool = True
    """What is measured is int8; False: float."""
    measured: list[tuple[int, float]] = field(default_factory=list)
    """MACs and ms of the candidates that were measured last; the first is the whole network."""

    def work_within(self, network: Network) -> int:
        """The MACs that about fit into the time.

        Raises:
            EdgecamError: not even a network as narrow as it can be does.
            UnusableError: the device cannot be measured on.
        """
        whole = design_of(network).macs
        self._measure([network, *self._candidates(network, [share * whole for share in _LADDER])])
        return macs_within(self.limit_ms, self.measured)

    def widest_within(self, network: Network, macs: int, *, whole: Network) -> Network:
        """Of copies about as wide as that, the widest that is in time; measured beside the whole network.

        Raises:
            EdgecamError: none is.
            UnusableError: the device cannot be measured on.
        """
        candidates = self._candidates(network, [share * macs for share in _LAST_LADDER])
        self._measure([whole, *candidates])
        for candidate, (_, ms) in zip(candidates, self.measured[1:], strict=True):
            if ms <= self.limit_ms:
                return candidate
        raise EdgecamError(
            f"no network of {macs * _LAST_LADDER[-1] / 1e6:.2f} to {macs * _LAST_LADDER[0] / 1e6:.2f} M MACs "
            f"took {self.limit_ms:g} ms or less ({', '.join(f'{ms:.3g}' for _, ms in self.measured[1:])}), "
            "although such a one had before: let the device do nothing else meanwhile, and try again"
        )

    def _candidates(self, network: Network, wanted: list[float]) -> list[Network]:
        """From wide to narrow, as far as that goes, each once."""
        found: list[Network] = []
        most = design_of(network).macs
        for macs in wanted:
            try:
                candidate = self.narrow(network, min(round(macs), most))
            except EdgecamError:
                break
            if not found or design_of(candidate) != design_of(found[-1]):
                found.append(candidate)
        return found

    def _measure(self, networks: list[Network]) -> None:
        files = [self._file(network) for network in networks]
        counts = [design_of(network).macs for network in networks]
        self.measured = [*zip(counts, measure_ms(self.device, files), strict=True)]

    def _file(self, network: Network) -> bytes:
        side_px = network.design.side_px
        data = network_to_tflite(folded(network), side_px=side_px)
        if not self.int8:
            return data
        # The time of a network does not hang on what its numbers are.
        noise = np.random.default_rng(1).standard_normal((1, side_px, side_px, 3)).astype(np.float32)
        return quantize(data, Scheme.INT8, inputs=[noise])
