"""INT8 files give the same bits on processors with and without VNNI: OpenVINO is capped to older instruction sets."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onenet.deploy.runtime import OpenVinoSession

RUN = """
import sys
import numpy as np
from onenet.deploy.runtime import OpenVinoSession
session = OpenVinoSession(sys.argv[1], threads=1)
np.save(sys.argv[3], session(np.load(sys.argv[2])))
"""


def capped(model, array, instructions, folder):
    """What a graph gives in a process that may use these instructions only."""
    np.save(folder / "in.npy", array)
    cap = {"ONEDNN_MAX_CPU_ISA": instructions} if instructions else {}
    words = [sys.executable, "-c", RUN, model, folder / "in.npy", folder / "out.npy"]
    subprocess.run(list(map(str, words)), env=os.environ | cap, check=True)
    return np.load(folder / "out.npy")


def product(path, weight):
    """bytes @ weights, all of one value, 64 to a sum: as INT8 graphs are."""
    constants = {
        "in_scale": np.float32(1 / 255), "in_zero": np.uint8(0),
        "w": np.full((16, 64), weight, dtype=np.int8), "w_scale": np.full(16, 0.01, np.float32),
        "w_zero": np.zeros(16, np.int8),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "in_scale", "in_zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "in_scale", "in_zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["dw"], axis=0),
        helper.make_node("Gemm", ["d", "dw"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes, "product", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 16])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("file", ["ed.int8.onnx", "ed.flat.int8.onnx", "e.int8.onnx"])
def test_int8_logits_are_the_same_bits_on_older_processors(file, exported_files, tmp_path):
    random = np.random.default_rng(0)
    array = random.random((4096, 3) if "flat" in file else (1, 3, 64, 64), dtype=np.float32)
    here = OpenVinoSession(exported_files / file, threads=1)(array)
    for instructions in ("AVX2", "AVX512_CORE", "SSE41"):
        assert np.array_equal(capped(exported_files / file, array, instructions, tmp_path), here), instructions


@pytest.mark.slow
def test_seven_bits_are_what_makes_them_so(tmp_path):
    """The cap works, and eight bits would saturate: the largest products, on a processor with AVX2 alone."""
    array = np.ones((64, 64), dtype=np.float32)
    for weight, safe in ((64, True), (127, False)):
        model = product(tmp_path / "product.onnx", weight)
        exact = np.full((64, 16), 64 * weight * 0.01, dtype=np.float32)
        assert np.allclose(capped(model, array, "", tmp_path), exact, rtol=1e-5) or not _has_vnni()
        assert np.allclose(capped(model, array, "AVX2", tmp_path), exact, rtol=1e-5) == safe


def _has_vnni():
    info = Path("/proc/cpuinfo")
    return info.is_file() and "vnni" in info.read_text()
