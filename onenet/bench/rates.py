"""How fast this machine multiplies matrices: what any network on it can be held against.

A product is rows x inputs by inputs x outputs, float32, or unsigned bytes by signed ones (per output, of seven bits, as
onenet.export.int8 makes them) into bytes. Its operations are twice its multiply-adds.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from onenet.bench.bound import bound
from onenet.bench.turns import in_turns, timed
from onenet.deploy.runtime import RUNTIMES, installed

Shape = tuple[int, int, int]  # rows, inputs, outputs

LARGE: Shape = (4096, 1024, 1024)
ROWS = 4096  # at most in one product: more of them are several products, whose matrices stay in the cache
PRECISIONS = ("float", "int8")
_REPEATS, _TURN = 5, 0.01


def operations(shape: Shape) -> int:
    """Of a product."""
    rows, inputs, outputs = shape
    return 2 * rows * inputs * outputs


def ready_product(shape: Shape, precision: str, runtime: str, threads: int) -> Callable[[], None]:
    """A product of random matrices that is computed when called."""
    return bound(product_graph(shape, precision), _rows(shape, precision), runtime, threads).run


def product_graph(shape: Shape, precision: str) -> bytes:
    """An ONNX graph with one product, `shape[0]` rows of the input by constant weights."""
    from onnx import TensorProto, helper, numpy_helper

    rows, inputs, outputs = shape
    weights = np.random.default_rng(0).standard_normal((inputs, outputs), dtype=np.float32) / np.sqrt(
        np.float32(inputs)
    )
    if precision == "float":
        kind = TensorProto.FLOAT
        stored = {"w": weights}
        nodes = [helper.make_node("Gemm", ["x", "w"], ["y"])]
    else:
        kind = TensorProto.UINT8
        scale = np.abs(weights).max(0) / 64
        stored = {
            "w8": (weights / scale).round().astype(np.int8), "w_scale": scale, "w_zero": np.zeros(outputs, np.int8),
            "x_scale": np.array(1 / 255, np.float32), "y_scale": np.array(2 / 255, np.float32),
            "x_zero": np.array(0, np.uint8), "y_zero": np.array(128, np.uint8),
        }  # fmt: skip
        nodes = [
            helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["xf"]),
            helper.make_node("DequantizeLinear", ["w8", "w_scale", "w_zero"], ["w"], axis=1),
            helper.make_node("Gemm", ["xf", "w"], ["yf"]),
            helper.make_node("QuantizeLinear", ["yf", "y_scale", "y_zero"], ["y"]),
        ]
    x, y = (
        helper.make_tensor_value_info(name, kind, size)
        for name, size in (("x", [rows, inputs]), ("y", [rows, outputs]))
    )
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()]
    graph = helper.make_graph(nodes, "product", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def _rows(shape: Shape, precision: str) -> NDArray:
    random = np.random.default_rng(1)
    if precision == "float":
        return random.random(shape[:2], dtype=np.float32)
    return random.integers(0, 256, shape[:2], dtype=np.uint8)


def in_blocks(shapes: Mapping[Shape, int]) -> Counter[Shape]:
    """Products and how often each occurs, those of many rows as several of `ROWS` rows."""
    blocks: Counter[Shape] = Counter()
    for (rows, inputs, outputs), count in shapes.items():
        whole, rest = divmod(rows, ROWS)
        blocks[ROWS, inputs, outputs] += count * whole
        blocks[rest, inputs, outputs] += count if rest else 0
    return +blocks


def own_rate(shapes: Mapping[Shape, int], precision: str, threads: int) -> float:
    """Operations a second of a network's own products one after the other, each in the runtime that is best for it."""
    blocks = in_blocks(shapes)
    seconds = sum(count * _best_seconds(shape, precision, threads) for shape, count in blocks.items())
    return sum(count * operations(shape) for shape, count in blocks.items()) / seconds


@cache
def _best_seconds(shape: Shape, precision: str, threads: int) -> float:
    there = [runtime for runtime in RUNTIMES if installed(runtime)]
    products = [timed(ready_product(shape, precision, runtime, threads)) for runtime in there]
    return min(float(np.median(times)) for times in in_turns(products, _REPEATS, turn=_TURN)) / 1000
