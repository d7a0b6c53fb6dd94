"""Float graphs -> INT8 graphs (static, per channel, QDQ), calibrated on real images.

Activations are unsigned bytes, weights signed ones of seven bits: a product of two of them then never overflows the 16
bits in which processors without VNNI add pairs, so that all processors compute the same integers.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.operators.direct_q8 import QDQDirect8BitOp
from onnxruntime.quantization.registry import QDQRegistry

# What only moves bytes keeps the scale of what it moves.
QDQRegistry["DepthToSpace"] = QDQDirect8BitOp

QUANTISED = (
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Mul",
    "Concat",
    "MaxPool",
    "Relu",
    "Reshape",
    "Transpose",
    "DepthToSpace",
)
_MOVING = ("Reshape", "Transpose", "Gather", "Cast", "Div")  # what may stand between the input and the first layer
MULTIPLIED = ("Conv", "Gemm", "MatMul")  # operators that hold weights


class _Batches(CalibrationDataReader):
    def __init__(self, name: str, batches: Iterable[NDArray]) -> None:
        self.name, self.batches = name, iter(batches)

    def get_next(self) -> dict[str, NDArray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {self.name: batch}


def quantised(model: onnx.ModelProto, batches: Sequence[NDArray], kept_float: Sequence[str] = ()) -> onnx.ModelProto:
    """An INT8 graph of a float graph, which is left as it is.

    Args:
        model: a graph with one input in [0, 1]: an image or rows of pixels.
        batches: what goes in, from real images.
        kept_float: names of layers (nodes with weights) that stay in float.
    """
    name = model.graph.input[0].name
    copy = _guarded(model, kept_float)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        target = Path(folder) / "int8.onnx"
        quantize_static(
            copy, target, _Batches(name, batches), QuantFormat.QDQ, op_types_to_quantize=list(QUANTISED),
            per_channel=True, reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            nodes_to_exclude=list(kept_float), calibrate_method=CalibrationMethod.MinMax,
            extra_options={"TensorQuantOverrides": _of_the_image(copy), "QuantizeBias": True},
        )  # fmt: skip
        return onnx.load(target)


def _guarded(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """A copy of a graph whose named layers ONNX Runtime does not quantise of its own accord.

    It does so with every convolution or product that reads integers and whose output becomes integers, named or not.
    A maximum with 0 for a ReLU, or with the lowest number, stands in the way and changes nothing.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    lowest = np.finfo(np.float32).min
    for layer in [node for node in copy.graph.node if node.name in names]:
        output = layer.output[0]
        readers = [node for node in copy.graph.node if output in node.input]
        relu = len(readers) == 1 and readers[0].op_type == "Relu"
        floor, before = f"{layer.name}_floor", output if relu else f"{layer.name}_unguarded"
        copy.graph.initializer.append(
            onnx.numpy_helper.from_array(np.array(0 if relu else lowest, dtype=np.float32), floor)
        )
        guard = onnx.helper.make_node(
            "Max", [before, floor], [readers[0].output[0] if relu else output], f"{floor}_max"
        )
        place = list(copy.graph.node).index(readers[0] if relu else layer)
        if relu:
            copy.graph.node.remove(readers[0])
            copy.graph.node.insert(place, guard)
        else:
            layer.output[0] = before
            copy.graph.node.insert(place + 1, guard)
    return copy


def float_islands(model: onnx.ModelProto) -> list[str]:
    """Operators of an INT8 graph that compute in float between two that compute in integers.

    Looked for in the graph as ONNX Runtime runs it, after it has joined all that it can.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(folder) / "joined.onnx")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        onnxruntime.set_default_logger_severity(3)
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    after: set[str] = set()  # tensors in float that come from integers
    before: set[str] = set()  # that become integers
    for node in nodes:  # in the order of computing
        if node.op_type == "DequantizeLinear" or (node.op_type != "QuantizeLinear" and after & set(node.input)):
            after |= set(node.output)
    for node in reversed(nodes):
        if node.op_type == "QuantizeLinear" or (node.op_type != "DequantizeLinear" and before & set(node.output)):
            before |= set(node.input)
    return [node.op_type for node in nodes if after & set(node.input) and before & set(node.output)]


def _of_the_image(model: onnx.ModelProto) -> dict[str, list[dict[str, object]]]:
    """The scale of the input, and of all that only moves it: bytes of photos are bytes of the graph, uncalibrated."""
    image = {model.graph.input[0].name}
    for node in model.graph.node:
        if node.op_type in _MOVING and node.input[0] in image:
            image |= set(node.output)
    return {name: [_input_scale()] for name in sorted(image)}


def _input_scale() -> dict[str, object]:
    return {
        "scale": np.array(1 / 255, dtype=np.float32),
        "zero_point": np.array(0, dtype=np.uint8),
        "quant_type": QuantType.QUInt8,
    }


@contextmanager
def _quiet() -> Iterator[None]:
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
