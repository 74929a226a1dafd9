"""From valid configuration files to what tired hands, broken editors and jokers make of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).parents[2]
_RICH = """
device: porch-1
budget_ms: 500
cameras:
  porch: {source: "rtsp://bob:secret@camera.example/live", roi: [0.1, 0, 0.5, 1], model: [default, light],
          smoothing_s: 2, schedule: [mon-fri 07:30-18:00, "22:00-06:00"],
          watch: {cat: {enter: 0.7, exit: 0.3, hold_s: 5}, dog: {}}}
  door: {source: "http://camera.example/stream", gate: motion, ignore: [window screen], fps: 10}
  shelf: {source: "picamera2:0", controls: {AfMode: 2, AwbEnable: true}, rotate: 90, flip: both, max_fps: 2.5}
models:
  default: {path: efficientnet_lite0_int8, threads: 2, groups: {my pets: [tabby, beagle]}}
mqtt:
  url: mqtts://broker.example:8883
  base: house/cameras
  username: porch
  outbox: {path: outbox.sqlite3, max_events: 100}
  home_assistant: {enabled: true}
log: {level: debug, format: json}
"""
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**30, 1e308, -1e-308, float("nan"), float("inf"), "", " ", "null",
    "auto", "x" * 5000, "\0", "\x1b[31m", "ü\u2028\u202e", "\U0001f408", "../../etc/passwd", "/",
    "/dev/zero", "/dev/full", "/proc/self/mem", "/dev/tty", "a\nb", "{{}}", "$HOME", "mqtt://",
    "mqtt://[::1", "mqtt://host:99999", "wss://h/\u00e4", "http://%zz@/", "rtsp://u:p@:0/",
    "embedded://999.1.1.1:0", "file:", "images:.", "pattern:", "v4l2:/dev/null", "picamera2:-1",
    "25:00-99:99", "mon-sun", "00:00-00:00", "cat", "tabby", [], {}, [[]], [None], [0.5] * 4, [1, 1],
    [640, 480], [10**9, 16], {"": ""}, {"cat": None}, {"cat": {"enter": 0.1, "exit": 0.9}},
    {"a.b": {"c": 1}}, ["default"] * 9, ["light", "default"],
)  # fmt: skip
_WORDS = (
    "\t", "\n", ": ", ":", "[", "]", "{", "}", "&a ", "*a", "- ", "? ", "| ", "> ", "!x ",
    "!!python/object/apply:os.system ", '"', "'", "#", "%YAML 9.9\n---\n", "---\n", "...\n", "<<: *a\n",
    "\\U00110000", '"\\ud800"', "\ufeff", "\x85", "\r", "\x00", "0x", "0o8", "1e9999", "9" * 5000, ".nan",
    "~", "on", "12:30", "@", "`", "\u2028", "cameras:\n", "  main:\n",
)  # fmt: skip
_BOMBS: tuple[Callable[[int], str], ...] = (
    lambda size: "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n},' * 9}]\n" for n in range(size)),
    lambda size: "watch: &w {a: *w}\n" * min(size, 2),
    lambda size: "a: " + "[" * 400 * size,
    lambda size: "a: " + "{b: " * 300 * size + "1" + "}" * 300 * size,
    lambda size: "".join(f"k{n}: {{}}\n" for n in range(700 * size)),
    lambda size: "cameras:\n" + "".join(f"  c{n}: {{fps: x}}\n" for n in range(100 * size)),
    lambda size: "device: " + "y" * 60_000 * size + "\n",
    lambda size: "- " * 2000 * size,
    lambda size: "? " * 200 * size,
    lambda size: "#" * 60_000 * size + "\n",
    lambda size: '"' + "\\" * 20_000 * size,
    lambda size: ("&" + "b" * 50 + " ") * 50 * size + "\n",
)


def seeds() -> list[str]:
    """Valid files: every key with its default, the demo's without its recording, and a bit of everything."""
    default, demo = (
        (_ROOT / name).read_text("utf-8") for name in ("config.yaml", "scripts/demo_data/demo.yaml")
    )
    return [default, demo.replace("file:recording.webm", '"pattern:"'), _RICH]


def mutated_config(text: str, rng: random.Random) -> bytes:
    """The file, hurt in its structure, in its text, in its bytes, or in several ways."""
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        text = _restructured(text, rng)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        text = rng.choice(_TEXT_WAYS)(text, rng)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 1 / 8:
        content = _flipped(content, rng)
    return content


def _restructured(text: str, rng: random.Random) -> str:
    """Another value, another key, or one less, somewhere in the tree: most of the file stays valid."""
    try:
        tree = yaml.safe_load(text)
        if not isinstance(tree, dict) or not tree:
            return text
        _change(tree, rng)
        return yaml.safe_dump(tree, allow_unicode=True, default_flow_style=rng.choice((None, False, True)))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        # What was hurt before is no YAML any more, or none that Python's reader takes.
        return text


def _change(tree: Any, rng: random.Random) -> None:
    node = tree
    while True:
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        child = node[key]
        if not isinstance(child, dict | list) or not child or rng.random() < 1 / 5:
            break
        node = child
    way = rng.randrange(8)
    if way == 0:
        del node[key]
    elif way == 1 and isinstance(node, dict):
        node[rng.choice(("", "<<", "info", "x" * 300, 7, None, True, "bugdet_ms", "a.b", "\x1b"))] = child
    elif way == 2 and isinstance(node, dict):  # noqa: PLR2004 - one of the eight
        # The key moves into another place of the tree.
        tree[key] = node.pop(key)
    elif way == 3:  # noqa: PLR2004
        node[key] = [child] if rng.random() < 1 / 2 else {str(key): child}
    else:
        node[key] = rng.choice(_VALUES)


def _word(text: str, rng: random.Random) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice(_WORDS) + text[at:]


def _cut(text: str, rng: random.Random) -> str:
    start = rng.randint(0, len(text))
    return text[:start] + text[start + rng.randint(0, 40) :]


def _indented(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    lines[at] = lines[at].lstrip() if rng.random() < 1 / 3 else " " * rng.randint(1, 3) + lines[at]
    return "\n".join(lines)


def _twice(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    start = rng.randrange(len(lines))
    part = lines[start : start + rng.randint(1, 5)]
    at = rng.randrange(len(lines))
    return "\n".join(lines[:at] + part + lines[at:])


def _bomb(text: str, rng: random.Random) -> str:
    bomb = rng.choice(_BOMBS)(rng.choice((1, 2, 9, 20)))
    return bomb if rng.random() < 1 / 2 else text + "\n" + bomb


# A bomb in each fiftieth text: they are few, and take their time.
_TEXT_WAYS: tuple[Callable[[str, random.Random], str], ...] = (_word, _cut, _indented, _twice) * 12 + (_bomb,)


def _flipped(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.randint(1, 4) if data else 0):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)
