"""Builds the test's delegate with gcc, and tells it what to do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parent / "delegate" / "moody_delegate.c"


class MoodyDelegate:
    """The library and its control file; see `moody_delegate.c` for the moods."""

    def __init__(self, folder: Path) -> None:
        gcc = shutil.which("gcc")
        if gcc is None:
            pytest.skip("the test's delegate is built with gcc, which is not installed")
        self.library = folder / "libmoody.so"
        self.control = folder / "mood"
        subprocess.run(
            [
                gcc,
                "-Wall",
                "-Wextra",
                "-Werror",
                "-O2",
                "-shared",
                "-fPIC",
                "-o",
                self.library,
                _SOURCE,
                "-lm",
            ],
            check=True,
        )

    def tell(self, mood: str) -> None:
        """From its next step on; in one piece, as it may be reading."""
        draft = self.control.with_suffix(".new")
        draft.write_text(mood + "\n", encoding="utf-8")
        draft.replace(self.control)
