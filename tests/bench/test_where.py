"""Where the time goes, as the runtimes account for it."""

import numpy as np
import onnx
import pytest

from onenet.bench.candidates import Candidate, open_candidate
from onenet.bench.photos import photo_in_memory, prepared
from onenet.bench.where import where_time_goes

RUNTIMES = ("onnxruntime", "openvino")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["ed.flat.onnx", "e.int8.onnx"])
def test_the_time_of_operators_adds_up_and_fits_the_graph(exported_files, runtime, name):
    pytest.importorskip(runtime)
    candidate = Candidate(name, str(exported_files / name), runtime)
    segmenter = open_candidate(candidate, 1)
    session = segmenter.runner.session
    found = where_time_goes(candidate, segmenter, prepared(photo_in_memory(3, 64), segmenter.card), 1)
    assert segmenter.runner.session is session
    assert sum(one["ms"] for one in found["operators"]) == pytest.approx(found["ms"], abs=0.01)
    assert sum(one["share"] for one in found["operators"]) == pytest.approx(1, abs=0.01)
    assert [one["ms"] for one in found["nodes"]] == sorted((one["ms"] for one in found["nodes"]), reverse=True)
    products = [one["count"] for one in found["operators"] if one["kind"] in ("Gemm", "FusedGemm", "FullyConnected")]
    if name == "ed.flat.onnx":
        graph = onnx.load(exported_files / name).graph
        assert sum(products) == sum(node.op_type in ("Gemm", "MatMul") for node in graph.node) > 5
        assert found["of"] == "a block of 4096 rows, one thread"


def test_torch_is_not_asked(exported_files):
    candidate = Candidate("ed", str(exported_files / "ed.safetensors"), "torch")
    assert where_time_goes(candidate, open_candidate(candidate, 1), np.zeros((1, 3, 16, 16), np.float32), 1) is None
