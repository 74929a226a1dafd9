"""The accelerators that edgecam knows: one table for who uses them and who looks for them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

EXTERNAL = "external"
"""What a library is called that has no preset."""

_BOARD_IMAGE = "it comes with the board's own system image"


@dataclass(frozen=True, slots=True)
class Delegate:
    """One kind of accelerator, and the library by which TFLite reaches it."""

    name: str
    devices: tuple[str, ...]
    """As `find_accelerators` calls them; empty: it has none that can be seen from outside."""
    libraries: tuple[str, ...]
    """Names for the loader, or paths; the first that is there is taken."""
    get_library: str
    """How to come by it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What its library is told unless the user says otherwise."""
    twin: str = ""
    """Ending of the model's file that was compiled for it, `_edgetpu`; empty: it runs ordinary models."""
    known_model: str = ""
    """In the catalogue, with its twin."""
    suits: str = ""
    """The models that it runs, in words."""
    dtypes: tuple[str, ...] = ("int8", "uint8")
    """Of the models that it runs."""
    custom_op: str = ""
    """The operator that its compiler puts in the place of others; empty: it has no compiler of its own."""
    engine: str = "litert"
    """Runs it in the child process; `litert` stands for the TFLite runtime that is installed."""
    automatic: bool = True
    """`auto` may take it."""


# A new accelerator is a new row.
DELEGATES = (
    Delegate(
        name="coral",
        devices=("Coral Edge TPU (USB)", "Coral Edge TPU (PCIe)"),
        libraries=("libedgetpu.so.1", "libedgetpu.so"),
        get_library="install libedgetpu1-std from Coral's package repository",
        twin="_edgetpu",
        known_model="mobilenet_v2_uint8",
        suits="int8 or uint8 models that edgetpu_compiler has compiled",
        custom_op="edgetpu-custom-op",
    ),
    Delegate(
        name="teflon",
        devices=("NPU with a driver in Mesa", "Vivante NPU or GPU (etnaviv)"),
        libraries=("/usr/lib/teflon/libteflon.so", "libteflon.so"),
        get_library="sudo apt install mesa-teflon-delegate (64-bit ARM, trixie or bookworm-backports)",
        suits="int8 or uint8 convolutional models, quantized per tensor",
    ),
    Delegate(
        name="vx",
        devices=("VeriSilicon NPU",),
        libraries=("libvx_delegate.so", "libvx_delegate.so.2"),
        get_library=_BOARD_IMAGE,
        suits="int8 or uint8 models; the first inference compiles them, which may take a minute",
    ),
    Delegate(
        name="ethosu",
        devices=("Arm Ethos-U NPU",),
        libraries=("libethosu_delegate.so",),
        get_library=_BOARD_IMAGE,
        twin="_vela",
        suits="int8 models that vela has compiled",
        dtypes=("int8",),
        custom_op="ethos-u",
    ),
    Delegate(
        name="qnn",
        devices=("Qualcomm DSP",),
        libraries=("libQnnTFLiteDelegate.so",),
        get_library=f"{_BOARD_IMAGE}, or from Qualcomm's AI Engine Direct SDK",
        options={"backend_type": "htp"},
        suits="float32, int8 and uint8 models",
        dtypes=("float32", "int8", "uint8"),
    ),
    Delegate(
        name="hexagon",
        devices=("Qualcomm DSP",),
        libraries=("libhexagon_delegate.so",),
        get_library=f"{_BOARD_IMAGE}, as do the libhexagon_nn_skel libraries beside it",
        suits="int8 or uint8 models",
    ),
    Delegate(
        name="armnn",
        devices=(),
        libraries=("libarmnnDelegate.so", "libarmnnDelegate.so.29"),
        get_library="take it from a release of Arm NN for this processor",
        options={"backends": "GpuAcc,CpuAcc", "logging-severity": "warning"},
        suits="float32, int8 and uint8 models",
        dtypes=("float32", "int8", "uint8"),
    ),
    Delegate(
        name="gpu",
        devices=(),
        libraries=("libtensorflowlite_gpu_delegate.so",),
        get_library="build TensorFlow Lite's GPU delegate for this board's OpenCL",
        suits="float32 models",
        dtypes=("float32",),
    ),
    Delegate(
        name="openvino",
        devices=(),
        libraries=(),
        get_library="pip install 'edgecam[npu-intel]' (64-bit x86), and Intel's driver for an NPU or GPU",
        suits="float32, int8 and uint8 models",
        dtypes=("float32", "int8", "uint8"),
        engine="compiled",
        automatic=False,
    ),
    Delegate(
        name="webgpu",
        devices=(),
        libraries=(),
        get_library="install the GPU's Vulkan driver (sudo apt install mesa-vulkan-drivers, trixie or newer)",
        suits="float32 and int8 models",
        dtypes=("float32", "int8", "uint8"),
        engine="compiled",
        automatic=False,
    ),
)


@dataclass(frozen=True, slots=True)
class DelegateUse:
    """One delegate as an engine is to use it."""

    name: str
    """The preset's name, or `external`."""
    libraries: tuple[str, ...]
    """The first that is there is taken."""
    options: Mapping[str, str]
    remedy: str
    """What to do if its library is missing or refuses."""
    twin: str = ""
    """Ending of the model's file that was compiled for it; empty: it runs ordinary models."""
    engine: str = "litert"
    """Runs it; `litert` stands for the TFLite runtime that is installed."""


def find_delegate(name: str) -> Delegate | None:
    """The preset of that name."""
    return next((delegate for delegate in DELEGATES if delegate.name == name), None)


def get_twin(name: str, file: str) -> str:
    """How to come by a model's file for a preset.

    Args:
        name: the preset's.
        file: what such a file is called beside the model.
    """
    preset = find_delegate(name)
    known = "" if preset is None else preset.known_model
    other = f", or take a model that has one: edgecam models pull {known}" if known else ""
    return f"put one there as {file}, and name it under twins: {name} in card.yaml (docs/models.md){other}"


def compiled_for(operator: str) -> Delegate | None:
    """The preset whose compiler makes such an operator."""
    return next((delegate for delegate in DELEGATES if delegate.custom_op == operator), None)


def use_of(name: str, options: Mapping[str, str]) -> DelegateUse:
    """How to use a preset, or any library.

    Args:
        name: a preset's, or the path of a delegate's library.
        options: for the library; they go before the preset's own.

    Raises:
        ValueError: it is neither; says what there is.
    """
    preset = find_delegate(name)
    if preset is not None:
        return DelegateUse(
            name,
            preset.libraries,
            {**preset.options, **options},
            remedy=preset.get_library,
            twin=preset.twin,
            engine=preset.engine,
        )
    if "/" in name:
        return DelegateUse(
            EXTERNAL,
            (name,),
            dict(options),
            remedy="see that its device is there, and its options are right",
        )
    known = [delegate.name for delegate in DELEGATES]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    raise ValueError(
        f"expected auto, cpu, {', '.join(known)}, or a library's path (/path/lib.so, ./lib.so), "
        f'got "{name}"{hint}'
    )
