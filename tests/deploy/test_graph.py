"""Shapes of a graph's tensors for any image size, against what ONNX's reference computes at a small one."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onenet.deploy.graph import read_graph
from onenet.errors import ExportError

node = helper.make_node


def model(*nodes, outputs=("y",), **numbers):
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, "h", "w"])
    y = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    return helper.make_model(
        helper.make_graph(list(nodes), "g", [x], y, stored), opset_imports=[helper.make_opsetid("", 20)]
    )


NODES = [
    node("Shape", ["x"], ["hw"], start=2), node("Split", ["hw"], ["h", "w"], num_outputs=2),
    node("Div", ["h", "two"], ["half"]), node("Concat", ["one", "two", "half", "two", "w"], ["target"], axis=0),
    node("Reshape", ["x", "target"], ["a"]), node("ReduceMax", ["a", "three"], ["b"], keepdims=0),
    node("ConvTranspose", ["b", "weight"], ["y"], strides=[2, 1]),
]  # fmt: skip
NUMBERS = dict(one=[1], two=[2], three=[3], weight=np.ones((2, 5, 2, 1), np.float32))


@pytest.mark.parametrize("size", [(4, 3), (10, 7)])
def test_every_shape_is_what_running_it_gives(size):
    names = ("a", "b", "y")
    results = ReferenceEvaluator(model(*NODES, outputs=names, **NUMBERS)).run(
        None, {"x": np.zeros((1, 2, *size), np.float32)}
    )
    sized = read_graph(model(*NODES, **NUMBERS)).at(size)
    assert [sized.shapes[name] for name in names] == [result.shape for result in results]
    assert sized.values["half"].tolist() == [size[0] // 2]


def test_a_size_that_no_memory_holds_is_as_quick():
    assert read_graph(model(*NODES, **NUMBERS)).at((1 << 20, 1 << 21)).shapes["y"] == (1, 5, 1 << 20, 1 << 21)


def test_what_comes_from_the_image_is_told_from_what_comes_from_its_size():
    graph = read_graph(model(*NODES, **NUMBERS))
    assert graph.from_image == {"x", "a", "b", "y"}
    assert (graph.image, graph.result, graph.rows, graph.columns, graph.opset()) == ("x", "y", 2, 3, 20)


def test_operators_of_others_are_refused_by_name():
    made = model(helper.make_node("Magic", ["x"], ["y"], domain="com.example"))
    with pytest.raises(ExportError, match=r"com\.example\.Magic is an operator that tiles do not know"):
        read_graph(made).at((8, 8))
