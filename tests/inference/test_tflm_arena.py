"""How much memory TFLite Micro takes is measured by itself, in a process that it may end."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from make_tiny_model import Tiny

from edgecam.errors import EngineError
from edgecam.inference.tflm_arena import measure_arena

NO_MICRO = "no TFLite Micro here: it is for 64-bit x86"


@pytest.fixture
def model(tiny: ModuleType, tmp_path: Path) -> Path:
    """A bare int8 model."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(Tiny(dtype="int8")))
    return path


def pretend(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TFLite Micro whose interpreter does something else, also where the real one lies beside edgecam."""
    site = folder / "site"
    place = site / "pretended" / "python" / "tflite_micro"
    place.mkdir(parents=True)
    for parent in (place, place.parent):
        (parent / "__init__.py").write_text("", encoding="utf-8")
    (place / "runtime.py").write_text(body, encoding="utf-8")
    (site / "sitecustomize.py").write_text(
        "import sys, types\n"
        "module = sys.modules['tflite_micro'] = types.ModuleType('tflite_micro')\n"
        f"module.__path__ = [{str(site / 'pretended')!r}]\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(site))


def test_an_arena_is_what_it_took_and_a_little_more(model: Path) -> None:
    """Whole KiB, a tenth more than measured: as small as can be told, and it has run in that."""
    pytest.importorskip("tflite_micro", reason=NO_MICRO)
    arena = measure_arena(model)
    assert 192 < arena.used_bytes < 20_000  # at least the picture itself
    assert arena.bytes % 1024 == 0
    assert 1.1 * arena.used_bytes <= arena.bytes <= 1.1 * arena.used_bytes + 1024


def test_a_refusal_is_told_in_micros_own_words(tiny: ModuleType, tmp_path: Path) -> None:
    """Its exception says nothing, its first line on stderr says why."""
    pytest.importorskip("tflite_micro", reason=NO_MICRO)
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(Tiny(dtype="uint8")))
    with pytest.raises(EngineError, match=r"net.tflite: TFLite Micro fails in \d+ bytes: .*UINT8"):
        measure_arena(path)


def test_an_abort_ends_the_child_alone(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends its process on what it does not know."""
    pretend(tmp_path, "import os\nos.abort()\n", monkeypatch)
    with pytest.raises(EngineError, match="TFLite Micro ended by signal 6"):
        measure_arena(model)


def test_without_micro_the_remedy_is_named(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra, and for one kind of machine."""
    pretend(tmp_path, "raise ImportError('no such package')\n", monkeypatch)
    with pytest.raises(
        EngineError, match=r"is not installed \(no such package\): `pip install 'edgecam\[tflm"
    ):
        measure_arena(model)
