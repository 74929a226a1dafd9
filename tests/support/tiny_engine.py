"""Makes an installed package that brings an engine: a module, and the metadata that names it to others."""

from __future__ import annotations

import sys
from pathlib import Path

_MODULE = """\
import sys

import numpy as np

from edgecam.inference.engine import EngineInfo
from edgecam.records import TensorSpec

{top}


class Abacus:
    input = TensorSpec("picture", (1, 8, 8, 3), "uint8", 1 / 128, 128)
    output = TensorSpec("scores", (1, 4), "uint8", 1 / 256, 0)
    info = EngineInfo("abacus", "1.0", "cpu", 1)
    {body}

    def invoke(self, tensor, /):
        return {answer}

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def open_abacus(request):
    {opener}
"""


def install(
    folder: Path,
    *,
    name: str = "abacus",
    answer: str = "np.array([200, 40, 10, 6], np.uint8)",
    opener: str = "return Abacus()",
    top: str = "",
    body: str = "pass",
) -> None:
    """Write the package into a folder, as an installer would.

    Args:
        folder: is to be on Python's path.
        name: of its engine.
        answer: what it says of every picture, as an expression.
        opener: what its opener does.
        top: what is done while it is imported.
        body: what stands in its class, after `input`, `output` and `info`.
    """
    sys.modules.pop("abacus", None)
    metadata = folder / "abacus-1.0.dist-info"
    metadata.mkdir(parents=True)
    module = _MODULE.format(top=top, answer=answer, opener=opener, body=body)
    (folder / "abacus.py").write_text(module, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus\nVersion: 1.0\n", "utf-8")
    point = f"[edgecam.engines]\n{name} = abacus:open_abacus\n"
    (metadata / "entry_points.txt").write_text(point, encoding="utf-8")
