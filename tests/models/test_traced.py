"""Networks in other people's pipelines: exported, traced or compiled once, they take images of any size."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import onenet
from onenet.errors import ShapeError
from onenet.images import padded_to, reflected
from onenet.models.network import PadToStride

ALL = [*(name for name in onenet.list_models() if name != "onenet-x-n"), "onenet-x-n"]  # which is compiled, too


@pytest.mark.parametrize("names", [["onenet-ed-4"], pytest.param(ALL, marks=pytest.mark.slow)], ids=len)
def test_one_graph_takes_any_size(names):
    program = Path(__file__).parent / "any_size.py"
    done = subprocess.run([sys.executable, program, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = [f"{how} {name}" for name in names for how in ("exported", "traced", "ONNX")]
    printed = [line for line in done.stdout.splitlines() if not line.startswith("[torch.onnx]")]
    assert printed == wanted + (["new ONNX", "compiled"] if "onenet-x-n" in names else [])


def test_what_is_no_image_is_refused_while_tracing_too():
    image = torch.zeros(1, 3, 16, 16, dtype=torch.float64)
    with pytest.raises(ShapeError, match=r"the image is torch\.float64"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(onenet.create_model("onenet-x-n", width=8), image, check_trace=False)


@pytest.mark.parametrize("stride", [2, 8, 16])
def test_the_padding_is_that_of_tiles(stride):
    for length in (*range(1, 40), 255):
        row = torch.arange(float(length)).reshape(1, 1, 1, length)
        found = PadToStride(stride)(row)[0, 0].numpy()
        expected = reflected(length, padded_to(length, stride)).astype(np.float32)
        assert np.array_equal(found, np.broadcast_to(expected, (stride, len(expected)))), length
