"""Several settings of one configuration: every combination of what `--vary` lists. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from edgecam.errors import UsageError

MOST_VARIANTS = 500

Variant = dict[str, str]
"""Dotted key to its value, as `--set` takes them."""


def variants_of(vary: Sequence[str]) -> list[Variant]:
    """All combinations; of nothing, the one that changes nothing.

    Args:
        vary: each `key=value,value,…`; a value with commas of its own stands in brackets, braces or quotes.

    Raises:
        UsageError: one is not of that form, a key comes twice, or there are too many combinations.
    """
    keys: list[str] = []
    lists: list[list[str]] = []
    for text in vary:
        key, equals, rest = text.partition("=")
        values = [value.strip() for value in _split(rest)]
        if not equals or not key.strip() or not all(values):
            raise UsageError(
                f"--vary: expected key=value,value such as cameras.main.smoothing_s=0.2,0.5,1, got {text!r}"
            )
        if key.strip() in keys:
            raise UsageError(f"--vary: {key.strip()} comes twice; write all its values into one list")
        keys.append(key.strip())
        lists.append(list(dict.fromkeys(values)))
    count = 1
    for values in lists:
        count *= len(values)
    if count > MOST_VARIANTS:
        raise UsageError(f"--vary: {count} combinations are too many; {MOST_VARIANTS} at most")
    return [dict(zip(keys, values, strict=True)) for values in product(*lists)]


def _split(text: str) -> Iterator[str]:
    """At the commas that stand in no brackets, braces or quotes."""
    depth, quote, start = 0, "", 0
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        elif sign == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
