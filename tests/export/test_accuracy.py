import numpy as np
import onnx
import onnxruntime

from onenet.export.accuracy import layer_names, most_harmful, quantised_within
from onenet.export.trial import as_rows, calibration_windows


def opened(graph):
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda rows: session.run(None, {"pixels": rows})[0]


def rows_of(exports):
    return [as_rows(window, 4) for window in calibration_windows(exports.card, exports.dataset, count=2, side=32)]


def test_nothing_is_kept_where_the_score_holds(flat):
    found = quantised_within(flat.graphs[".flat"].graph, rows_of(flat), opened, lambda graph: 0.8, max_drop=0.0)
    assert found.kept == found.names == () and (found.before, found.after) == (0.8, 0.8)


def test_the_most_harmful_layers_are_kept_until_the_score_holds(flat):
    graph = flat.graphs[".flat"].graph
    order = most_harmful(graph, rows_of(flat), opened)
    assert sorted(order) == list(range(len(layer_names(graph))))

    def score(candidate):
        """As if each of the three most harmful layers cost a tenth."""
        left = {node.input[1] for node in candidate.graph.node if node.op_type == "Gemm"}
        names = [node.input[1] for node in graph.graph.node if node.op_type == "Gemm"]
        return 0.9 - 0.1 * sum(names[place] not in left for place in order[:3])

    found = quantised_within(graph, rows_of(flat), opened, score, max_drop=0.005)
    assert set(order[:3]) <= set(found.kept) and len(found.kept) == 4  # 1, 2, 4: doubled until it holds
    assert found.names == tuple(layer_names(graph)[place] for place in found.kept)
    assert found.after == 0.9


def test_harm_is_how_much_a_layer_alone_changes_the_output(flat):
    """A layer comes first whose weights seven bits cannot tell apart, for the sake of a channel that is never there."""
    graph = onnx.ModelProto()
    graph.CopyFrom(flat.graphs[".flat"].graph)
    gemms = [node for node in graph.graph.node if node.op_type == "Gemm"]
    before, victim = 8, 9  # both at the finest level, one after the other
    change(graph, gemms[before].input[1], lambda values: values[0].fill(0.0))
    change(graph, gemms[before].input[2], lambda values: values[:1].fill(0.0))
    change(graph, gemms[victim].input[1], lambda values: values[:, 0].fill(1e4))
    assert most_harmful(graph, rows_of(flat), opened)[0] == victim


def change(graph, name, how):
    tensor = next(tensor for tensor in graph.graph.initializer if tensor.name == name)
    values = onnx.numpy_helper.to_array(tensor).copy()
    how(values)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))


def test_where_nothing_helps_the_last_try_is_returned(flat):
    scores = iter([0.9, *np.zeros(20)])
    found = quantised_within(
        flat.graphs[".flat"].graph, rows_of(flat), opened, lambda graph: float(next(scores)), max_drop=0.01
    )
    assert len(found.kept) == len(layer_names(flat.graphs[".flat"].graph)) and found.after == 0.0
