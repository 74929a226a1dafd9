"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

# Helpers of the publish room (a real broker, a listener, records) that other rooms' tests use, too.
sys.path.append(str(Path(__file__).parent / "publish"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Models and pictures that are not part of the project; skips aloud when they are not there."""
    folder = os.environ.get("EDGECAM_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("EDGECAM_TEST_DATA names no folder with the real models and pictures: not checked here")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny() -> Iterator[ModuleType]:
    """The maker of small real models: `tiny.make(tiny.Tiny(dtype="int8"))` gives a `.tflite` file's bytes."""
    folder = str(Path(__file__).parent / "model")
    sys.path.insert(0, folder)
    yield importlib.import_module("make_tiny_model")
    sys.path.remove(folder)
