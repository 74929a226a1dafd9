"""What LiteRT's CompiledModel says on stderr about where a model runs: it has no call that would tell.

Its `is_fully_accelerated` is no proof, and a plug-in that cannot be used is passed over in silence. The words
are those of LiteRT 2.3; where they are not found, nothing is taken for granted.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"(?:INFO|WARNING|Warning|ERROR|VERBOSE): |[IWEF]\d{4} ")
_ORIGIN = re.compile(r"^(?:ERROR|WARNING): (?:\[[^\]]*\] ?)?")
_APPLIED = re.compile(r"[1-9]\d* compiler plugins were applied successfully")
_SELECTED = re.compile(r"selected (\d+) ops, from a total of \d+ ops")
_ON_GPU = re.compile(r"(\d+) operations will run on the GPU, and the remaining \d+ operations")
_DEVICE = re.compile(r"Using Intel OpenVINO device: (\w+)")
_ADAPTER = re.compile(r"Selected adapter: (.*?), arch=.*adapterType=(.*)")
_FOLDERS = re.compile(r"/[^\s\"':]*/")
_MOST_REASON_CHARS = 200


def taken_over(text: str) -> int:
    """How many operators the accelerator has taken over, where that is not all; 0: it does not say."""
    if on_gpu := _ON_GPU.findall(text):
        return int(on_gpu[-1])
    return sum(int(count) for count in _SELECTED.findall(text)) if _APPLIED.search(text) else 0


def openvino_device(text: str) -> str | None:
    """What OpenVINO runs on: `CPU`, `GPU`, `NPU`; None: it does not say."""
    found = _DEVICE.findall(text)
    return found[-1] if found else None


def gpu_adapter(text: str) -> tuple[str, bool] | None:
    """The name of the graphics adapter, and whether it is software on the CPU; None: it does not say."""
    found = _ADAPTER.search(text)
    return None if found is None else (found[1], "CPU" in found[2])


def reason(text: str, error: str = "") -> str:
    """Why a model could not be compiled: the innermost cause that is named, in one line, without folders.

    Args:
        text: what was written to stderr.
        error: what was raised, for when that names no cause.
    """
    selected = _SELECTED.findall(text)
    if selected and not any(int(count) for count in selected):
        return "none of the model's operators suits it"
    told = _entries(text)
    errors = [entry for entry in told if entry.startswith("ERROR")]
    unloaded = [entry for entry in told if entry.startswith("WARNING") and "Failed to load" in entry]
    said = next(iter(errors or unloaded), error)
    lines = [_ORIGIN.sub("", line.strip().lstrip("└ ")).strip() for line in said.splitlines()]
    innermost = next((line for line in reversed(lines) if line), "it gives no reason")
    return _FOLDERS.sub("", innermost).rstrip(".")[:_MOST_REASON_CHARS]


def _entries(text: str) -> list[str]:
    """Its entries; one may go on over several lines."""
    entries: list[str] = []
    for line in text.splitlines():
        if _LINE.match(line) or not entries:
            entries.append(line)
        else:
            entries[-1] += "\n" + line
    return entries
