"""What LiteRT's own words say about where a model runs; the lines are recorded from LiteRT 2.3."""

from __future__ import annotations

from edgecam.inference.compiled_log import gpu_adapter, openvino_device, reason, taken_over

NPU_WITHOUT_DRIVER = """\
INFO: [npu_registry.cc:30] NPU accelerator registered.
WARNING: [npu_registry.cc:34] NPU accelerator could not be loaded and registered: kLiteRtStatusErrorNotFound.
INFO: [compiler_plugin.cc:742] Partitioned subgraph<0>, selected 60 ops, from a total of 60 ops. resulted in 1 partitions.
ERROR: [openvino_compiler_plugin.cc:714] Exception in compilation: Exception from src/inference/src/cpp/core.cpp:117:
Exception from src/plugins/intel_npu/src/utils/src/vcl/vcl_api.cpp:22:
Cannot load library "/opt/x/openvino/libs/libnpu.so": /opt/x/openvino/libs/libnpu.so: cannot open shared object file



INFO: [compiled_model.cc:1397] 0 compiler plugins were applied successfully: 
ERROR: [compiled_model.cc:1400] Plugin errs: IntelOpenVINO compiler plugin (ver 0.1.0) ERROR: [x/compiler_plugin.cc:504]
"""  # noqa: E501, W291 - as they came
ON_THE_CPU_OF_OPENVINO = """\
INFO: [compiler_plugin.cc:742] Partitioned subgraph<0>, selected 40 ops, from a total of 60 ops. resulted in 2 partitions.
INFO: [openvino_compile_context.cc:77] Using Intel OpenVINO device: CPU
INFO: [compiled_model.cc:1397] 1 compiler plugins were applied successfully: IntelOpenVINO compiler plugin (ver 0.1.0)
INFO: [invocation_context.cc:293] Using Intel OpenVINO device: CPU
"""  # noqa: E501
PLUGIN_WITHOUT_LIBRARY = """\
WARNING: [compiler_plugin.cc:312] Failed to load plugin at: /v/libPlugin.so with error: ERROR: [litert/x.cc:259]
└ Could not load shared library /v/libPlugin.so: libopenvino.so.2631: cannot open shared object file: No such file.
WARNING: [compiled_model.cc:1393] Failed to apply compiler plugins: No compiler plugin found
INFO: [compiled_model.cc:829] Flatbuffer model initialized directly from incoming litert model.
"""  # noqa: E501
PARTLY_ON_THE_GPU = """\
I0000 00:00:1795532858.985734    9261 environment.cc:532] Selected adapter: llvmpipe (LLVM 19.1.7, 256 bits), \
arch=software, vendor=mesa, backend=Vulkan, adapterType=CPU / Software
ERROR: Following operations are not supported by GPU delegate:
FULLY_CONNECTED: Expected Int8, Int4, or Int2 quantized tensor: 1
1 operations will run on the GPU, and the remaining 1 operations will run on the CPU.
"""  # noqa: E501
NO_GPU = (
    "ERROR: [delegate_webgpu.cc:359] Failed to initialize WebGPU environment: INTERNAL: No adapters found\n"
)
NOTHING_SUITS = """\
INFO: [compiler_plugin.cc:742] Partitioned subgraph<0>, selected 0 ops, from a total of 1 ops. resulted in 0 partitions.
ERROR: [compiled_model.cc:1400] Plugin errs: IntelOpenVINO compiler plugin (ver 0.1.0) ERROR: [x/compiler_plugin.cc:81]
"""  # noqa: E501


def test_operators_count_only_where_a_plugin_was_applied() -> None:
    """Sixty were selected on the machine without a driver, and all sixty ran on the CPU."""
    assert taken_over(NPU_WITHOUT_DRIVER) == 0
    assert taken_over(ON_THE_CPU_OF_OPENVINO) == 40
    assert taken_over(PARTLY_ON_THE_GPU) == 1
    assert taken_over("INFO: whatever a later version says") == 0


def test_the_device_is_the_one_that_was_used() -> None:
    """OpenVINO has three, and its CPU is no NPU."""
    assert openvino_device(ON_THE_CPU_OF_OPENVINO) == "CPU"
    assert openvino_device(PLUGIN_WITHOUT_LIBRARY) is None
    hardware = (
        "Selected adapter: V3D 7.1.7.0, arch=v3d, vendor=broadcom, backend=Vulkan, adapterType=Integrated GPU"
    )
    assert gpu_adapter(PARTLY_ON_THE_GPU) == ("llvmpipe (LLVM 19.1.7, 256 bits)", True)
    assert gpu_adapter(hardware) == ("V3D 7.1.7.0", False)
    assert gpu_adapter(NO_GPU) is None


def test_the_reason_is_the_innermost_cause_in_one_line() -> None:
    """Not the exception's own `some ops are not accelerated`, which names no cause."""
    error = "ERROR: [./litert/cc/litert_compiled_model.h:1961]\n└ Some ops are not accelerated."
    assert reason(NPU_WITHOUT_DRIVER, error) == (
        'Cannot load library "libnpu.so": libnpu.so: cannot open shared object file'
    )
    assert "libopenvino.so.2631: cannot open shared object file" in reason(PLUGIN_WITHOUT_LIBRARY, error)
    assert reason(NO_GPU, error) == "Failed to initialize WebGPU environment: INTERNAL: No adapters found"
    assert reason(NOTHING_SUITS, error) == "none of the model's operators suits it"
    assert reason("", error) == "Some ops are not accelerated"
    assert reason("") == "it gives no reason"
