"""Reference products, against products written with loops."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from onenet.bench import rates
from onenet.bench.bound import bound

RUNTIMES = ("onnxruntime", "openvino")


@pytest.mark.parametrize("precision", rates.PRECISIONS)
def test_a_reference_graph_is_one_matrix_product(precision):
    shape = 6, 5, 4
    model = onnx.load_model_from_string(rates.product_graph(shape, precision))
    onnx.checker.check_model(model)
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    rows = rates._rows(shape, precision)
    found = ReferenceEvaluator(model).run(None, {"x": rows})[0]
    if precision == "float":
        expected = [[sum(rows[i, k] * stored["w"][k, j] for k in range(5)) for j in range(4)] for i in range(6)]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        return
    assert rows.dtype == found.dtype == np.uint8 and stored["w8"].dtype == np.int8
    assert np.abs(stored["w8"]).max() == 64  # seven bits
    for i in range(6):
        for j in range(4):
            total = sum(int(rows[i, k]) * int(stored["w8"][k, j]) for k in range(5))
            value = total * float(stored["x_scale"]) * float(stored["w_scale"][j]) / float(stored["y_scale"]) + 128
            assert abs(int(found[i, j]) - min(max(value, 0), 255)) <= 0.51


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("precision", rates.PRECISIONS)
def test_a_runtime_computes_it_as_one_product_in_that_precision(runtime, precision):
    pytest.importorskip(runtime)
    shape = 256, 128, 64
    steps = bound(rates.product_graph(shape, precision), rates._rows(shape, precision), runtime, 1, True).steps(2)
    kinds = [step.kind for step in steps]
    expected = {"onnxruntime": {"float": "Gemm", "int8": "QGemm"}}.get(runtime, {}).get(precision, "FullyConnected")
    assert kinds.count(expected) == 1, kinds
    assert set(kinds) - {expected} <= {"Reorder", "Subgraph"}, kinds  # nothing is computed apart


def test_many_rows_are_several_products_of_as_many_operations():
    shapes = Counter({(10_000, 8, 4): 2, (4096, 3, 3): 1, (10, 2, 2): 5})
    blocks = rates.in_blocks(shapes)
    assert blocks == {(4096, 8, 4): 4, (1808, 8, 4): 2, (4096, 3, 3): 1, (10, 2, 2): 5}
    total, again = (sum(n * rates.operations(shape) for shape, n in some.items()) for some in (shapes, blocks))
    assert total == again == 2 * (2 * 10_000 * 8 * 4 + 4096 * 9 + 5 * 40)


def test_the_rate_of_a_network_s_own_products_is_their_operations_over_their_time(monkeypatch):
    seconds = {(4096, 8, 4): 0.5, (4, 8, 4): 0.25}
    monkeypatch.setattr(rates, "_best_seconds", lambda shape, precision, threads: seconds[shape])
    rate = rates.own_rate(Counter({(8196, 8, 4): 1}), "float", 1)  # 4096 + 4096 + 4 rows
    assert rate == pytest.approx(2 * 8196 * 8 * 4 / (0.5 + 0.5 + 0.25))
