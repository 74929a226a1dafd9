"""A card as `card.yaml` has it: what `read_card` reads again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from edgecam.model.card import SCHEMA, Card

_COLUMNS = 110


def card_text(card: Card) -> str:
    """The text of a `card.yaml`; what is not known is left out."""
    words = {
        "schema": SCHEMA,
        "name": card.name,
        "description": card.description,
        "file": card.file,
        "sha256": card.sha256,
        "input": {
            "width_px": card.input.width_px,
            "height_px": card.input.height_px,
            "mean": _numbers(card.input.mean),
            "std": _numbers(card.input.std),
            "fit": str(card.input.fit),
            "crop_fraction": card.input.crop_fraction,
            "color": str(card.input.color),
        },
        "output": {"kind": str(card.output.kind), "background_offset": card.output.background_offset},
        "licence": card.licence,
        "source": card.source,
        "parameters": card.parameters,
        "macs": card.macs,
        "self_test": None if card.self_test is None else {"top5": list(card.self_test.top5)},
        "twins": {name: {"file": twin.file, "sha256": twin.sha256} for name, twin in card.twins.items()},
    }
    known = {key: value for key, value in words.items() if value not in (None, {}, "")}
    text: str = yaml.safe_dump(
        known, sort_keys=False, allow_unicode=True, width=_COLUMNS, default_flow_style=None
    )
    return text


def _numbers(values: Sequence[float]) -> Any:
    """One number for all channels, or a list of them."""
    plain = [int(value) if value == int(value) else value for value in values]
    return plain[0] if len(plain) == 1 else plain
