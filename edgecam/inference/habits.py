"""What engines have in common: they are closed after use, look at what they are given, say why they fail."""

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


def words_of(error: BaseException) -> str:
    """`TypeError: its words`; where it cannot say them, what it is."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - a stranger's exception may do anything in its `__str__`
        return type(error).__name__


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
