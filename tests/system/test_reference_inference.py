"""One whole inference against reference values: a photograph in, labels and scores out."""

from __future__ import annotations

import json

import pytest
from program import PHOTOS, edgecam

# The shipped int8 model on two photographs; the same with every runtime and OpenCV to 0.02. Three kinds of
# cat share the first one: one step of an int8 output moves 0.026 from one to another (tflite-runtime), so
# they count together, as their group does.
REFERENCE: dict[str, dict[tuple[str, ...], float]] = {
    "cat.jpg": {("Egyptian cat", "tiger cat", "tabby"): 0.927, ("lynx",): 0.018},
    "espresso.jpg": {("espresso",): 0.866, ("consomme",): 0.040, ("tea cup",): 0.022},
}


@pytest.mark.parametrize("name", REFERENCE)
def test_the_shipped_model_names_the_photographs_as_it_should(name: str) -> None:
    """Preprocessing, network and postprocessing together give the reference's labels and scores."""
    done = edgecam("classify", "--json", PHOTOS / name)
    assert done.code == 0, done.err
    top = {entry["label"]: entry["score"] for entry in json.loads(done.out)["top"]}
    expected = REFERENCE[name]
    assert next(iter(top)) in next(iter(expected))
    seen = {labels: sum(top.get(label, 0.0) for label in labels) for labels in expected}
    assert seen == pytest.approx(expected, abs=0.02)
