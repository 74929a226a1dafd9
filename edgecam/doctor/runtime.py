"""Is there a TFLite runtime for this Python and processor, and do the libraries around it fit?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgecam.doctor.finding import Area, Finding, Verdict
from edgecam.doctor.probing import Answer, probe

_LITERT_PYTHONS = ((3, 10), (3, 14))
_LITERT_MACHINES = frozenset({"x86_64", "aarch64"})
_TFLITE_PYTHON = (3, 11)
_TFLITE_MACHINES = frozenset({"x86_64", "aarch64", "armv7l"})
LOAD_S = 30.0
DEADLINE_S = 4 * LOAD_S


@dataclass(frozen=True, slots=True)
class Platform:
    """What decides which wheels there are."""

    machine: str
    """As `uname -m`; of the Python, not of the kernel: Raspberry Pi OS may be 32-bit on a 64-bit kernel."""
    python: tuple[int, int]
    libc: str
    """`glibc`, or something else."""

    def __str__(self) -> str:
        """For people."""
        return f"Python {self.python[0]}.{self.python[1]} on {self.machine}"


def this_platform() -> Platform:
    """That of this process."""
    machine = platform.machine()
    if sys.maxsize < 2**32 and machine == "aarch64":
        machine = "armv7l"
    return Platform(machine, sys.version_info[:2], platform.libc_ver()[0] or "musl")


def look(here: Platform, *, is_needed: bool = True) -> Iterator[Finding]:
    """Load runtime, numpy and OpenCV, each in a process of its own.

    Args:
        here: what the runtime is for.
        is_needed: whether a model is to run on it.
    """
    numpy = probe("runtime", {"module": "numpy"}, deadline_s=LOAD_S)
    yield _library("numpy", numpy)
    yield _library("cv2", probe("runtime", {"module": "cv2"}, deadline_s=LOAD_S))
    runtime = probe("runtime", {"module": None}, deadline_s=LOAD_S)
    found = judge(runtime, here, numpy_version=str(numpy.values.get("version", "")))
    if found.verdict is Verdict.ERROR and not is_needed:
        text = f"{found.found}; no model of the configuration needs one"
        found = replace(found, verdict=Verdict.SKIPPED, found=text)
    yield found


def judge(runtime: Answer, here: Platform, *, numpy_version: str) -> Finding:
    """What is to be said of a runtime that was found, or not.

    Args:
        runtime: the probe's answer.
        here: the platform that it is for.
        numpy_version: of the numpy beside it; empty: unknown.
    """
    if runtime.crashed:
        text = f"the TFLite runtime cannot be loaded on {here}: {runtime.fault}"
        remedy = f"reinstall it; {install_hint(here)}"
        return Finding(Area.RUNTIME, "tflite", Verdict.ERROR, text, remedy)
    if runtime.fault:
        text = f"no TFLite runtime on {here}: {runtime.fault.partition(': ')[0]}"
        return Finding(Area.RUNTIME, "tflite", Verdict.ERROR, text, install_hint(here))
    name, version = runtime.values["name"], runtime.values["version"]
    text = f"{name} {version} on {here}"
    if name != "tflite-runtime":
        return Finding(Area.RUNTIME, "tflite", Verdict.OK, text)
    if numpy_version and int(numpy_version.partition(".")[0]) > 1:
        text = f"{text}, which does not work with numpy {numpy_version}"
        return Finding(Area.RUNTIME, "tflite", Verdict.ERROR, text, "pip install 'numpy<2'")
    if here.machine in _LITERT_MACHINES and here.libc == "glibc":
        remedy = "pip install ai-edge-litert: it is newer, and much faster with int8 models"
        return Finding(Area.RUNTIME, "tflite", Verdict.WARNING, f"{text}, the fallback", remedy)
    return Finding(Area.RUNTIME, "tflite", Verdict.OK, text)


def install_hint(here: Platform) -> str:
    """Which wheel there is for a platform, or what to change so that there is one."""
    low, high = _LITERT_PYTHONS
    if here.libc != "glibc":
        return "there is no wheel for this C library; use a system with glibc, such as Debian"
    if here.machine in _LITERT_MACHINES:
        if low <= here.python <= high:
            return "pip install ai-edge-litert, into the virtual environment that edgecam runs in"
        return f"use Python {low[0]}.{low[1]} to {high[0]}.{high[1]}, for which ai-edge-litert has wheels"
    if here.machine in _TFLITE_MACHINES:
        if here.python == _TFLITE_PYTHON:
            return "pip install 'edgecam[tflite]', which takes numpy 1"
        return (
            "for 32-bit ARM there is only tflite-runtime, for Python 3.11 (Raspberry Pi OS bookworm); "
            "take that, or a 64-bit system"
        )
    return f"there is no wheel for {here.machine}; use a 64-bit system on ARM or x86"


def _library(module: str, answer: Answer) -> Finding:
    name = {"cv2": "opencv"}.get(module, module)
    if not answer.fault:
        return Finding(Area.RUNTIME, name, Verdict.OK, answer.values["version"])
    package = {"cv2": "opencv-python-headless"}.get(module, module)
    text = f"{name} cannot be loaded: {answer.fault}"
    remedy = f"pip install --force-reinstall {package}"
    if "numpy" in answer.fault and module != "numpy":
        remedy += ", or a numpy that it was built for: pip install 'numpy<2'"
    return Finding(Area.RUNTIME, name, Verdict.ERROR, text, remedy)
