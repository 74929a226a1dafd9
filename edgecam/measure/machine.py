"""What machine this is, so that results of two machines can be told apart; no names, no paths."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import edgecam

_LIBRARIES = (
    "ai-edge-litert", "tflite-runtime", "numpy", "opencv-python-headless", "opencv", "paho-mqtt", "amqtt",
)  # fmt: skip
_GOVERNOR = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def describe_machine(root: Path = Path("/")) -> dict[str, Any]:
    """Board, CPU, kernel and versions, as docs/schemas/bench.schema.json has it.

    Args:
        root: where `proc` and `sys` lie.
    """
    return {
        "board": _read(root / "proc/device-tree/model").strip("\0\n ") or None,
        "cpu": _cpu(_read(root / "proc/cpuinfo")),
        "cores": usable_cores(),
        "arch": platform.machine(),
        "governor": _read(root / _GOVERNOR).strip() or None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {"edgecam": edgecam.__version__} | _versions(),
    }


def _cpu(cpuinfo: str) -> str | None:
    """The model's name, or on ARM, where the kernel gives none, the numbers of maker and core."""
    said: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        said.setdefault(key.strip(), value.strip())
    if said.get("model name"):
        return said["model name"]
    maker, part = said.get("CPU implementer"), said.get("CPU part")
    return f"implementer {maker} part {part}" if maker and part else None


def _versions() -> dict[str, str]:
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
