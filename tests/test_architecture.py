"""The plan of the house, checked from the code's own imports.

Words ← pure ← doors ← engine ← front. docs/architecture.md explains the table; this file enforces it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import edgecam

PACKAGE = Path(edgecam.__file__).parent


@dataclass(frozen=True)
class Room:
    """What the modules of a room may import besides themselves and the standard library."""

    rooms: frozenset[str]
    outside: frozenset[str]


def room(rooms: str = "", outside: str = "") -> Room:
    """A room, from words with blanks between."""
    return Room(frozenset(rooms.split()), frozenset(outside.split()))


# In the order of a frame's life; imports run only leftwards, and no door imports another room's door.
ROOMS = {
    "errors": room(),
    "records": room(outside="numpy"),
    "reports": room("records"),
    "broker_url": room(),
    "tls": room(),
    "config": room("errors broker_url tls", "pydantic pydantic_core yaml"),
    "backoff": room(),
    "clock": room("records"),
    "capture": room("records errors config", "numpy cv2 picamera2 libcamera"),
    "model": room("records errors config", "numpy yaml tflite"),
    "vision": room("records model", "numpy cv2"),
    "inference": room(
        "records errors model vision", "numpy ai_edge_litert tflite_runtime onnxruntime tflite_micro"
    ),
    "decision": room("records", "numpy"),
    "publish": room("records reports errors backoff broker_url tls", "paho amqtt pydantic"),
    "appliance": room("records reports errors", "prometheus_client"),
    "history": room(),
    "pipeline": room(
        "records reports errors broker_url tls config backoff clock capture model vision inference decision"
        " publish appliance history",
        "numpy cv2",
    ),
    "measure": room(
        "records reports errors config clock capture model vision inference publish appliance pipeline",
        "numpy",
    ),
    "evaluation": room(
        "records reports errors config clock capture model vision inference decision pipeline measure",
        "numpy cv2 dask distributed",
    ),
    "compress": room(
        "records errors config model vision inference measure evaluation",
        "numpy cv2 yaml pydantic pydantic_core torch torch_pruning litert_torch ai_edge_quantizer"
        " ai_edge_litert flatbuffers safetensors matplotlib tflite",
    ),
    "doctor": room(
        "reports errors broker_url tls config clock capture model inference publish appliance pipeline"
    ),
    "client": room("records reports errors tls config publish", "paho"),
    "commands": room(
        "records reports errors tls config clock capture model vision inference decision publish appliance"
        " history pipeline client measure doctor evaluation compress broker_url backoff",
        "numpy rich",
    ),
    "cli_options": room("errors", "typer"),
    "cli_models": room("errors commands cli_options", "typer"),
    "cli_training": room("errors commands cli_options", "typer"),
    "cli_compress": room("errors commands cli_options cli_training", "typer"),
    "cli_eval": room("errors commands cli_options", "typer"),
    "cli_bench": room("commands cli_options"),
    "cli": room("errors commands cli_options cli_models cli_compress cli_eval cli_bench", "typer"),
    "__main__": room("errors cli"),
    "__init__": room(),
}

# Pure: no clock, file, environment, thread, chance or logger; whatever they need is an argument.
PURE = (
    "broker_url", "records", "reports", "vision", "decision", "capture.picture_size",
    "config.schema", "config.source",
    "config.rules", "config.hours", "config.changes", "model.card", "model.model", "model.catalogue",
    "model.card_text", "model.network", "model.counts", "model.layers", "model.arena", "model.conditions",
    "model.coverage", "model.supported", "model.onnx_call", "model.onnx_moves", "model.onnx_rules",
    "model.onnx_shapes", "model.onnx_values", "publish.topics",
    "publish.messages",
    "publish.drafts", "publish.wire", "publish.received", "publish.commands", "publish.pulse",
    "pipeline.scheduler",
    "pipeline.freshness", "pipeline.estimate", "pipeline.deadline", "pipeline.strain",
    "publish.discovery", "publish.entities", "pipeline.announcing",
    "pipeline.vitality", "history.shelf", "inference.thread_rule",
    "pipeline.rhythm", "pipeline.ladder", "pipeline.trace_format", "measure.figures", "measure.advice",
    "measure.compare", "publish.fleet", "publish.repeats",
    "evaluation.intervals", "evaluation.metrics", "evaluation.calibration", "evaluation.thresholds",
    "evaluation.pairing", "evaluation.replay", "evaluation.scores", "evaluation.truth",
)  # fmt: skip
IMPURE_MODULES = {
    "asyncio", "io", "logging", "multiprocessing", "os", "queue", "random", "secrets", "select", "shutil",
    "signal", "socket", "subprocess", "tempfile", "threading", "time", "uuid",
}  # fmt: skip
IMPURE_CALLS = frozenset({"open", "now", "utcnow", "today", "read_text", "read_bytes", "write_text", "print"})
# The card is read by its own words' module; the file is named by the caller.
PURE_READERS = {"model.card"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package: dotted name without `edgecam.`, and its tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Full names of all that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(name: str, tree: ast.Module) -> list[str]:
    """What a module imports and its room may not."""
    own = name.split(".", maxsplit=1)[0]
    allowed = ROOMS[own]
    found = []
    for full in imported(tree):
        top, _, rest = full.partition(".")
        if top == "edgecam":
            other = rest.split(".")[0]
            # `from edgecam import __version__` or `import edgecam`: the version, which everyone may tell.
            if other in ROOMS and other not in {own, "__init__", *allowed.rooms}:
                found.append(f"edgecam.{name} imports the room {other}")
        elif top not in sys.stdlib_module_names and top not in allowed.outside:
            found.append(f"edgecam.{name} imports the outside library {top}")
    return found


def impurities(name: str, tree: ast.Module) -> list[str]:
    """What a pure module does that depends on more than its arguments."""
    if not any(name == pure or name.startswith(f"{pure}.") for pure in PURE):
        return []
    found = [
        f"edgecam.{name} is pure and imports {full}"
        for full in imported(tree)
        if full.split(".", maxsplit=1)[0] in IMPURE_MODULES or f"{full}.".startswith("edgecam.clock.")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name not in PURE_READERS:
            function = node.func
            called = getattr(function, "id", None) or getattr(function, "attr", None)
            if called in IMPURE_CALLS:
                found.append(f"edgecam.{name} is pure and calls {called}()")
    return found


def test_every_module_belongs_to_a_room() -> None:
    """A new folder or file has a place in the plan, or the plan changes with it."""
    homeless = [name for name, _ in modules() if name.split(".")[0] not in ROOMS]
    assert homeless == []


def test_imports_run_only_leftwards_and_each_library_stays_behind_its_door() -> None:
    """The table above is the whole truth about who may use what."""
    assert [fault for name, tree in modules() for fault in violations(name, tree)] == []


def test_pure_rooms_depend_on_their_arguments_alone() -> None:
    """No clock, file, environment, thread, chance or logger."""
    assert [fault for name, tree in modules() for fault in impurities(name, tree)] == []


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("inference.x", "from edgecam.capture.camera import Camera", "the room capture"),
        ("vision.x", "def f():\n    import edgecam.pipeline.runner", "the room pipeline"),
        ("decision.x", "import cv2", "the outside library cv2"),
        ("publish.x", "from edgecam import clock", "the room clock"),
    ],
)
def test_a_forbidden_import_is_found(name: str, source: str, fault: str) -> None:
    """The check itself can fail, also for an import inside a function."""
    assert [found for found in violations(name, ast.parse(source)) if fault in found]


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from os import environ",
        "from edgecam.clock import boot_ns",
        "def f(p):\n    return open(p)",
    ],
)
def test_an_impure_deed_is_found(source: str) -> None:
    """The check itself can fail."""
    assert impurities("vision.x", ast.parse(source))


def test_help_opens_no_door() -> None:
    """`edgecam --help` and importing edgecam load no library of weight and do nothing."""
    code = (
        "import sys, edgecam, edgecam.__main__\n"
        "try: edgecam.__main__.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'cv2', 'numpy', 'paho', 'pydantic', 'yaml', 'ai_edge_litert', 'tflite_runtime', 'amqtt'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "[]"
    assert "classify" in done.stdout
