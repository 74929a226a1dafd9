"""Subjects, and the files of a made machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecam.config.loader import load_config
from edgecam.doctor.subject import Subject

MakeSubject = Callable[..., Subject]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """An empty root: no devices, no programs."""
    root = tmp_path / "machine"
    root.mkdir()
    return root


@pytest.fixture
def subject(tmp_path: Path, machine: Path) -> MakeSubject:
    """`subject(mqtt={…})`: a device `box` with a pattern for a camera, on the made machine."""

    def make(*, root: Path = machine, environ: dict[str, str] | None = None, **config: Any) -> Subject:
        whole = {"device": "box", "cameras": {"main": {"source": "pattern:"}}, **config}
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps(whole), encoding="utf-8")
        environ = {"STATE_DIRECTORY": str(tmp_path / "state")} if environ is None else environ
        loaded = load_config(path, environ=environ)
        return Subject(environ, loaded, root=root)

    return make
