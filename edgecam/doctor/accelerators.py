"""For each accelerator that edgecam knows: is its device there, and can its library be loaded?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgecam.appliance.accelerators import find_accelerators
from edgecam.doctor.finding import Area, Finding, Verdict
from edgecam.doctor.probing import Answer, probe
from edgecam.inference.delegates import DELEGATES, Delegate
from edgecam.inference.presence import find_library

LOAD_S = 10.0
DEADLINE_S = LOAD_S * len(DELEGATES)
# Devices that no delegate of the table is looked for by, and what reaches them.
_REACHED_BY = {
    "Hailo NPU": "it runs models of its own, by engine: hailo",
    "Intel NPU": "used where a model names it, by delegate: openvino",
}
_VULKAN = ("libvulkan.so.1",)


def look(delegates: tuple[Delegate, ...] = DELEGATES, root: Path = Path("/")) -> Iterator[Finding]:
    """A finding per kind of accelerator; of what is neither there nor installed: what one would need."""
    plugged_in = find_accelerators(root)
    for delegate in delegates:
        if delegate.name in _OWN:
            yield judge_own(delegate, *_OWN[delegate.name](root))
            continue
        answer = probe("library", {"libraries": delegate.libraries}, deadline_s=LOAD_S)
        yield judge(delegate, answer, device=next((d for d in delegate.devices if d in plugged_in), None))
    known = {device for delegate in delegates for device in delegate.devices}
    for device in plugged_in:
        if device not in known:
            text = f"{device} is there, and edgecam knows no delegate for it; models run on the CPU"
            if device in _REACHED_BY:
                text = f"{device} is there; {_REACHED_BY[device]} (docs/engines.md)"
            yield Finding(Area.ACCELERATORS, "other", Verdict.SKIPPED, text)


def judge(delegate: Delegate, answer: Answer, *, device: str | None) -> Finding:
    """What is to be said of one; never an error, since the CPU runs the models.

    Args:
        delegate: the kind.
        answer: of the probe `library`.
        device: what was found plugged in; None: nothing.
    """
    if answer.fault or answer.values["library"] is not None:
        text, remedy = _said_of_library(delegate, answer)
        if not remedy and device is None and delegate.devices:
            text, remedy = (
                f"{text}, but no device is there",
                "plug it in, and see that lsusb, lspci or /dev has it",
            )
    elif device is not None:
        text, remedy = f"none of {', '.join(delegate.libraries)} is there", delegate.get_library
    else:
        return Finding(Area.ACCELERATORS, delegate.name, Verdict.SKIPPED, _absence(delegate))
    verdict = Verdict.WARNING if remedy else Verdict.OK
    found = text if device is None else f"{device} is there; {text}"
    return Finding(Area.ACCELERATORS, delegate.name, verdict, found, remedy)


def judge_own(delegate: Delegate, found: str, lacks: str) -> Finding:
    """What is to be said of one that LiteRT brings: whether it works, only a model that names it can tell.

    Args:
        delegate: the kind.
        found: what is there of that which it needs; empty: nothing.
        lacks: what is not; empty: nothing.
    """
    if lacks:
        text = f"{found}{' is there, but ' if found else ''}{lacks}; to use it: {delegate.get_library}"
    else:
        text = f"{found} is there; used where a model names it (delegate: {delegate.name})"
    return Finding(Area.ACCELERATORS, delegate.name, Verdict.SKIPPED, text)


def _openvino(_root: Path) -> tuple[str, str]:
    try:
        return f"OpenVINO {version('openvino')}", ""
    except PackageNotFoundError:
        return "", "this Python has no OpenVINO"


def _webgpu(root: Path) -> tuple[str, str]:
    drivers = (root / folder / "vulkan/icd.d" for folder in ("etc", "usr/share", "usr/local/share"))
    has_driver = find_library(_VULKAN, root) and any(any(folder.glob("*.json")) for folder in drivers)
    nodes = sorted(node.name for node in (root / "dev/dri").glob("renderD*"))
    if not nodes:
        return "", "no GPU is there (/dev/dri/renderD*)"
    found = f"a GPU ({', '.join(nodes)})"
    return (f"{found} with a Vulkan driver", "") if has_driver else (found, "no Vulkan driver is")


# What LiteRT's own need of others: what is there, and what is not.
_OWN: dict[str, Callable[[Path], tuple[str, str]]] = {"openvino": _openvino, "webgpu": _webgpu}


def _absence(delegate: Delegate) -> str:
    """In one line: what is not there, and what to do for it to be."""
    if not delegate.devices:
        return f"its library is not there; to use it: {delegate.get_library}"
    device = " or ".join(delegate.devices)
    return f"neither device nor library is there; to use it, plug in: {device}; then: {delegate.get_library}"


def _said_of_library(delegate: Delegate, answer: Answer) -> tuple[str, str]:
    """What is found, and the remedy; without one, all is well."""
    if answer.crashed:
        return f"its library is fatal to load: {answer.fault}", f"reinstall it: {delegate.get_library}"
    library = answer.values.get("library") or "its library"
    if answer.fault:
        return f"{library} cannot be loaded: {answer.fault}", f"reinstall it: {delegate.get_library}"
    if not answer.values["is_delegate"]:
        return f"{library} is no TFLite delegate", f"replace it: {delegate.get_library}"
    return f"{library} can be loaded", ""
