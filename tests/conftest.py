"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Models and pictures that are not part of the project; skips aloud when they are not there."""
    folder = os.environ.get("EDGECAM_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("EDGECAM_TEST_DATA names no folder with the real models and pictures: not checked here")
    return Path(folder)
