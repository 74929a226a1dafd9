"""The table of the textbooks, as `inspect` counts it on the project's own architectures, untrained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

MISSING = "the extra compress is not installed: scripts/check-compress runs this"
torch: Any = pytest.importorskip("torch", reason=MISSING)
pytest.importorskip("litert_torch", reason=MISSING)

from edgecam.commands.inspect import inspect_model  # noqa: E402 - after the skips
from edgecam.compress.architectures import design  # noqa: E402
from edgecam.compress.export import network_to_tflite  # noqa: E402
from edgecam.compress.network import build, folded  # noqa: E402

if TYPE_CHECKING:
    from edgecam.compress.network import Network


@pytest.mark.parametrize(
    ("family", "parameters", "macs"),
    # As published: docs/models.md says where.
    [("mobilenet_v2", 3.5e6, 300e6), ("efficientnet_b0", 5.3e6, 390e6)],
)
def test_inspect_counts_what_the_textbooks_print(
    family: str, parameters: float, macs: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within 2 % of the published figures, and exactly those of the design; the layers add up to them."""
    whole = design(family, classes=1000, side_px=224)
    path = tmp_path / f"{family}.tflite"
    path.write_bytes(network_to_tflite(folded(unlike_biases(build(whole))), side_px=224))
    inspect_model(str(path), as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["parameters"] == pytest.approx(parameters, rel=0.02)
    assert report["macs"] == pytest.approx(macs, rel=0.02)
    assert (report["parameters"], report["macs"]) == (whole.parameters, whole.macs)
    assert sum(layer["parameters"] for layer in report["layers"]) == whole.parameters
    assert sum(layer["macs"] for layer in report["layers"]) == whole.macs


def unlike_biases(network: Network) -> Network:
    """The same network with biases that differ: the converter stores equal ones, as all zeros, only once."""
    torch.manual_seed(0)
    with torch.no_grad():
        for values in (*network.parameters(), *network.buffers()):
            if values.dim() == 1:
                values.uniform_(0.5, 1.5)
    network.eval()
    return network
