import numpy as np
import onnx
import onnxruntime
import pytest

from onenet.export.accuracy import layer_names
from onenet.export.exporting import Wanted, make_graphs
from onenet.export.int8 import float_islands, quantised
from onenet.export.trial import as_rows, calibration_windows


def constants(model):
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def weights(model):
    """The integer weights of each layer, and their scales."""
    values = constants(model)
    return {
        node.input[0]: (values[node.input[0]], values[node.input[1]])
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in values and values[node.input[0]].dtype == np.int8
    }


@pytest.mark.parametrize("suffix", [".int8", ".flat.int8"])
def test_the_flat_form_computes_in_integers_from_end_to_end(flat, suffix):
    assert float_islands(flat.graphs[suffix].graph) == []


def test_so_does_the_convolution_form(conv):
    assert float_islands(conv.graphs[".int8"].graph) == []
    assert conv.graphs[".int8"].islands == ()


def test_a_layer_kept_in_float_is_an_island(flat):
    rows = flat.graphs[".flat"]
    batches = [as_rows(window, 4) for window in calibration_windows(flat.card, flat.dataset, count=2, side=32)]
    names = layer_names(rows.graph)
    kept = quantised(rows.graph, batches, [names[2]])
    assert float_islands(kept) == ["Gemm", "Max"]  # left alone, ONNX Runtime would quantise it all the same
    assert len(weights(kept)) == len(names) - 1
    assert float_islands(quantised(rows.graph, batches, [names[-1]])) == []  # at the end it lies between nothing


def test_bytes_of_the_image_are_bytes_of_the_graph(flat, conv):
    """The input's scale is exactly 1/255 and its zero is zero, so that quantising a photo loses nothing."""
    graphs = [flat.graphs[".int8"].graph, flat.graphs[".flat.int8"].graph, conv.graphs[".int8"].graph]
    wanted = Wanted(float_=False, int8=True, input="bytes", max_drop=100.0)
    graphs += [made.graph for made in make_graphs(conv.network, wanted, conv.dataset)]
    for graph in graphs:
        values = constants(graph)
        first = next(node for node in graph.graph.node if node.op_type == "QuantizeLinear")
        assert values[first.input[1]] == np.float32(1 / 255)
        assert values[first.input[2]] == 0 and values[first.input[2]].dtype == np.uint8


def test_weights_have_a_scale_for_each_channel_and_seven_bits(conv):
    """Two products of an unsigned byte and a seven-bit weight fit into 16 bits: no processor saturates."""
    found = weights(conv.graphs[".int8"].graph)
    assert len(found) == len(layer_names(conv.graphs[""].graph))
    for integers, scales in found.values():
        assert scales.size == integers.shape[0] or scales.size == integers.shape[1]
        assert np.abs(integers.astype(int)).max() <= 64
        assert 2 * 255 * np.abs(integers.astype(int)).max() < 2**15


def test_activations_after_relu_are_unsigned_from_zero(flat):
    graph = flat.graphs[".flat.int8"].graph
    values = constants(graph)
    zeros = [values[n.input[2]] for n in graph.graph.node if n.op_type == "QuantizeLinear"]
    assert all(zero.dtype == np.uint8 for zero in zeros)
    assert sum(int(zero) != 0 for zero in zeros) <= 1  # the logits


def test_it_is_a_quarter_of_the_size(conv):
    sizes = {suffix: conv.graphs[suffix].graph.ByteSize() for suffix in ("", ".int8")}
    counted = sum(values.nbytes for values in constants(conv.graphs[""].graph).values())
    integers = sum(values.nbytes for values, _ in weights(conv.graphs[".int8"].graph).values())
    assert integers < 0.27 * counted and sizes[".int8"] < sizes[""]


def test_the_float_graph_is_left_as_it_is(flat):
    rows = flat.graphs[".flat"]
    before = rows.graph.SerializeToString(deterministic=True)
    batches = [as_rows(window, 4) for window in calibration_windows(flat.card, flat.dataset, count=1, side=32)]
    quantised(rows.graph, batches)
    assert rows.graph.SerializeToString(deterministic=True) == before


def test_integers_are_near_the_floats(flat):
    image = flat.dataset.read(flat.dataset.split("test")[0]).image[:64, :64].astype(np.float32) / 255
    rows = as_rows(image.transpose(2, 0, 1)[None], 4)
    given = [
        onnxruntime.InferenceSession(flat.graphs[suffix].graph.SerializeToString()).run(None, {"pixels": rows})[0]
        for suffix in (".flat", ".flat.int8")
    ]
    assert np.abs(given[0] - given[1]).mean() < 0.05 * np.abs(given[0]).mean() + 0.02
