"""What engines have in common: they are closed at the end of a block, and look at what they are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from edgecam.errors import EngineError
from edgecam.records import TensorSpec


class ClosedAfterUse(ABC):
    """For `with`: `close` at the end of the block."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def check_input(path: Path, spec: TensorSpec, tensor: NDArray[Any]) -> None:
    """Before a tensor is given to a library that may not look at it.

    Args:
        path: the model's file, for people.
        spec: what its input is.
        tensor: what it is given.

    Raises:
        EngineError: shape or dtype differ.
    """
    if tensor.shape != spec.shape or tensor.dtype.name != spec.dtype:
        raise EngineError(
            f"{path}: the input must be {list(spec.shape)} {spec.dtype}, "
            f"got {list(tensor.shape)} {tensor.dtype}"
        )
