"""A stranger's engine, held to the contract: what it raises is an EngineError, what it gives has a shape."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError
from edgecam.inference.engine import PIXELS, Engine, EngineInfo
from edgecam.inference.habits import ClosedAfterUse

log = logging.getLogger(__name__)


class GuardedEngine(ClosedAfterUse):
    """Another package's engine; an `Engine`.

    Args:
        engine: open.
        name: what it is called.

    Raises:
        EngineError: it does not say what an engine has to say.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self._name = engine, name
        try:
            self.input, self.output = engine.input, engine.output
            self._shape = (int(np.prod(engine.output.shape)),)
            self._dtype = np.dtype(engine.output.dtype)
            _ = engine.info.name
        except Exception as error:
            raise EngineError(
                f"the engine {name} does not say what it is: {_said(error)}; tell who made it"
            ) from error
        self.reads: str = getattr(engine, "reads", PIXELS)
        # Who does not count, does not say.
        self.delegated: int | None = getattr(engine, "delegated", None)
        self.operators: int | None = getattr(engine, "operators", None)

    @property
    def info(self) -> EngineInfo:
        """What runs the next frame."""
        return self._engine.info

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`."""
        try:
            output = self._engine.invoke(tensor)
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(f"the engine {self._name} failed: {_said(error)}") from error
        shape, dtype = getattr(output, "shape", None), getattr(output, "dtype", None)
        if shape != self._shape or dtype != self._dtype:
            raise EngineError(
                f"the engine {self._name} gives {type(output).__name__} {shape} {dtype}, not an array "
                f"{self._shape} {self._dtype}; tell who made it"
            )
        return output

    def close(self) -> None:
        """Let the engine go; may be called twice."""
        try:
            self._engine.close()
        except Exception:  # nobody could do anything about it
            log.exception("engine does not close engine=%s", self._name)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
