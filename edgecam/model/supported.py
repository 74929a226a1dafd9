"""What the makers of delegates say that these take: their lists of operators.

A list is what was published when it was read, for the version that its source names; another one may take
more, or less. Of the conditions only those are here that show in shapes and dtypes: none on strides, paddings
and fused activations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecam.model import conditions as need
from edgecam.model.conditions import Condition

_FLOAT = frozenset({"float16", "float32"})
_BYTES = frozenset({"int8", "uint8"})
_INTEGERS = frozenset({"int8", "uint8", "int16", "int32"})


@dataclass(frozen=True, slots=True)
class Supported:
    """One delegate's list."""

    source: str
    """Where it stands."""
    operators: Mapping[str, frozenset[str]]
    """By operator, which dtypes the tensors may have that it reads and makes; constants may have others."""
    conditions: Mapping[str, tuple[Condition, ...]] = field(default_factory=dict)
    """By operator."""
    most_axes: int = 8
    most_long_axes: int = 8
    """How many axes of a tensor may be longer than one."""
    needs_batch_of_one: bool = False
    ends_at_first: bool = False
    """The first layer that it does not take ends its part: all behind it runs on the CPU."""
    one_part: bool = False
    """Of several parts it takes the one with the most layers."""
    custom_op: str = ""
    """The operator that its compiler puts in the place of those that it took."""


def _listed(names: str, *dtypes: frozenset[str]) -> dict[str, frozenset[str]]:
    return dict.fromkeys(names.split(), frozenset().union(*dtypes))


