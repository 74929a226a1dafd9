"""Are the libraries of the extra `compress` here? Asked before minutes are spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from importlib.util import find_spec

from edgecam.compress.published import PUBLISHED, installed_weights
from edgecam.compress.recipe import Step
from edgecam.errors import UnusableError

_MODULES: Mapping[str, str] = {
    "torch": "torch",
    "torch_pruning": "torch-pruning",
    "litert_torch": "litert-torch",
    "ai_edge_quantizer": "ai-edge-quantizer",
    "safetensors": "safetensors",
    "matplotlib": "matplotlib",
}
"""The package of each module."""
_OTHERS = ("edgecam", "numpy", "ai-edge-litert")


def require_compress() -> None:
    """Refuse what cannot be done here.

    Raises:
        UnusableError: a library is missing.
    """
    missing = [package for module, package in _MODULES.items() if find_spec(module) is None]
    if missing:
        raise UnusableError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: "
            "`pip install 'edgecam[compress]'`, on a workstation (64-bit x86 Linux, or a Mac)"
        )


def require_quantizer() -> None:
    """Raises UnusableError: the quantizer is missing, which `compress` and the smaller `quantize` have."""
    if find_spec("ai_edge_quantizer") is None:
        raise UnusableError("the quantizer is not installed: `pip install 'edgecam[quantize]'`")


def require_tflm() -> None:
    """Raises UnusableError: TFLite Micro's interpreter is missing."""
    if find_spec("tflite_micro") is None:
        raise UnusableError("TFLite Micro is not installed: `pip install 'edgecam[tflm]'` (64-bit x86 Linux)")


def require_for(steps: Iterable[Step]) -> None:
    """Refuse steps that cannot be done here, the last of which may come after hours.

    Raises:
        UnusableError: TFLite Micro, or a backbone's weights are missing.
    """
    for step in steps:
        if step.tiny is not None:
            require_tflm()
        if step.transfer is not None and step.transfer.weights is None:
            installed_weights(PUBLISHED[step.transfer.backbone])


def versions() -> dict[str, str]:
    """Of all libraries that a result depends on, as far as they are installed."""
    found = {}
    for package in (*_OTHERS, *_MODULES.values()):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
