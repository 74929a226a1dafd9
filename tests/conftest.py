"""Fixtures that several rooms' tests share; the helpers they import lie in tests/support."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import make_tiny_model
import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The program's own tests first: they take longest, and no run should wait for a last one of them."""
    items.sort(key=lambda item: "system" not in item.path.parts)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Models and pictures that are not part of the project; skips aloud when they are not there."""
    folder = os.environ.get("EDGECAM_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("EDGECAM_TEST_DATA names no folder with the real models and pictures: not checked here")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The maker of small real models: `tiny.make(tiny.Tiny(dtype="int8"))` gives a `.tflite` file's bytes."""
    return make_tiny_model
