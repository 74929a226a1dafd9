"""What training rounds is what the quantizer rounds."""

from __future__ import annotations

import numpy as np
import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("ai_edge_quantizer", reason=WHY)

from ai_edge_quantizer import qtyping  # noqa: E402
from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as reference  # noqa: E402

from edgecam.compress.fake_quantization import (  # noqa: E402
    Observer,
    fake_quantized,
    fake_quantized_weight,
)

RANGES = [(0.0, 6.0), (-2.5, 1.25), (-1.0, 0.0), (-0.017, 13.3), (0.0, 0.0)]


def by_quantizer(values: np.ndarray, low: np.ndarray, high: np.ndarray, *, symmetric: bool) -> np.ndarray:
    """Quantized by ai-edge-quantizer's own functions, and back."""
    granularity = qtyping.QuantGranularity.CHANNELWISE
    zero_point, scale = reference.tensor_zp_scale_from_min_max(low, high, 8, symmetric, granularity)
    rule = qtyping.UniformQuantParams(8, 0, scale, zero_point, symmetric)
    quantized: np.ndarray = reference.uniform_quantize(values, rule).astype(np.float64)
    quantized -= zero_point
    quantized *= scale
    return quantized


def test_weights_round_as_in_the_file() -> None:
    """A scale for each output channel, symmetric, also for channels that vanished."""
    weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    weight[2] = 0
    weight[3] *= 1e-7
    low, high = (
        getattr(np, which)(weight.numpy(), axis=(1, 2, 3), keepdims=True) for which in ("min", "max")
    )
    expected = by_quantizer(weight.numpy(), low, high, symmetric=True)
    np.testing.assert_allclose(fake_quantized_weight(weight).numpy(), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_activations_round_as_in_the_file(low: float, high: float) -> None:
    """Asymmetric, zero on the grid, cut off at the range's ends."""
    values = torch.linspace(-4, 15, 2001)
    limits = (np.float32(limit).reshape(1) for limit in (low, high))
    expected = by_quantizer(values.numpy(), *limits, symmetric=False)
    found = fake_quantized(values, torch.tensor(low), torch.tensor(high)).numpy()
    step = max(high - low, 1e-9) / 255
    off = np.abs(found - expected) > step / 2
    # On the very border between two steps the last bit of a division decides.
    assert off.mean() < 0.01
    np.testing.assert_allclose(found, expected, atol=1.001 * step)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_the_range_that_is_handed_on_makes_the_same_grid(low: float, high: float) -> None:
    """Scale and zero point that the quantizer works out of it are those of training."""
    observer = Observer("ADD", 0.9)
    observer.low.fill_(low)
    observer.high.fill_(high)
    scale = np.float32(max(high - low, 1e-9)) / np.float32(255)
    handed = (np.float32(limit).reshape(1) for limit in observer.range())
    zero_point, found = reference.tensor_zp_scale_from_min_max(
        *handed, 8, symmetric=False, granularity=qtyping.QuantGranularity.TENSORWISE
    )
    np.testing.assert_allclose(found, scale, rtol=1e-5)
    assert zero_point == np.rint(np.float32(-128) - np.float32(low) / scale)


def test_gradients_pass_rounding_and_stop_at_the_ends() -> None:
    """The straight-through estimator: what was cut off learns nothing from being moved."""
    x = torch.tensor([-9.0, 0.3, 5.0, 9.0], requires_grad=True)
    fake_quantized(x, torch.tensor(0.0), torch.tensor(6.0)).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]
    weight = torch.randn(2, 3, requires_grad=True)
    fake_quantized_weight(weight).sum().backward()
    assert weight.grad.tolist() == [[1] * 3] * 2


def test_an_observer_first_spans_all_then_follows() -> None:
    """Before it rounds, the widest counts; then a moving average, until it is frozen."""
    observer = Observer("ADD", 0.75)
    for high in (4.0, 2.0):
        observer(torch.tensor([[-1.0, high]]))
    assert (float(observer.low), float(observer.high)) == (-1.0, 4.0)
    observer.rounding = True
    observer(torch.tensor([[-1.0, 8.0]]))
    assert float(observer.high) == pytest.approx(5.0)
    observer.watching = False
    observer(torch.tensor([[-1.0, 80.0]]))
    assert float(observer.high) == pytest.approx(5.0)


def test_an_observer_learns_nothing_from_evaluation() -> None:
    """Looking at test pictures does not change the network."""
    observer = Observer("ADD", 0.75).eval()
    observer(torch.tensor([[-1.0, 80.0]]))
    assert (float(observer.low), float(observer.high)) == (0.0, 0.0)