_XNNPACK_FLOAT = """
    ABS ADD AVERAGE_POOL_2D CEIL CONCATENATION CONV_2D DEPTH_TO_SPACE DEPTHWISE_CONV_2D DIV ELU FLOOR
    FULLY_CONNECTED HARD_SWISH LEAKY_RELU LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD PRELU RELU
    RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR ROUND SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQRT SQUARE
    SQUARED_DIFFERENCE STRIDED_SLICE SUB TANH TRANSPOSE TRANSPOSE_CONV
"""
_XNNPACK_BYTES = """
    ADD CONCATENATION CONV_2D DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE ELU FULLY_CONNECTED LEAKY_RELU
    LOGISTIC MAX_POOL_2D MEAN MUL PAD QUANTIZE RESHAPE RESIZE_BILINEAR SLICE SPACE_TO_DEPTH SPLIT SUB TANH
    TRANSPOSE TRANSPOSE_CONV
"""
_XNNPACK = Supported(
    source="LiteRT, tflite/delegates/xnnpack: README.md, and the tests named dynamically_quantized (2025)",
    operators={
        **_listed(_XNNPACK_FLOAT, frozenset({"float32"})),
        **_listed(_XNNPACK_BYTES, frozenset({"float32"}), _BYTES),
    },
    conditions={
        "CONV_2D": (need.bias, need.constant_weights),
        "DEPTHWISE_CONV_2D": (need.bias, need.constant_weights, need.own_dtype),
        "FULLY_CONNECTED": (need.constant_weights,),
        "QUANTIZE": (need.same_sign,),
    },
)
_CORAL = Supported(
    source="Coral, TensorFlow models on the Edge TPU, table 1 and model requirements (compiler 16)",
    operators=_listed(
        """
        ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED
        L2_NORMALIZATION LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE
        REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT
        SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TRANSPOSE
        TRANSPOSE_CONV
        """,
        _BYTES,
    ),
    conditions={
        "CONV_2D": (need.constant_weights, need.byte_weights),
        "DEPTHWISE_CONV_2D": (need.constant_weights, need.byte_weights),
        "FULLY_CONNECTED": (need.constant_weights, need.byte_weights, need.one_row),
        "SOFTMAX": (need.one_row, need.at_most(16_000)),
    },
    most_long_axes=3,
    ends_at_first=True,
    custom_op="edgetpu-custom-op",
)
_TEFLON = Supported(
    source="Mesa, src/gallium/drivers/etnaviv/etnaviv_ml.c (25.0); later releases take more",
    operators=_listed("ADD CONV_2D DEPTHWISE_CONV_2D", _BYTES),
    conditions={
        "CONV_2D": (need.constant_weights, need.one_scale),
        "DEPTHWISE_CONV_2D": (need.constant_weights, need.one_scale),
    },
    most_axes=4,
)
_VX = Supported(
    source="VeriSilicon, tflite-vx-delegate, op_status.md",
    operators=_listed(
        """
        ABS ADD ADD_N ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND CONCATENATION CONV_2D
        CONV_3D COS DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EMBEDDING_LOOKUP EQUAL EXP
        EXPAND_DIMS FLOOR FLOOR_DIV FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH
        L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT
        LOGICAL_OR LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG NOT_EQUAL ONE_HOT PACK PAD POW PRELU
        QUANTIZE REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE
        RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RNN RSQRT SELECT SELECT_V2 SHAPE SIN SLICE
        SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUEEZE STRIDED_SLICE SUB SUM
        TANH TRANSPOSE TRANSPOSE_CONV UNPACK
        """,
        _FLOAT,
        _INTEGERS,
    ),
)
_ETHOSU = Supported(
    source="Arm, Vela 3.6, SUPPORTED_OPS.md, its table and generic constraints",
    operators=_listed(
        """
        ABS ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED
        HARD_SWISH LEAKY_RELU LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE RELU
        RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SHAPE SLICE SOFTMAX SPLIT SPLIT_V
        SQUEEZE STRIDED_SLICE SUB TANH TRANSPOSE_CONV UNPACK
        """,
        _INTEGERS,
    ),
    conditions={
        "CONV_2D": (need.constant_weights, need.byte_weights),
        "DEPTHWISE_CONV_2D": (need.constant_weights, need.byte_weights),
        "FULLY_CONNECTED": (need.constant_weights, need.byte_weights, need.one_scale, need.matrix_out),
        "MEAN": (need.at_most_pixels(65_536),),
    },
    most_axes=4,
    needs_batch_of_one=True,
    custom_op="ethos-u",
)
_HEXAGON = Supported(
    source="TensorFlow, tensorflow/lite/delegates/hexagon/README.md, Supported Ops",
    operators=_listed(
        """
        ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE
        FULLY_CONNECTED HARD_SWISH L2_NORMALIZATION LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL
        NEG PACK PAD QUANTIZE RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SLICE SOFTMAX
        SPACE_TO_DEPTH SPLIT STRIDED_SLICE SUB TANH TRANSPOSE TRANSPOSE_CONV
        """,
        _BYTES,
    ),
    conditions={"DEPTHWISE_CONV_2D": (need.three_wide, need.one_for_each)},
    most_axes=4,
)
_ARMNN = Supported(
    source="Arm NN 23.11, TfLite Delegate, Supported Operators",
    operators=_listed(
        """
        ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_TO CAST CEIL
        CONCATENATION CONV_2D CONV_3D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EQUAL EXP
        EXPAND_DIMS FILL FLOOR FLOOR_DIV FULLY_CONNECTED GATHER GATHER_ND GELU GREATER GREATER_EQUAL
        HARD_SWISH L2_NORMALIZATION L2_POOL_2D LESS LESS_EQUAL LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND
        LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
        NOT_EQUAL PACK PAD PADV2 POW PRELU QUANTIZE RANK REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6
        RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RSQRT SHAPE SIN SLICE
        SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE
        SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK
        """,
        _FLOAT,
        _INTEGERS,
    ),
)
_GPU = Supported(
    source="TensorFlow 2.11, tensorflow/lite/delegates/gpu/common/model_builder.cc, NewOperationParser",
    operators=_listed(
        """
        ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D DIV ELU EXP
        FULLY_CONNECTED HARD_SWISH LEAKY_RELU LOG LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD
        MUL NEG PACK PAD POW PRELU REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RESHAPE RESIZE_BILINEAR
        RESIZE_NEAREST_NEIGHBOR RSQRT SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT_V SQRT SQUARE
        SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
        """,
        _FLOAT,
    ),
    most_axes=4,
    one_part=True,
)
_OPENVINO = Supported(
    source="LiteRT, litert/vendors/intel_openvino/compiler/openvino_compiler_plugin.cc, kSupportedOps (2025)",
    operators=_listed(
        """
        ABS ADD ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL BROADCAST_TO CAST CONCATENATION CONV_2D CONV_3D COS
        CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS
        FLOOR_DIV FULLY_CONNECTED GATHER GATHER_ND GELU GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION
        LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAXIMUM MAX_POOL_2D MEAN
        MINIMUM MIRROR_PAD MUL NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE RANGE REDUCE_MAX RELU
        RELU_0_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RSQRT SELECT SELECT_V2 SIN
        SLICE SOFTMAX SPLIT SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TRANSPOSE
        TRANSPOSE_CONV
        """,
        _FLOAT,
        _INTEGERS,
    ),
    most_axes=5,
)
_WEBGPU = Supported(
    source="LiteRT, ml_drift_delegate/tflite/ir_model_builder.cc, AddNode (2026)",
    operators=_listed(
        """
        ABS ADD ARG_MAX ATAN2 AVERAGE_POOL_2D BATCH_MATMUL BITCAST BITWISE_XOR CAST CEIL CONCATENATION
        CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU
        EMBEDDING_LOOKUP EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER
        GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC
        MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU
        QUANTIZE REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1
        RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RIGHT_SHIFT ROUND RSQRT SELECT SELECT_V2
        SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB
        SUM TANH TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV UNPACK
        """,
        _FLOAT,
        _INTEGERS,
    ),
    most_axes=5,
)

SUPPORTED: Mapping[str, Supported] = {
    "xnnpack": _XNNPACK,
    "coral": _CORAL,
    "teflon": _TEFLON,
    "vx": _VX,
    "ethosu": _ETHOSU,
    "hexagon": _HEXAGON,
    "armnn": _ARMNN,
    "gpu": _GPU,
    "openvino": _OPENVINO,
    "webgpu": _WEBGPU,
}
"""By the delegate's preset; `xnnpack` is what LiteRT runs on the CPU."""
