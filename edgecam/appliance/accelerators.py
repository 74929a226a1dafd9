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
    "accel/accel*": "kernel accelerator (Mesa Teflon, Intel NPU)",
}


def find_accelerators(root: Path = Path("/")) -> list[str]:
    """Names of the accelerators found.

    Args:
        root: where `dev` and `sys` lie.
    """
    found = [name for pattern, name in _DEVICES.items() if any((root / "dev").glob(pattern))]
    usb = (root / "sys/bus/usb/devices").glob("*")
    if any((_read(device / "idVendor"), _read(device / "idProduct")) in _CORAL_USB for device in usb):
        found.append("Coral Edge TPU (USB)")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
