"""A stranger's engine, held to the contract: what it raises is an EngineError, what it gives has a shape."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError
from edgecam.inference.engine import PIXELS, Engine, EngineInfo
from edgecam.inference.habits import ClosedAfterUse, words_of
from edgecam.records import TensorSpec

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
            self.input, self.output = _tensor(engine.input), _tensor(engine.output)
            self._shape = (int(np.prod(self.output.shape)),)
            self._dtype = np.dtype(self.output.dtype)
            self._info = _info(engine.info)
            self.reads = str(getattr(engine, "reads", PIXELS))
            # Who does not count, does not say.
            self.delegated, self.operators = (
                None if count is None else int(count)
                for count in (getattr(engine, "delegated", None), getattr(engine, "operators", None))
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise EngineError(
                f"the engine {name} does not say what it is: {words_of(error)}; tell who made it"
            ) from error

    @property
    def info(self) -> EngineInfo:
        """What runs the next frame; what it last said, when it no longer does."""
        with contextlib.suppress(BaseException):
            self._info = _info(self._engine.info)
        return self._info

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`."""
        try:
            output = self._engine.invoke(tensor)
        except (EngineError, KeyboardInterrupt):
            raise
        except BaseException as error:  # what a library in Rust panics with is no Exception
            raise EngineError(f"the engine {self._name} failed: {words_of(error)}") from error
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
        except BaseException:  # nobody could do anything about it
            log.exception("engine does not close engine=%s", self._name)


def _tensor(said: TensorSpec) -> TensorSpec:
    """The same in plain numbers and words, whatever it is made of."""
    return TensorSpec(
        name=str(said.name),
        shape=tuple(int(size) for size in said.shape),
        dtype=np.dtype(said.dtype).name,
        scale=None if said.scale is None else float(said.scale),
        zero_point=None if said.zero_point is None else int(said.zero_point),
    )


def _info(said: EngineInfo) -> EngineInfo:
    return EngineInfo(
        runtime=str(said.runtime),
        version=str(said.version),
        delegate=str(said.delegate),
        threads=int(said.threads),
    )
