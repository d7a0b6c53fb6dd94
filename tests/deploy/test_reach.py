"""Each operator's reach, against what a pixel of NaN does to torch's own operator."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

from onenet.deploy.footprint import graph_footprint
from onenet.deploy.runner import Halo
from onenet.errors import ExportError

node = helper.make_node


def graph(*nodes, weights=None, channels=1, opset=20, image=None, kind=TensorProto.DOUBLE):
    """A model of some nodes from `x`, (1, channels, h, w), to `y`."""
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()]
    x = helper.make_tensor_value_info("x", kind, image or [1, channels, "h", "w"])
    y = helper.make_tensor_value_info("y", kind, None)
    made = helper.make_graph(list(nodes), "test", [x], [y], stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])


def ones(*shape):
    return torch.ones(shape, dtype=torch.float64)


W3, W2, WIDE = ones(1, 1, 3, 3), ones(1, 1, 2, 2), ones(1, 1, 5, 3)
UNSHUFFLE = [
    node("Shape", ["x"], ["h"], start=2, end=3), node("Shape", ["x"], ["w"], start=3),
    node("Div", ["h", "two"], ["h2"]), node("Div", ["w", "two"], ["w2"]),
    node("Concat", ["one", "one", "h2", "two", "w2", "two"], ["apart"], axis=0),
    node("Concat", ["one", "four", "h2", "w2"], ["together"], axis=0),
    node("Reshape", ["x", "apart"], ["a"]), node("Transpose", ["a"], ["b"], perm=[0, 1, 3, 5, 2, 4]),
    node("Reshape", ["b", "together"], ["y"]),
]  # fmt: skip
CROSSED = [
    node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
    node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2]),
    node("Conv", ["b", "w"], ["c"], pads=[1, 1, 1, 1]), node("ConvTranspose", ["c", "v"], ["d"], strides=[2, 2]),
    node("Concat", ["x", "d"], ["e"], axis=1), node("Softmax", ["e"], ["f"], axis=1),
    node("ReduceMean", ["f", "one"], ["y"]),
]  # fmt: skip


def crossed(x):
    deep = F.conv_transpose2d(F.conv2d(F.max_pool2d(F.conv2d(x, W3, padding=1), 2), W3, padding=1), W2, stride=2)
    return torch.cat([x, deep], 1).softmax(1).mean(1, keepdim=True)


OPERATORS = {
    "convolution": ([node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], {"w": W3},
        lambda x: F.conv2d(x, W3, padding=1)),
    "of stride 2": ([node("Conv", ["x", "w"], ["y"], pads=[2, 1, 2, 1], strides=[2, 2])], {"w": WIDE},
        lambda x: F.conv2d(x, WIDE, stride=2, padding=(2, 1))),
    "dilated": ([node("Conv", ["x", "w"], ["y"], pads=[3, 2, 3, 2], dilations=[3, 2])], {"w": W3},
        lambda x: F.conv2d(x, W3, padding=(3, 2), dilation=(3, 2))),
    "padded at one side": ([node("Conv", ["x", "w"], ["y"], pads=[0, 1, 1, 0])], {"w": W2},
        lambda x: F.conv2d(F.pad(x, (1, 0, 0, 1)), W2)),
    "of the same size": ([node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2])], {"w": W3},
        lambda x: F.conv2d(F.pad(x, (0, 1, 0, 1)), W3, stride=2)),
    "of the same size, before": ([node("Conv", ["x", "w"], ["y"], auto_pad="SAME_LOWER", strides=[2, 2])], {"w": W3},
        lambda x: F.conv2d(F.pad(x, (1, 0, 1, 0)), W3, stride=2)),
    "transposed": ([node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])], {"w": W2},
        lambda x: F.conv_transpose2d(x, W2, stride=2)),
    "transposed and overlapping": (
        [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        {"w": W3}, lambda x: F.conv_transpose2d(x, W3, stride=2, padding=1, output_padding=1)),
    "max pool": ([node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], {},
        lambda x: F.max_pool2d(x, 3, 2, 1)),
    "average pool": ([node("AveragePool", ["x"], ["y"], kernel_shape=[3, 2], strides=[1, 2], pads=[1, 0, 1, 0])], {},
        lambda x: F.avg_pool2d(x, (3, 2), (1, 2), (1, 0))),
    "shuffle there and back": ([node("SpaceToDepth", ["x"], ["a"], blocksize=2), node("Conv", ["a", "w"], ["b"]),
        node("DepthToSpace", ["b"], ["y"], blocksize=2)], {"w": ones(4, 4, 1, 1)},
        lambda x: F.pixel_shuffle(F.conv2d(F.pixel_unshuffle(x, 2), ones(4, 4, 1, 1)), 2)),
    "unshuffle": ([node("SpaceToDepth", ["x"], ["y"], blocksize=2)], {}, lambda x: F.pixel_unshuffle(x, 2)),
    "unshuffle as exporters write it": (UNSHUFFLE, {"one": [1], "two": [2], "four": [4]},
        lambda x: F.pixel_unshuffle(x, 2)),
    "nearest": ([node("Resize", ["x", "", "s"], ["y"], mode="nearest")], {"s": np.float32([1, 1, 2, 3])},
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="nearest")),
    "bilinear": ([node("Resize", ["x", "", "s"], ["y"], mode="linear")], {"s": np.float32([1, 1, 2, 2])},
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    "reduced": ([node("Resize", ["x", "", "s"], ["y"], mode="nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor")], {"s": np.float32([1, 1, 0.5, 0.5])}, lambda x: F.interpolate(x, scale_factor=0.5)),
    "repeated": ([node("Upsample", ["x", "s"], ["y"], mode="nearest")], {"s": np.float32([1, 1, 2, 2])},
        lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3)),
    "mirrored, then cut": ([node("Pad", ["x", "p"], ["a"], mode="reflect"), node("Conv", ["a", "w"], ["b"]),
        node("Slice", ["b", "from", "to", "axes"], ["y"])],
        {"w": W2, "p": [0, 0, 0, 2, 0, 0, 3, 1], "from": [1, 2], "to": [-1, 2**31], "axes": [2, 3]},
        lambda x: F.conv2d(F.pad(x, (2, 1, 0, 3), mode="reflect"), W2)[:, :, 1:-1, 2:]),
    "edge": ([node("Pad", ["x", "p"], ["a"], mode="edge"), node("Conv", ["a", "w"], ["y"])],
        {"w": W3, "p": [0, 0, 1, 1, 0, 0, 1, 1]}, lambda x: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), W3)),
    "products": ([node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]), node("MatMul", ["a", "w"], ["b"]),
        node("Transpose", ["b"], ["y"], perm=[0, 3, 1, 2])], {"w": ones(1, 4)}, lambda x: x.repeat(1, 4, 1, 1)),
    "a small U-Net": (CROSSED, {"w": W3, "v": W2, "one": [1]}, crossed),
}  # fmt: skip
OLDER = {"repeated": 9}


@pytest.mark.parametrize("nodes, weights, function", OPERATORS.values(), ids=OPERATORS)
def test_an_operator_reaches_as_far_as_nan_does(nan, request, nodes, weights, function):
    size = 24, 16
    footprint = graph_footprint(graph(*nodes, weights=weights, opset=OLDER.get(request.node.callspec.id, 20)))
    marked, pixels = nan.seen(function, size)
    height, width = marked.shape[1:]
    for rows in nan.blocks(height, 3):
        for columns in nan.blocks(width, 5):
            assert list(footprint.needs(rows, columns, size)) == nan.around(marked, pixels, rows, columns)


STRIDES = {"convolution": 1, "of stride 2": 2, "transposed": 1, "unshuffle": 2, "a small U-Net": 2, "reduced": 2}


@pytest.mark.parametrize("name", STRIDES)
def test_the_stride_is_what_divides_evenly(name):
    nodes, weights, _ = OPERATORS[name]
    assert graph_footprint(graph(*nodes, weights=weights)).stride == STRIDES[name]


def test_rows_of_a_flattened_image_are_known_again():
    """As in the flat form: tiles of 4x4 pixels as rows of a matrix, products, and back; sizes come from the image."""
    nodes = [
        node("Shape", ["x"], ["h"], start=2, end=3), node("Shape", ["x"], ["w"], start=3),
        node("Div", ["h", "four"], ["h4"]), node("Div", ["w", "four"], ["w4"]), node("Mul", ["h4", "w4"], ["n"]),
        node("Concat", ["one", "one", "h4", "four", "w4", "four"], ["apart"], axis=0),
        node("Concat", ["n", "sixteen"], ["rows"], axis=0),
        node("Concat", ["one", "h4", "w4", "four", "four", "one"], ["tiles"], axis=0),
        node("Concat", ["one", "one", "h", "w"], ["image"], axis=0),
        node("Reshape", ["x", "apart"], ["a"]), node("Transpose", ["a"], ["b"], perm=[0, 2, 4, 3, 5, 1]),
        node("Reshape", ["b", "rows"], ["c"]), node("MatMul", ["c", "m"], ["d"]),
        node("Reshape", ["d", "tiles"], ["e"]), node("Transpose", ["e"], ["f"], perm=[0, 5, 1, 3, 2, 4]),
        node("Reshape", ["f", "image"], ["y"]),
    ]  # fmt: skip
    numbers = {"one": [1], "four": [4], "sixteen": [16], "m": ones(16, 16)}
    footprint = graph_footprint(graph(*nodes, weights=numbers))
    assert footprint.halo() == Halo() and footprint.stride == 4
    assert footprint.needs((5, 6), (9, 11), (24, 16)) == ((4, 8), (8, 12))


REFUSED = {
    "GlobalAveragePool": ([node("GlobalAveragePool", ["x"], ["a"]), node("Mul", ["x", "a"], ["y"])], {}),
    "ReduceMean": ([node("ReduceMean", ["x", "axes"], ["a"]), node("Sub", ["x", "a"], ["y"])], {"axes": [2, 3]}),
    "ReduceMax": ([node("ReduceMax", ["x"], ["a"]), node("Div", ["x", "a"], ["y"])], {}),
    "InstanceNormalization": ([node("InstanceNormalization", ["x", "s", "s"], ["y"])], {"s": ones(1)}),
    "Softmax": ([node("Softmax", ["x"], ["y"], axis=-1)], {}),
    "CumSum": ([node("CumSum", ["x", "axis"], ["y"])], {"axis": np.int64(2)}),
    "BatchNormalization": ([node("BatchNormalization", ["x", *"ssss"], ["y", "m", "v"], training_mode=1)],
        {"s": ones(1)}),
    "MatMul": ([node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]), node("MatMul", ["x", "t"], ["a"]),
        node("MatMul", ["a", "x"], ["y"])], {}),
    "Resize": ([node("Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="align_corners")],
        {"s": np.float32([1, 1, 2, 2])}),
    "Concat": ([node("Concat", ["x", "x"], ["y"], axis=2)], {}),
    "Add": ([node("Shape", ["x"], ["h"], start=2, end=3), node("ConstantOfShape", ["h"], ["z"]),
        node("CumSum", ["z", "axis"], ["r"]), node("Cast", ["r"], ["d"], to=TensorProto.DOUBLE),
        node("Unsqueeze", ["d", "one"], ["u"]), node("Add", ["x", "u"], ["y"])], {"axis": np.int64(0), "one": [1]}),
    "Div": ([node("Shape", ["x"], ["h"], start=2, end=3), node("Cast", ["h"], ["d"], to=TensorProto.DOUBLE),
        node("Div", ["x", "d"], ["y"])], {}),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_looks_at_the_whole_image_is_refused_by_name(kind):
    nodes, weights = REFUSED[kind]
    with pytest.raises(ExportError, match=rf"^{kind} '.*' .*, so the network cannot be cut into tiles"):
        graph_footprint(graph(*nodes, weights=weights)).halo()


def test_a_resize_by_no_whole_factor_is_refused():
    nodes = [
        node("Resize", ["x", "", "s"], ["a"], mode="nearest"),
        node("Resize", ["a", "", "t"], ["y"], mode="nearest"),
    ]
    weights = {"s": np.float32([1, 1, 1.5, 1.5]), "t": np.float32([1, 1, 2, 2])}
    with pytest.raises(ExportError, match="which is no whole factor"):
        graph_footprint(graph(*nodes, weights=weights)).halo()


def test_quantised_layers_and_classes_are_followed():
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["f"]),
        node("Conv", ["f", "w"], ["a"], pads=[1, 1, 1, 1]),
        node("Clip", ["a"], ["b"]), node("ArgMax", ["b"], ["c"], axis=1, keepdims=0),
        node("Cast", ["c"], ["y"], to=TensorProto.UINT8),
    ]  # fmt: skip
    weights = {"s": np.float32(0.1), "z": np.uint8(0), "w": ones(3, 1, 3, 3).float()}
    footprint = graph_footprint(graph(*nodes, weights=weights, kind=TensorProto.FLOAT))
    assert footprint.needs((4, 5), (0, 3), (9, 9)) == ((3, 6), (0, 4))


def test_images_with_their_channels_last_are_followed():
    nodes = [node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]), node("Conv", ["a", "w"], ["y"], pads=[1, 1, 1, 1])]
    made = graph(*nodes, weights={"w": ones(2, 3, 3, 3)}, image=[1, "h", "w", 3])
    assert graph_footprint(made).needs((4, 5), (0, 3), (9, 9)) == ((3, 6), (0, 4))
