"""What an engine is, and how one is opened: open, compare with the card, test on a known picture."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from edgecam.model.model import Model
from edgecam.records import TensorSpec

log = logging.getLogger(__name__)

PIXELS, METADATA = "pixels", "metadata"
"""What an engine's attribute `reads` may say; who has none reads pixels."""

# Beyond three threads these small networks gain little, and one core stays free for capture and MQTT.
_MOST_THREADS = 3


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What really runs the model."""

    runtime: str
    """`litert`, `tflite-runtime`, or another engine's library."""
    version: str
    delegate: str
    """`cpu`, or the accelerator's name."""
    threads: int

    @property
    def name(self) -> str:
        """Short name for messages: `litert/cpu`."""
        return f"{self.runtime}/{self.delegate}"


class Engine(Protocol):
    """One model in one interpreter; used by one thread at a time.

    One whose attribute `reads` is `METADATA` never sees pixels: it gets what a network on the camera's sensor
    said of the frame, `Frame.outputs`, (classes,) float32, in the place of a picture.
    """

    input: TensorSpec
    output: TensorSpec

    @property
    def info(self) -> EngineInfo:
        """What runs the next frame."""
        ...

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once.

        Args:
            tensor: shape and dtype of `input`, (1, height, width, channels).

        Returns:
            (classes,) in the dtype of `output`, still quantized; the caller owns it.

        Raises:
            EngineError: the tensor does not fit, or the runtime failed.
        """
        ...

    def close(self) -> None:
        """Let the interpreter go; may be called twice."""
        ...

    def __enter__(self) -> Self:
        """The engine itself, already open."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        ...


def reads_metadata(engine: Engine) -> bool:
    """True if it never sees pixels."""
    return getattr(engine, "reads", PIXELS) == METADATA


def default_threads(cores: int | None) -> int:
    """How many threads an engine takes by itself: min(cores - 1, 3), at least 1."""
    return max(1, min((cores or 1) - 1, _MOST_THREADS))


def open_engine(
    model: Model, *, engine: str = "auto", threads: int | None = None, providers: Sequence[str] = ()
) -> Engine:
    """Open the model's engine, and prove it: tensors as the card says, right answers to a known picture.

    Args:
        model: from `load_model` or `bare_model`.
        engine: its name; `auto` chooses by the model's file and by what is installed.
        threads: None chooses by the number of cores.
        providers: ONNX Runtime's execution providers, best first; empty: the CPU.

    Raises:
        EngineError: no such engine is installed, it refuses the model, or it computes wrong results.
    """
    from edgecam.inference.apart import ChildEngine
    from edgecam.inference.contract import check_contract, check_twin
    from edgecam.inference.engines import APART, AUTO, EngineRequest, engine_for, load_engine, seen_by
    from edgecam.inference.self_test import run_self_test

    if engine in model.card.twins:
        model = seen_by(engine, model)
        check_twin(model, engine)
    chosen = threads if threads is not None else default_threads(os.cpu_count())
    name = engine_for(model.path) if engine == AUTO else engine
    opened: Engine
    if name in APART:
        opened = ChildEngine(model, name, threads=chosen)
    else:
        opened = load_engine(name, EngineRequest(model.path, threads=chosen, providers=tuple(providers)))
    try:
        check_contract(opened, model)
        first_ms = run_self_test(opened, model)
    except BaseException:
        opened.close()
        raise
    log.info(
        "engine opened model=%s engine=%s version=%s threads=%d first_inference_ms=%.1f",
        model.name, opened.info.name, opened.info.version, chosen, first_ms,
    )  # fmt: skip
    return opened
