"""Where the default configuration and the shipped models lie."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_folder() -> Path:
    """The folder that holds `config.yaml` and `models/`.

    In an installed wheel that is `edgecam/shipped`; in a development install, the top of the checkout.
    """
    inside = _PACKAGE / "shipped"
    return inside if inside.is_dir() else _PACKAGE.parent
