"""An engine in a child process and nothing beside it: what its library does, it does to the child alone."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from edgecam.errors import EngineError, ModelError
from edgecam.inference.child_process import ChildProcess, Order
from edgecam.inference.habits import ClosedAfterUse, check_input
from edgecam.model.graph import read_graph
from edgecam.model.model import Model

# A microcontroller's kernels may take seconds.
_DEADLINE_S = 60.0


class ChildEngine(ClosedAfterUse):
    """A `.tflite` in an engine that may end its process; an `Engine`. Opens in the constructor.

    Args:
        model: what to run.
        engine: its name, as `load_engine` has it.
        threads: for the network's kernels, at least 1.

    Raises:
        EngineError: it refuses the model, or its process has ended.
    """

    def __init__(self, model: Model, engine: str, *, threads: int) -> None:
        try:
            graph = read_graph(model.path)
        except ModelError as error:
            raise EngineError(str(error)) from error
        self.input, self.output = graph.inputs[0], graph.outputs[0]
        self._path = model.path
        order = Order(model.path, model.sha256, engine, None, threads, self.input, self.output)
        child = ChildProcess(order)
        try:
            self.info = child.open(_DEADLINE_S).info
        except BaseException:
            child.end()
            raise
        self._child: ChildProcess | None = child

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`."""
        check_input(self._path, self.input, tensor)
        if self._child is None:
            raise EngineError(f"{self._path}: its engine is closed")
        try:
            return self._child.invoke(tensor, _DEADLINE_S)
        except EngineError:
            # Nobody knows what it does now.
            self.close()
            raise

    def close(self) -> None:
        """End the child; may be called twice."""
        child, self._child = self._child, None
        if child is not None:
            child.end()
