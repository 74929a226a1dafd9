"""One whole inference against reference values: a photograph in, labels and scores out."""

from __future__ import annotations

import json

import pytest
from program import PHOTOS, edgecam

# The shipped int8 model on these two photographs. Runtimes and OpenCV versions may differ by a level here and
# there, so scores are allowed 0.02.
REFERENCE = {
    "cat.jpg": {"Egyptian cat": 0.388, "tiger cat": 0.363, "tabby": 0.176, "lynx": 0.018},
    "espresso.jpg": {"espresso": 0.866, "consomme": 0.040, "tea cup": 0.022, "chocolate sauce": 0.010},
}


def test_the_shipped_model_names_the_photographs_as_it_should() -> None:
    """Preprocessing, network and postprocessing together give the reference's labels and scores."""
    done = edgecam("classify", "--json", *(PHOTOS / name for name in REFERENCE))
    assert done.code == 0, done.err
    for line in done.out.splitlines():
        said = json.loads(line)
        expected = REFERENCE[said["file"].rsplit("/", 1)[1]]
        top = {entry["label"]: entry["score"] for entry in said["top"]}
        assert next(iter(top)) == next(iter(expected))
        assert {label: top.get(label, 0.0) for label in expected} == pytest.approx(expected, abs=0.02)
    assert len(done.out.splitlines()) == len(REFERENCE)
