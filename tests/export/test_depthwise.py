import numpy as np
import onnx
import onnxruntime
import pytest
from networks import uneven
from onnx import numpy_helper

from onenet.deploy.description import Description
from onenet.export.conv import conv_form
from onenet.export.depthwise import grouped, only_depthwise
from onenet.export.graph import image_graph
from onenet.export.int8 import float_islands, quantised

RANDOM = np.random.default_rng(3)


def graph_of(name, **sizes):
    network = uneven(name, **sizes).float()
    return image_graph(conv_form(network), network.card, Description(form="conv"))


def outputs(model, image):
    onnx.checker.check_model(model, full_check=True)  # shapes that are written down are those that are
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def groups(model):
    """(groups, output channels, input channels a group) of each convolution, by the shapes of its weights."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return [
        (attribute.i, *shapes[node.input[1]][:2])
        for node in model.graph.node
        for attribute in node.attribute
        if node.op_type == "Conv" and attribute.name == "group"
    ]


def only_dense_or_depthwise(model):
    return all(group == 1 or (out == group and per_group == 1) for group, out, per_group in groups(model))


@pytest.mark.parametrize("name", ["onenet-x-n", "onenet-x-m", "onenet-x-s-decoder"])
def test_an_enlargement_is_the_same_numbers_by_depthwise_convolutions(name):
    model = graph_of(name, width=8, deepest=16)
    written = only_depthwise(model)
    assert not only_dense_or_depthwise(model) and only_dense_or_depthwise(written)
    assert grouped(model) and not grouped(written)
    image = RANDOM.random((2, 3, 32, 48), dtype=np.float32)
    np.testing.assert_allclose(outputs(written, image), outputs(model, image), rtol=1e-6, atol=1e-6)
    assert written.metadata_props == model.metadata_props


def test_integers_are_the_same_too():
    model = graph_of("onenet-x-m", width=8, deepest=16)
    batches = [RANDOM.random((1, 3, 64, 64), dtype=np.float32) for _ in range(2)]
    integers, by_group = quantised(only_depthwise(model), batches), quantised(model, batches)
    image = RANDOM.random((1, 3, 48, 64), dtype=np.float32)
    found, expected = outputs(integers, image), outputs(by_group, image)
    step = np.diff(np.unique(expected)).min()
    assert np.abs(found - expected).max() < step / 2
    assert float_islands(integers) == []


@pytest.mark.parametrize("name", ["unet-4", "mobilenet-unet-4"])
def test_a_graph_without_such_convolutions_stays(name):
    model = graph_of(name)
    written = only_depthwise(model)
    assert [node.SerializeToString() for node in written.graph.node] == [
        node.SerializeToString() for node in model.graph.node
    ]
    assert len(written.graph.initializer) == len(model.graph.initializer)


@pytest.mark.parametrize("bias", ["", "bias"])
def test_a_convolution_that_others_read_gets_its_repeat_beside_it(bias):
    """a -> b and a -> c (1 to 2 a group), and a is an output: repeating a's weights would change it."""
    make, value, shape = onnx.helper.make_node, onnx.helper.make_tensor_value_info, ["n", "c", "h", "w"]
    weights = {"wa": (3, 3, 1, 1), "wb": (6, 1, 3, 1), "wc": (6, 1, 1, 3), "bias": (3,)}
    nodes = [
        make("Conv", ["x", "wa", bias], ["a"], "first", group=1),
        make("Conv", ["a", "wb"], ["b"], "second", group=3, pads=[1, 0, 1, 0]),
        make("Conv", ["a", "wc"], ["c"], "third", group=3, pads=[0, 1, 0, 1]),
        make("Concat", ["b", "c"], ["d"], "both", axis=1),
    ]
    graph = onnx.helper.make_graph(
        nodes, "g", [value("x", 1, ["n", 3, "h", "w"])], [value("d", 1, shape), value("a", 1, shape)],
        [numpy_helper.from_array(RANDOM.random(s, dtype=np.float32), n) for n, s in weights.items()],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    written = only_depthwise(model)
    assert [node.name for node in written.graph.node] == [
        "first", "second_repeat", "second", "third_repeat", "third", "both"
    ]  # fmt: skip
    image = RANDOM.random((1, 3, 5, 7), dtype=np.float32)
    np.testing.assert_allclose(outputs(written, image), outputs(model, image), rtol=1e-6)
    assert not only_dense_or_depthwise(model) and only_dense_or_depthwise(written)


def test_weights_that_are_computed_in_the_graph_are_left_to_a_repeat():
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    weights = {"w": (3, 3, 1, 1), "wb": (6, 1, 3, 1)}
    nodes = [
        make("Identity", ["w"], ["wa"], "same"),
        make("Conv", ["x", "wa"], ["a"], "first", group=1),
        make("Conv", ["a", "wb"], ["b"], "second", group=3, pads=[1, 0, 1, 0]),
    ]
    graph = onnx.helper.make_graph(
        nodes, "g", [value("x", 1, ["n", 3, "h", "w"])], [value("b", 1, ["n", "c", "h", "w"])],
        [numpy_helper.from_array(RANDOM.random(s, dtype=np.float32), n) for n, s in weights.items()],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    written = only_depthwise(model)
    assert "second_repeat" in [node.name for node in written.graph.node]
    image = RANDOM.random((1, 3, 5, 7), dtype=np.float32)
    np.testing.assert_allclose(outputs(written, image), outputs(model, image), rtol=1e-6)
