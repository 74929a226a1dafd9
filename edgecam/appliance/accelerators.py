"""Which accelerators are plugged in, as far as the kernel tells."""

from __future__ import annotations

from pathlib import Path

# USB vendor and product of a Coral stick before and after its firmware is loaded.
_CORAL_USB = {("1a6e", "089a"), ("18d1", "9302")}
_DEVICES = {
    "apex_*": "Coral Edge TPU (PCIe)",
    "hailo*": "Hailo NPU",
    "ethosu*": "Arm Ethos-U NPU",
    "galcore": "VeriSilicon NPU",
    "fastrpc-cdsp*": "Qualcomm DSP",
}
# Of those that share a kind of node with others, the kernel's driver tells what they are.
_KERNEL_OTHERS = {"intel_vpu": "Intel NPU", "amdxdna": "AMD NPU", "qaic": "Qualcomm Cloud AI card"}
_KERNEL = "NPU with a driver in Mesa"
_ETNAVIV = "Vivante NPU or GPU (etnaviv)"


def find_accelerators(root: Path = Path("/")) -> list[str]:
    """Names of the accelerators found.

    Args:
        root: where `dev` and `sys` lie.
    """
    found = [name for pattern, name in _DEVICES.items() if any((root / "dev").glob(pattern))]
    usb = (root / "sys/bus/usb/devices").glob("*")
    if any((_read(device / "idVendor"), _read(device / "idProduct")) in _CORAL_USB for device in usb):
        found.append("Coral Edge TPU (USB)")
    found += [
        _KERNEL_OTHERS.get(driver, _KERNEL) for driver in sorted(_drivers(root, "accel/accel*", "accel"))
    ]
    if "etnaviv" in _drivers(root, "dri/renderD*", "drm"):
        found.append(_ETNAVIV)
    return list(dict.fromkeys(found))


def _drivers(root: Path, nodes: str, kind: str) -> set[str]:
    """Of these nodes in `dev`, as sysfs has them; `driver` of one that it does not show."""
    shown = root / "sys/class" / kind
    return {(shown / node.name / "device/driver").resolve().name for node in (root / "dev").glob(nodes)}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
