"""One open engine with what stands before and behind it: preprocess, infer, postprocess."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam import clock
from edgecam.errors import EngineError
from edgecam.inference.engine import Engine, EngineInfo, reads_metadata
from edgecam.inference.isolated import IsolatedEngine, Ran, what_ran
from edgecam.model.model import Model
from edgecam.pipeline.lane import Lane, Rung
from edgecam.pipeline.witness import Stage, Witness
from edgecam.records import Frame, Prediction, Result, StageTimes
from edgecam.vision.geometry import Plan
from edgecam.vision.motion import Glance
from edgecam.vision.postprocess import Postprocessor
from edgecam.vision.preprocess import Preprocessor


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """A frame that is to be run."""

    frame: Frame
    probe: bool
    """Against the estimate, because nothing was classified for too long."""
    glance: Glance | None
    """How the motion gate saw it; None: there is no gate."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame that is ready for its engine."""

    picked: Picked
    chain: Chain
    rung: Rung
    """What is watched in it."""
    tensor: NDArray[Any]
    preprocess_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """A frame that has been through its engine."""

    prepared: Prepared
    output: NDArray[Any]
    infer_ns: int
    ran: Ran
    """What ran it."""


class Chain:
    """What one model does with the frames of its cameras; `infer` belongs to the thread that made it."""

    def __init__(
        self, name: str, model: Model, engine: Engine, lanes: Iterable[Lane], *, witness: Witness
    ) -> None:
        """Args: the model and its name in the configuration, its open engine, the cameras, who watches."""
        self.engine = engine
        self._name = name
        self._witness = witness
        self._lanes = {lane.camera: lane for lane in lanes}
        # Of one byte, every value is one that was foreseen.
        self._may_be_wild = engine.output.dtype not in {"int8", "uint8"}
        self._postprocess = Postprocessor(model.card.output, engine.output, model.labels)
        self._input = model.card.input
        self._reads_metadata = reads_metadata(engine)
        self.look_anew()

    @property
    def key(self) -> str:
        """Model and engine as they are now: what a measured time is true for."""
        return self.key_of(self.engine.info)

    def key_of(self, info: EngineInfo) -> str:
        """The same for another engine of the model."""
        return f"{self._name}@{info.name}"

    @property
    def elsewhere_ns(self) -> int:
        """How long a frame may be in another process."""
        return self.engine.deadline_ns if isinstance(self.engine, IsolatedEngine) else 0

    def look_anew(self) -> None:
        """See the pictures as the lanes' views say now."""
        self._preprocess = {
            camera: Preprocessor(self._input, self.engine.input, lane.view)
            for camera, lane in self._lanes.items()
        }

    def prepare(self, picked: Picked, rung: Rung) -> Prepared:
        """The picture into the input tensor."""
        frame = picked.frame
        began_ns = clock.boot_ns()
        tensor = self._tensor(frame)
        took_ns = self._ended(Stage.PREPROCESS, frame, began_ns) - began_ns
        return Prepared(picked, self, rung, tensor, took_ns)

    def _tensor(self, frame: Frame) -> NDArray[Any]:
        if not self._reads_metadata:
            return self._preprocess[frame.camera](frame.image)
        if frame.outputs is None:
            raise EngineError(
                f"{self._name} runs on a camera's sensor, and {frame.camera} gives no answers of one"
            )
        return frame.outputs

    def plan_of(self, frame: Frame) -> Plan:
        """What the model sees of the picture."""
        return self._preprocess[frame.camera].plan_of(frame.image)

    def infer(self, prepared: Prepared) -> Inferred:
        """Run the network; raises EngineError."""
        began_ns = clock.boot_ns()
        output = self.engine.invoke(prepared.tensor)
        took_ns = self._ended(Stage.INFER, prepared.picked.frame, began_ns) - began_ns
        return Inferred(prepared, output, took_ns, what_ran(self.engine))

    def read(self, inferred: Inferred) -> tuple[Result, Prediction]:
        """What the network said; raises EngineError if that is no number."""
        prepared = inferred.prepared
        frame = prepared.picked.frame
        began_ns = clock.boot_ns()
        prediction = self._postprocess(inferred.output)
        if self._may_be_wild:
            _tame(prediction.probabilities)
        finished_ns = self._ended(Stage.POSTPROCESS, frame, began_ns)
        result = Result(
            camera=frame.camera,
            seq=frame.seq,
            captured_ns=frame.captured_ns,
            basis=frame.basis,
            finished_ns=finished_ns,
            budget_ns=self._lanes[frame.camera].policy.budget_ns,
            top=prediction.top,
            model=self._name,
            engine=inferred.ran.info.name,
            stages=StageTimes(prepared.preprocess_ns, inferred.infer_ns, finished_ns - began_ns),
        )
        return result, prediction

    def _ended(self, stage: Stage, frame: Frame, began_ns: int) -> int:
        now_ns = clock.boot_ns()
        self._witness.stage(stage, frame.camera, frame.seq, began_ns=began_ns, ended_ns=now_ns)
        return now_ns


def _tame(probabilities: NDArray[np.float32]) -> None:
    """Rounding may leave 0..1 by a little; what is no number at all would blind the smoothing for good."""
    if not np.isfinite(probabilities).all():
        raise EngineError("the network's scores are not finite")
    np.clip(probabilities, 0, 1, out=probabilities)
