"""A uint8-in, uint8-out build of an int8 model: MediaPipe Tasks refuses signed inputs.

The network is not touched. A QUANTIZE operator in front takes uint8 to int8, one behind takes it back;
both keep the scale and move the zero point by 128, which is exact: every answer stays what it was.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ai_edge_litert import schema_py_generated as schema

from edgecam.compress.flatfile import pack, tidy

_SHIFT = 128
_LABELS_AND_GROUPS = ("labels.txt", "groups.yaml")


def uint8_build(tflite: bytes) -> bytes:
    """The same network with uint8 tensors at both ends.

    Raises:
        ValueError: its input or output is not int8.
    """
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    (graph,) = model.subgraphs
    code = len(model.operatorCodes)
    model.operatorCodes.append(_quantize_code())
    given, made = int(graph.inputs[0]), int(graph.outputs[0])
    outer_given, outer_made = _add_unsigned_twin(graph, given), _add_unsigned_twin(graph, made)
    graph.operators = [
        _operator(code, outer_given, given),
        *graph.operators,
        _operator(code, made, outer_made),
    ]
    graph.inputs, graph.outputs = [outer_given], [outer_made]
    model.signatureDefs = None  # they name the inner tensors
    return tidy(pack(model, tflite))


def write_uint8_package(source: Path, folder: Path) -> Path:
    """Write a model directory anew with the uint8 build in it; returns its `.tflite` file."""
    folder.mkdir(parents=True, exist_ok=True)
    card = yaml.safe_load((source / "card.yaml").read_text(encoding="utf-8"))
    tflite = uint8_build((source / card["file"]).read_bytes())
    card |= {"name": f"{card['name']}_uint8_ends", "sha256": hashlib.sha256(tflite).hexdigest()}
    (folder / "card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    for name in _LABELS_AND_GROUPS:
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)
    file = folder / str(card["file"])
    file.write_bytes(tflite)
    return file


def _quantize_code() -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    return code


def _operator(code: int, given: int, made: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = [given], [made]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator


def _add_unsigned_twin(graph: Any, number: int) -> int:
    """Append a uint8 tensor that holds the same real values as an int8 one; returns its number."""
    inner = graph.tensors[number]
    if inner.type != schema.TensorType.INT8:
        raise ValueError(f"tensor {inner.name!r} is not int8: only an int8 model has a uint8 build")
    outer = copy.deepcopy(inner)
    outer.type = schema.TensorType.UINT8
    outer.quantization.zeroPoint = np.asarray(inner.quantization.zeroPoint) + _SHIFT
    graph.tensors.append(outer)
    return len(graph.tensors) - 1


def main() -> None:
    """Build one by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the directory of an int8 model")
    parser.add_argument("folder", type=Path, help="the directory to write")
    print(write_uint8_package(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
