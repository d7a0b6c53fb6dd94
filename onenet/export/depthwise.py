"""Grouped convolutions that make several channels of each one, as repeats and depthwise convolutions.

    enlargement of k classes by 2      kx1: k -> 2k, k groups;  1xk: 2k -> 4k, 2k groups
    written here                       each channel four times;  kx1 and 1xk of 4k channels, one kernel a channel

The numbers are the same, integers included. Runtimes have integer kernels for a convolution of one channel to one, and
for a dense one; what lies between is computed a group at a time, which made onenet-x-s of 11 classes 1.9 times as slow
in ONNX Runtime (docs/notebook.md, "Enlargements in INT8").
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def only_depthwise(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a float graph in which a convolution of groups of one channel has one output a group.

    A repeat goes into the weights of the convolution before, where nothing else reads that one; else it is a 1x1
    convolution of zeros and ones.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = _Graph(copy.graph)
    for node in reversed(list(copy.graph.node)):  # so that a repeat can go through a whole chain
        if times := graph.times(node):
            group = _group(node)
            channels, group.i = group.i, group.i * times
            graph.repeat_input(node, channels, times)
    return graph.settled(copy)


def grouped(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions that `only_depthwise` writes anew."""
    graph = _Graph(model.graph)
    return [node.name for node in model.graph.node if graph.times(node)]


class _Graph:
    """A graph whose weights are replaced by name."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.weights = {tensor.name: tensor for tensor in graph.initializer}

    def weight(self, node: onnx.NodeProto) -> NDArray:
        return numpy_helper.to_array(self.weights[node.input[1]])

    def holds(self, node: onnx.NodeProto) -> bool:
        """Whether a convolution's weights are in the graph, and not computed in it."""
        return all(name in self.weights for name in node.input[1:] if name)

    def times(self, node: onnx.NodeProto) -> int:
        """How many channels a grouped convolution makes of each one; 0 for all else, and for one of one."""
        if node.op_type != "Conv" or node.input[1] not in self.weights or _group(node).i == 1:
            return 0
        weight = self.weight(node)
        times = weight.shape[0] // _group(node).i
        return times if weight.shape[1] == 1 and times > 1 else 0

    def repeat_input(self, node: onnx.NodeProto, channels: int, times: int) -> None:
        """Let a convolution read each channel of its input `times` times in a row."""
        before = next((other for other in self.graph.node if node.input[0] in other.output), None)
        readers = sum(node.input[0] in other.input for other in self.graph.node)
        output = any(node.input[0] == value.name for value in self.graph.output)
        if before is not None and before.op_type == "Conv" and readers == 1 and not output and self.holds(before):
            for index in (index for index, name in enumerate(before.input) if index and name):
                values = numpy_helper.to_array(self.weights[before.input[index]])
                before.input[index] = self.added(f"{before.input[index]}_{times}", values.repeat(times, axis=0))
            return
        ones = np.eye(channels, dtype=self.weight(node).dtype).repeat(times, axis=0)[:, :, None, None]
        repeated = f"{node.output[0]}_repeated"
        repeat = onnx.helper.make_node(
            "Conv", [node.input[0], self.added(f"{node.name}_ones", ones)], [repeated], f"{node.name}_repeat"
        )
        self.graph.node.insert(list(self.graph.node).index(node), repeat)
        node.input[0] = repeated

    def settled(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """The graph without weights that nothing reads any more, and with the shapes that it has now."""
        read = {name for node in self.graph.node for name in node.input}
        for tensor in [tensor for tensor in self.graph.initializer if tensor.name not in read]:
            self.graph.initializer.remove(tensor)
        del self.graph.value_info[:]
        return onnx.shape_inference.infer_shapes(model)

    def added(self, name: str, values: NDArray) -> str:
        while name in self.weights:
            name += "_"
        self.weights[name] = self.graph.initializer.add()
        self.weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _group(node: onnx.NodeProto) -> onnx.AttributeProto:
    found = next((attribute for attribute in node.attribute if attribute.name == "group"), None)
    return found or onnx.helper.make_attribute("group", 1)
