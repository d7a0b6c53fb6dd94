from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onenet.deploy.runtime import (
    RUNTIMES,
    OnnxRuntimeSession,
    OpenVinoSession,
    Session,
    installed,
    open_session,
    usable_cores,
)
from onenet.errors import ConfigError, DataError

WEIGHTS = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """rows @ WEIGHTS."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])],
        [onnx.numpy_helper.from_array(WEIGHTS, "w")],
    )  # fmt: skip
    path = tmp_path_factory.mktemp("product") / "product.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_session_computes_in_float32_for_any_number_of_rows(product, runtime):
    session = open_session(product, runtime, threads=1)
    assert isinstance(session, Session)
    for count in (1, 7, 300):
        rows = np.random.default_rng(count).normal(size=(count, 64)).astype(np.float32)
        exact = rows.astype(np.float64) @ WEIGHTS
        assert np.abs(session(rows) - exact).max() < 2e-5  # bfloat16 would be off by a hundredth


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_threads_can_share_a_session(product, runtime):
    session = open_session(product, runtime, threads=2, streams=2)
    tasks = [np.full((5 + i % 3, 64), i, dtype=np.float32) for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for task, given in zip(tasks, pool.map(session, tasks), strict=True):
            assert np.allclose(given, task @ WEIGHTS, atol=1e-3)


def test_what_openvino_gave_is_not_overwritten_by_the_next_call(product):
    session = OpenVinoSession(product, threads=1)
    first = session(np.ones((4, 64), dtype=np.float32))
    kept = first.copy()
    session(np.zeros((4, 64), dtype=np.float32))
    assert np.array_equal(first, kept)


def test_openvino_keeps_few_shapes(product):
    session = OpenVinoSession(product, threads=1)
    for count in range(1, 20):
        session(np.ones((count, 64), dtype=np.float32))
    assert len(session._compiled) <= 8


@pytest.mark.parametrize("kind", [OnnxRuntimeSession, OpenVinoSession])
def test_a_file_that_is_no_graph_is_refused_in_one_line(kind, tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(DataError, match=r"x\.onnx: cannot be loaded") as caught:
        kind(tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"y\.onnx: no such file"):
        kind(tmp_path / "y.onnx")


def test_an_unknown_runtime_is_refused(product):
    with pytest.raises(ConfigError, match="unknown runtime 'tensorrt'"):
        open_session(product, "tensorrt", 1)


def test_cores_and_installed():
    assert usable_cores() >= 1
    assert installed("numpy") and not installed("no_such_runtime")
