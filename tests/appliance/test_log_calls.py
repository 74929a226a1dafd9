"""The shape of what the program logs, read from its source."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "edgecam"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
# A constant phrase, then key=value; `size=%dx%d` is one value.
SHAPE = re.compile(r"[^%=]*[^%= ]( \w+=%[-.0-9]*[sdrfg]([x/]%d)*)*")
# One thing, told from the two places where it can happen.
TWICE = {"cannot go on", "episode end"}


def calls() -> Iterator[tuple[str, ast.expr]]:
    """Where each call of a logger stands, and the expression of its message."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in LEVELS:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.args[level == "log"]


def test_a_message_is_a_constant_phrase_and_then_keys_with_values() -> None:
    """So that it can be searched for, counted, and taken apart by a collector."""
    texts = {place: expr.value if isinstance(expr, ast.Constant) else None for place, expr in calls()}
    assert len(texts) > 40
    assert [place for place, text in texts.items() if not SHAPE.fullmatch(str(text))] == []


def test_each_phrase_belongs_to_one_place() -> None:
    """Whoever finds it in a log finds where it comes from."""
    texts = [str(expr.value) for _, expr in calls() if isinstance(expr, ast.Constant)]
    phrases = Counter(text.split("%")[0].rpartition(" ")[0] if "%" in text else text for text in texts)
    assert {phrase for phrase, count in phrases.items() if count > 1} <= TWICE
