"""What is inside a `.tflite` file: tensors, operators, size. Reads the flatbuffer, runs nothing.

A file that ends in `.onnx` is handed to its own reader.

Field numbers are those of the TFLite schema, tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgecam.errors import ModelError
from edgecam.model.counts import count_macs, count_parameters
from edgecam.model.flatbuffer import Buffer, Table
from edgecam.model.metadata import Metadata, read_metadata
from edgecam.model.network import Operator, Subgraph, Tensor
from edgecam.model.onnx_file import SUFFIX, read_onnx
from edgecam.records import TensorSpec

TFLITE_SUFFIX = ".tflite"
_IDENTIFIER = b"TFL3"
_METADATA_NAME = "TFLITE_METADATA"
_CUSTOM = 32
_MAX_BYTES = 1_000_000_000
# Operators that carry values through unchanged, between a softmax and the output.
_CARRIERS = frozenset({"RESHAPE", "FLATTEN", "SQUEEZE", "QUANTIZE", "DEQUANTIZE"})


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole model; the first subgraph is the one that runs."""

    subgraphs: tuple[Subgraph, ...]
    bytes: int
    """Size of the file."""
    metadata: Metadata

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What goes in."""
        main = self.subgraphs[0]
        return tuple(main.tensors[i].spec for i in main.inputs)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What comes out."""
        main = self.subgraphs[0]
        return tuple(main.tensors[i].spec for i in main.outputs)

    @property
    def has_fixed_input(self) -> bool:
        """False if the input's size is free; a free batch is taken as one picture."""
        main = self.subgraphs[0]
        return all(-1 not in main.tensors[i].signature[1:] for i in main.inputs)

    @property
    def classes(self) -> int:
        """The length of the first output's last axis."""
        shape = self.outputs[0].shape
        return shape[-1] if shape else 0

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return count_parameters(self.subgraphs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return count_macs(self.subgraphs)

    @property
    def operators(self) -> Counter[str]:
        """How often each operator is used."""
        return Counter(step.name for graph in self.subgraphs for step in graph.steps)

    @property
    def custom_ops(self) -> tuple[str, ...]:
        """The custom operators by name, each once."""
        return tuple(sorted({step.name for graph in self.subgraphs for step in graph.steps if step.custom}))

    @property
    def ends_in_softmax(self) -> bool:
        """True if the first output is a softmax, perhaps reshaped or requantized."""
        main = self.subgraphs[0]
        maker = {index: step for step in main.steps for index in step.outputs}
        step = maker.get(main.outputs[0])
        for _ in main.steps:
            if step is None or step.name.upper() not in _CARRIERS or not step.inputs:
                break
            step = maker.get(step.inputs[0])
        return step is not None and step.name.upper() == "SOFTMAX"


def read_model_bytes(path: Path) -> bytes:
    """The whole file.

    Raises:
        ModelError: it is absent, cannot be read, or is no file of a model's size.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path}: is no file; a model is a file or a model directory")
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: is larger than {_MAX_BYTES} bytes, which no model for the edge is")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def is_tflite(path: Path) -> bool:
    """Whether a file is called so, or begins like one."""
    if path.suffix == TFLITE_SUFFIX:
        return True
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == _IDENTIFIER
    except OSError:
        return False


def is_readable(path: Path) -> bool:
    """False if only its own engine can look inside a file, as into what a vendor's compiler made."""
    return path.suffix == SUFFIX or is_tflite(path)


def read_graph(path: Path) -> Graph:
    """Read a `.tflite` or `.onnx` file's graph.

    Raises:
        ModelError: the file is absent, no model of its kind, or damaged.
    """
    return parse_graph(read_model_bytes(path), path=path)


def parse_graph(data: bytes, *, path: Path) -> Graph:
    """As `read_graph`, of bytes already read; `path` is for messages."""
    if path.suffix == SUFFIX:
        return Graph((read_onnx(data, name=str(path)),), len(data), Metadata())
    if data[4:8] != _IDENTIFIER:
        raise ModelError(
            f"{path}: is not a TFLite model: bytes 4 to 7 are {data[4:8]!r}, not {_IDENTIFIER!r}"
        )
    buffer = Buffer(data, name=str(path))
    model = buffer.root
    blobs = [_blob(table, buffer) for table in model.tables(4)]
    codes = [_operator_code(table) for table in model.tables(1)]
    subgraphs = tuple(_subgraph(table, buffer, codes, blobs) for table in model.tables(2))
    if not subgraphs or not subgraphs[0].inputs or not subgraphs[0].outputs:
        raise buffer.damaged("it has no graph with an input and an output")
    described = [table.scalar(1, "I") for table in model.tables(6) if table.text(0) == _METADATA_NAME]
    block = blobs[described[0]] if described and described[0] < len(blobs) else memoryview(b"")
    return Graph(subgraphs, len(data), read_metadata(block, data, name=str(path)))


def _blob(table: Table, buffer: Buffer) -> memoryview:
    """A buffer's bytes, inside the flatbuffer or, as large models have it, after it."""
    offset = table.scalar(1, "Q")
    return buffer.span(offset, table.scalar(2, "Q")) if offset > 1 else table.blob(0)


def _operator_code(table: Table) -> tuple[str, bool]:
    import tflite

    # The 8-bit field came first; codes beyond 127 stand in the later one (schema version 3a).
    code = max(table.scalar(0, "b"), table.scalar(3, "i"))
    if code == _CUSTOM:
        return table.text(1) or "(unnamed custom operator)", True
    names: dict[int, str] = tflite.BUILTIN_OPCODE2NAME
    return names.get(code, f"BUILTIN_{code}"), False


def _subgraph(
    table: Table, buffer: Buffer, codes: list[tuple[str, bool]], blobs: list[memoryview]
) -> Subgraph:
    tensors = tuple(_tensor(entry, buffer, blobs) for entry in table.tables(0))
    steps = []
    for entry in table.tables(3):
        index = entry.scalar(0, "I")
        if index >= len(codes):
            raise buffer.damaged(f"an operator has code {index} of {len(codes)}")
        name, custom = codes[index]
        steps.append(Operator(name, custom, entry.scalars(1, "i"), entry.scalars(2, "i")))
    graph = Subgraph(tensors, tuple(steps), table.scalars(1, "i"), table.scalars(2, "i"))
    for index in (*graph.inputs, *graph.outputs):
        if graph.tensor(index) is None:
            raise buffer.damaged(f"an input or output is tensor {index} of {len(tensors)}")
    return graph


def _tensor(table: Table, buffer: Buffer, blobs: list[memoryview]) -> Tensor:
    index = table.scalar(2, "I")
    if index >= len(blobs):
        raise buffer.damaged(f"a tensor's values are in buffer {index} of {len(blobs)}")
    quantization = table.table(4)
    return Tensor(
        name=table.text(3),
        shape=table.scalars(0, "i"),
        signature=table.scalars(7, "i"),
        dtype=_dtype_names().get(table.scalar(1, "b"), "unknown"),
        scales=quantization.scalars(2, "f") if quantization else (),
        zero_points=quantization.scalars(3, "q") if quantization else (),
        axis=quantization.scalar(6, "i") if quantization else 0,
        constant_bytes=len(blobs[index]),
    )


@cache
def _dtype_names() -> dict[int, str]:
    import tflite

    return {code: name.lower() for name, code in vars(tflite.TensorType).items() if name.isupper()}
