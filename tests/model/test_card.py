"""The model card: read strictly, refused with file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.errors import ModelError
from edgecam.model.card import Channels, Fit, InputCard, OutputKind, Twin, read_card

FULL = f"""\
schema: 1
name: lite0
description: Names 1000 things
file: net.tflite
sha256: {"AB" * 32}
input:
  width_px: 224
  height_px: 192
  mean: [123.7, 116.3, 103.5]
  std: [58, 57, 57.5]
  fit: letterbox
  crop_fraction: 0.875
  color: bgr
output:
  kind: logits
  background_offset: 1
licence: Apache-2.0
source: somewhere
parameters: 4631000
macs: 385190000
self_test:
  top5: [3, 1, 4, 15, 9]
twins:
  coral: {{file: net_edgetpu.tflite, sha256: {"CD" * 32}}}
"""
LEAST = f"""\
name: n
sha256: {"a" * 64}
input: {{width_px: 8, height_px: 8, mean: 127.5, std: 127.5}}
output: {{kind: probabilities}}
licence: MIT
source: s
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "card.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_of_a_card_is_read(tmp_path: Path) -> None:
    """Nothing that the card says is lost or changed."""
    card = read_card(_write(tmp_path, FULL))
    assert card.input == InputCard(
        width_px=224,
        height_px=192,
        mean=(123.7, 116.3, 103.5),
        std=(58.0, 57.0, 57.5),
        fit=Fit.LETTERBOX,
        crop_fraction=0.875,
        color=Channels.BGR,
    )
    assert (card.output.kind, card.output.background_offset) == (OutputKind.LOGITS, 1)
    assert (card.name, card.file, card.sha256) == ("lite0", "net.tflite", "ab" * 32)
    assert (card.licence, card.source, card.description) == ("Apache-2.0", "somewhere", "Names 1000 things")
    assert (card.parameters, card.macs) == (4631000, 385190000)
    assert card.self_test is not None
    assert card.self_test.top5 == (3, 1, 4, 15, 9)
    assert card.twins == {"coral": Twin("net_edgetpu.tflite", "cd" * 32)}


def test_a_short_card_takes_the_documented_defaults(tmp_path: Path) -> None:
    """What may be left out has one meaning."""
    card = read_card(_write(tmp_path, LEAST))
    assert card.file == "model.tflite"
    assert card.input.mean == (127.5,)
    assert (card.input.fit, card.input.crop_fraction, card.input.color) == (Fit.CROP, 1.0, Channels.RGB)
    assert card.output.background_offset == 0
    assert (card.parameters, card.macs, card.self_test) == (None, None, None)
    assert card.twins == {}


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("  fit: letterbox", "  fitt: letterbox", 11, "input.fitt: is not known; did you mean 'fit'?"),
        ("licence:", "color: 3\nlicence:", 17, "color: is not known; known here: schema, name"),
        (
            "  fit: letterbox",
            "  fit: stretch",
            11,
            "input.fit: expected one of crop, squash, letterbox, found",
        ),
        ("  width_px: 224\n", "", 6, "input.width_px: is missing; add it"),
        ("  width_px: 224", "  width_px: '224'", 7, "input.width_px: expected a whole number"),
        ("  width_px: 224", "  width_px: true", 7, "input.width_px: expected a whole number"),
        ("  width_px: 224", "  width_px: 0", 7, "input.width_px: expected a whole number of at least 1"),
        ("[58, 57, 57.5]", "[58, 57]", 10, "input.std: expected 1 or 3 numbers, found [58, 57]"),
        ("[58, 57, 57.5]", "[58, 0, 57]", 10, "input.std: holds a 0"),
        ("[58, 57, 57.5]", "[58, .nan, 57]", 10, "input.std: expected 1 or 3 numbers"),
        ("0.875", "1.5", 12, "input.crop_fraction: expected a number above 0 and up to 1, found 1.5"),
        ("0.875", "much", 12, "input.crop_fraction: expected a number, found 'much'"),
        ("bgr", "gray", 10, "input.std: expected 1 numbers"),
        ("offset: 1", "offset: 2", 16, "output.background_offset: expected 0 or 1, found 2"),
        ("AB" * 32, "AB" * 31, 5, "sha256: expected 64 hexadecimal digits"),
        ("net.tflite", "../net.tflite", 4, "file: expected a file name inside the model directory"),
        ("schema: 1", "schema: 2", 1, "schema: is 2, but this edgecam reads 1; update edgecam"),
        ("net_edgetpu.tflite", "a/b", 24, "twins.coral.file: expected a file name inside"),
        ("CD" * 32, "CD", 24, "twins.coral.sha256: expected 64 hexadecimal digits"),
        ("file: net_edgetpu", "fil: net_edgetpu", 24, "twins.coral.fil: is not known; did you mean 'file'?"),
        ("[3, 1, 4, 15, 9]", "[3, 3]", 22, "self_test.top5: has 3 twice"),
        ("[3, 1, 4, 15, 9]", "[1, 2, 3, 4, 5, 6]", 22, "self_test.top5: expected at most 5"),
        ("[3, 1, 4, 15, 9]", "[-1]", 22, "self_test.top5: expected a list of class indices"),
        ("name: lite0", "name: lite0\nname: lite1", 3, "name: is given twice, first in line 2"),
        ("name: lite0", "name: ''", 2, "name: expected text, found ''"),
        ("name: lite0", "name: 2026-02-30", 2, "name: cannot be read"),
        ("source: somewhere", "source: [", 20, "is not valid YAML"),
    ],
)
def test_a_fault_is_told_with_line_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    """A card's author finds the fault without reading our code."""
    path = _write(tmp_path, FULL.replace(old, new, 1))
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert str(caught.value).startswith(f"{path}:{line}: {said}")


def test_a_card_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes of another encoding are named as such, not shown as a traceback."""
    path = tmp_path / "card.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ModelError, match="is not UTF-8 text"):
        read_card(path)


def test_an_empty_card_is_refused(tmp_path: Path) -> None:
    """An empty file is a fault of its own, not a missing key."""
    with pytest.raises(ModelError, match="is empty"):
        read_card(_write(tmp_path, "# nothing\n"))


def test_a_list_is_no_card(tmp_path: Path) -> None:
    """The top of the file must be keys and values."""
    with pytest.raises(ModelError, match=r"card.yaml:1: expected keys and values"):
        read_card(_write(tmp_path, "- name\n"))
