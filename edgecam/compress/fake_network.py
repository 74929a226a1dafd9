"""A network that computes as its int8 `.tflite` will: the same weights, rounded wherever the file rounds.

Batch normalisation is folded on the fly, by its running statistics, so that what is rounded is what will be
exported; its scale and shift go on learning. The parameters are the network's own: training this one trains
it.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from torch import Tensor, fx, nn

from edgecam.compress.fake_quantization import Observer, fake_quantized, fake_quantized_weight
from edgecam.compress.network import Convolution, MeanOverPicture, Network
from edgecam.compress.tensor_ranges import (
    ADDITION,
    CONVOLUTION,
    DEPTHWISE,
    LINEAR,
    LOGISTIC_RANGE,
    PRODUCT,
    Activation,
)
from edgecam.errors import UsageError

_BINARY = {operator.add: ADDITION, operator.mul: PRODUCT}
_INPUT = "input_grid"


class FakeQuantized(nn.Module):
    """The network with its observers, which neither watch nor round at first.

    Args:
        network: its weights are shared, not copied.
        input_range: the real values that int8 -128 and 127 of the input stand for.
        momentum: of the observers.
    """

    def __init__(self, network: Network, *, input_range: tuple[float, float], momentum: float) -> None:
        super().__init__()
        self._graph = _instrumented(network, input_range, momentum)
        self.set_state(watching=False, rounding=False)

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, side, side], normalised, to [n, classes] logits, as the int8 file gives them."""
        logits: Tensor = self._graph(x)
        return logits

    def set_state(self, *, watching: bool, rounding: bool) -> None:
        """Whether ranges are learnt, and whether weights and activations are rounded."""
        for module in self.modules():
            if isinstance(module, (Observer, _Grid, _Rounded)):
                module.rounding = rounding
            if isinstance(module, Observer):
                module.watching = watching

    def activations(self) -> tuple[Activation, ...]:
        """What the observers have learnt, in the order in which the network computes what they watch."""
        return tuple(
            Activation(observer.operator, observer.channels, *observer.range())
            for observer in self.observers()
        )

    def observers(self) -> Iterator[Observer]:
        """In the same order."""
        for node in self._graph.graph.nodes:
            if node.op == "call_module":
                parts = self._graph.get_submodule(node.target).modules()
                yield from (part for part in parts if isinstance(part, Observer))


class _Rounded(nn.Module):
    """A layer with its batch normalisation folded in and its weights rounded."""

    def __init__(self, layer: nn.Conv2d | nn.Linear, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = layer
        self.norm = norm
        self.rounding = False

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self._folded()
        if self.rounding:
            weight = fake_quantized_weight(weight)
        if isinstance(self.layer, nn.Linear):
            return F.linear(x, weight, bias)
        return F.conv2d(x, weight, bias, self.layer.stride, groups=self.layer.groups)

    def _folded(self) -> tuple[Tensor, Tensor]:
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
            return self.layer.weight, self.layer.bias
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = self.layer.weight * scale[:, None, None, None]
        return weight, norm.bias - norm.running_mean * scale


class _Grid(nn.Module):
    """A range that is not learnt."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.rounding = False
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("high", torch.tensor(high))

    def forward(self, x: Tensor) -> Tensor:
        return fake_quantized(x, self.low, self.high) if self.rounding else x


class _Swish(nn.Module):
    """x * sigmoid(x), which the file does in two steps."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.gate = _Grid(*LOGISTIC_RANGE)
        self.observer = Observer(PRODUCT, momentum)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.observer(x * self.gate(torch.sigmoid(x)))
        return result


class _Mean(nn.Module):
    """The mean over the picture, on the grid of what goes in: the file's kernel has one scale for both."""

    def __init__(self, grid: Observer | _Grid) -> None:
        super().__init__()
        self.mean = MeanOverPicture()
        # In a tuple, so that it stays the module of the layer that it watches.
        self._grid = (grid,)

    def forward(self, x: Tensor) -> Tensor:
        (grid,) = self._grid
        mean: Tensor = self.mean(x)
        return fake_quantized(mean, grid.low, grid.high) if grid.rounding else mean


class _Tracer(fx.Tracer):
    """Stops at the modules that are replaced as a whole."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (Convolution, MeanOverPicture)) or super().is_leaf_module(
            m, module_qualified_name
        )


def _instrumented(network: Network, input_range: tuple[float, float], momentum: float) -> fx.GraphModule:
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    twin = copy.deepcopy(network, shared)
    graph = _Tracer().trace(twin)
    steps: dict[str, nn.Module] = {}
    grids: dict[fx.Node, Observer | _Grid] = {}
    for node in list(graph.nodes):
        if node.op == "call_module":
            given = grids[node.args[0]]
            step = _step(twin.get_submodule(node.target), given, momentum)
            steps[node.target], grids[node] = step, _grid_of(step, given)
        elif node.op == "call_method":
            grids[node] = grids[node.args[0]]
        elif node.op == "placeholder":
            grids[_behind(graph, node, _INPUT)] = steps[_INPUT] = _Grid(*input_range)
        elif node.op == "call_function" and node.target in _BINARY:
            name = f"observer_{node.name}"
            grids[_behind(graph, node, name)] = steps[name] = Observer(_BINARY[node.target], momentum)
        elif node.op != "output":
            raise UsageError(f"quantization-aware training does not know the step {node.target}")
    return fx.GraphModule(steps, graph)


def _step(layer: nn.Module, given: Observer | _Grid, momentum: float) -> nn.Module:
    """What stands in the place of a layer; it may be changed."""
    if isinstance(layer, Convolution):
        return _convolution(layer, momentum)
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        operation = LINEAR if isinstance(layer, nn.Linear) else CONVOLUTION
        return nn.Sequential(_Rounded(layer), Observer(operation, momentum))
    if isinstance(layer, MeanOverPicture):
        return _Mean(given)
    if isinstance(layer, nn.SiLU):
        return _Swish(momentum)
    if isinstance(layer, nn.Sigmoid):
        return nn.Sequential(layer, _Grid(*LOGISTIC_RANGE))
    return layer


def _convolution(layer: Convolution, momentum: float) -> nn.Module:
    """Padding and activation are the layer's own; the file has a step for both, unless it is a swish."""
    observer = Observer(DEPTHWISE if layer.conv.groups > 1 else CONVOLUTION, momentum)
    layer.conv, layer.norm = _Rounded(layer.conv, layer.norm), nn.Identity()
    if not isinstance(layer.activation, nn.SiLU):
        return nn.Sequential(layer, observer)
    layer.activation = nn.Identity()
    return nn.Sequential(layer, observer, _Swish(momentum))


def _grid_of(step: nn.Module, given: Observer | _Grid) -> Observer | _Grid:
    """The one on which a step's result lies: the last of its own, else that of what goes in."""
    return [given, *(part for part in step.modules() if isinstance(part, (Observer, _Grid)))][-1]


def _behind(graph: fx.Graph, node: fx.Node, name: str) -> fx.Node:
    """Put a step behind a node, which all that used the node then use."""
    with graph.inserting_after(node):
        added = graph.call_module(name, (node,))
    node.replace_all_uses_with(added, delete_user_cb=lambda user: user is not added)
    return added
