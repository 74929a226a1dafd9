"""From an int8 model to a project for microcontrollers, proved in TFLite Micro's own interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.compress.calibration import images_of, made_images, tensors_of
from edgecam.compress.flatfile import tidy
from edgecam.compress.picture_sets import all_readable
from edgecam.compress.successor import new_place, write_successor
from edgecam.compress.tiny_project import Micro, project_files, resolver_methods
from edgecam.errors import EdgecamError, ModelError
from edgecam.inference.apart import ChildEngine
from edgecam.inference.contract import check_contract
from edgecam.inference.self_test import synthetic_tensor
from edgecam.inference.tflm_arena import measure_arena
from edgecam.model.graph import Graph, parse_graph, read_model_bytes
from edgecam.model.model import Model
from edgecam.model.staging import publish, staged, write_text
from edgecam.model.store import load_model
from edgecam.vision.postprocess import top_k

MADE_PICTURES = 100
"""How many pictures are made up where none are given."""
LEAST_AGREEMENT = 0.99


@dataclass(frozen=True, slots=True)
class Tiny:
    """What was made."""

    place: Path
    bytes: int
    """Of the network, in flash."""
    operators: tuple[str, ...]
    """The methods that add them to the resolver."""
    micro: Micro

    @property
    def agreement(self) -> float:
        """The share of pictures on which TFLite Micro and the reference kernels name the same class, 0..1."""
        return self.micro.same / self.micro.rows


@all_readable()
def make_tiny(
    model: Path,
    out: Path,
    pictures: Sequence[Path] = (),
    *,
    min_agreement: float = LEAST_AGREEMENT,
    force: bool = False,
    told: Callable[[str, int, int], None] | None = None,
) -> Tiny:
    """Write a folder with the network as a C array and a program that runs it; it is a model directory, too.

    The folder appears when the network has run in TFLite Micro, in a process of its own, and says what
    LiteRT's reference kernels say.

    Args:
        model: an int8 model's directory; what its file says is not believed before it was read.
        out: the new folder.
        pictures: to compare with; none: made ones.
        min_agreement: the least share of pictures on which both must name the same class first, 0..1.
        force: replace a folder of that kind.
        told: hears what is done, with how many pictures, and of how many.

    Raises:
        UsageError: `out` is taken.
        ModelError: the model is not int8 at both ends, or has an operator that TFLite Micro has not.
        SourceError: a picture cannot be read.
        EngineError: TFLite Micro is not installed, refuses the model, or ends on it.
        EdgecamError: they agree on less; nothing is left behind.
    """
    place = new_place(model, out, force=force)
    original = load_model(model)
    tflite = tidy(read_model_bytes(original.path))
    graph = parse_graph(tflite, path=original.path)
    _check_int8(graph, original.path)
    methods = resolver_methods(graph.operators, path=original.path)
    with staged(out.parent, out.name) as folder:
        card = write_successor(folder, model, tflite, original.card)
        made = load_model(folder)
        micro = _measure(made, pictures, told)
        if not micro.same >= min_agreement * micro.rows:
            raise EdgecamError(
                f"{original.path}: TFLite Micro and the reference kernels name the same class on "
                f"{micro.same} of {micro.rows} {micro.what}, less than {min_agreement:g}; nothing was "
                "written: quantize it again with more calibration pictures, or allow less by "
                "`edgecam compress tiny --min-agreement`"
            )
        ends = graph.inputs[0], graph.outputs[0]
        files = project_files(tflite, card, made.labels, methods=methods, ends=ends, micro=micro)
        for name, text in files.items():
            write_text(folder / name, text)
        publish(folder, place)
    return Tiny(place, len(tflite), methods, micro)


def reference_scores(tflite: bytes, inputs: Sequence[NDArray[Any]]) -> NDArray[np.int8]:
    """What LiteRT's reference kernels say, which TFLite Micro's are made of; (pictures, classes)."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=tflite, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for tensor in inputs:
        interpreter.set_tensor(given["index"], tensor)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(made["index"]).reshape(-1))
    return np.array(rows, np.int8)


def _check_int8(graph: Graph, path: Path) -> None:
    for what, tensor in (("input", graph.inputs[0]), ("output", graph.outputs[0])):
        if tensor.dtype != "int8" or tensor.scale is None:
            raise ModelError(
                f"{path}: its {what} is {tensor.dtype}, but a microcontroller's model is int8 at both ends; "
                "make one of the float model by `edgecam compress quantize`"
            )


def _measure(model: Model, pictures: Sequence[Path], told: Callable[[str, int, int], None] | None) -> Micro:
    with ChildEngine(model, "tflm", threads=1) as engine:
        check_contract(engine, model)
        card = model.card.input
        images = images_of(pictures) if pictures else made_images(card, MADE_PICTURES)
        inputs = list(tensors_of(card, engine.input, images))
        made_picture = synthetic_tensor(card, engine.input)
        expected = int(top_k(engine.invoke(made_picture), 1)[0])
        rows = []
        for done, tensor in enumerate(inputs, 1):
            rows.append(engine.invoke(tensor))
            if told is not None:
                told("running it in TFLite Micro", done, len(inputs))
        runtime = engine.info.version
    micro = np.array(rows, np.int8)
    reference = reference_scores(read_model_bytes(model.path), inputs)
    arena = measure_arena(model.path)
    return Micro(
        runtime=runtime,
        used_bytes=arena.used_bytes,
        arena_bytes=arena.bytes,
        rows=len(inputs),
        what="pictures" if pictures else "made pictures",
        same=int((micro.argmax(1) == reference.argmax(1)).sum()),
        identical=int((micro == reference).all(1).sum()),
        largest=int(np.abs(micro.astype(np.int16) - reference).max()),
        expected=expected,
    )
