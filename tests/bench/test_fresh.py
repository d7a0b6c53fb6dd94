"""A model in a process of its own: memory and the first mask."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

from onenet.bench import fresh
from onenet.bench.candidates import Candidate
from onenet.bench.forms import write_forms
from onenet.bench.photos import photo_in_memory
from onenet.errors import OneNetError


def test_memory_of_a_fresh_process_is_its_own_and_not_its_parent_s(exported_files):
    """The parent holds 400 MB more meanwhile; the peak must not know of it, and must know of what the child holds."""
    candidate = Candidate("ed", str(exported_files / "ed.flat.int8.onnx"), "onnxruntime")
    ballast = np.ones(50_000_000)
    found = fresh.measure_fresh(candidate, photo_in_memory(3, 32), threads=1, masks=2)
    assert fresh.peak_bytes() > ballast.nbytes
    assert 20e6 < found.peak_bytes < 250e6
    assert 0 < found.first_mask < 30


def test_the_peak_is_the_most_that_was_ever_held():
    code = (
        "from onenet.bench.fresh import peak_bytes; import numpy as np\n"
        "before = peak_bytes(); a = np.ones(25_000_000); del a; print(peak_bytes() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 150e6 < int(done.stdout) <= 210e6


def test_the_fresh_process_of_an_exported_file_does_without_torch_and_onnx(exported_files, tmp_path):
    (tmp_path / "photo").write_bytes(photo_in_memory(3, 32))
    candidate = json.dumps(asdict(Candidate("ed", str(exported_files / "ed.onnx"), "onnxruntime")))
    code = (
        f"import sys; sys.argv = ['fresh', {candidate!r}, {str(tmp_path / 'photo')!r}, '1', '1']\n"
        "from onenet.bench import latency, fresh; fresh._main()\n"
        "print([name for name in ('torch', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "1024" and done.stdout.splitlines()[-1] == "[]"


def test_a_fresh_process_that_fails_says_why(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    with pytest.raises(OneNetError, match=r"x\.onnx in onnxruntime: its fresh process fails: .*no ONNX file"):
        fresh.measure_fresh(Candidate("x.onnx", str(tmp_path / "x.onnx"), "onnxruntime"), photo_in_memory(3, 16), 1)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Every form of onenet-ed-4 of full width."""
    return {path.name: path for path in write_forms(["onenet-ed-4"], tmp_path_factory.mktemp("wide"))}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["conv", "conv.int8", "flat", "flat.int8"])
def test_the_first_mask_of_a_fresh_process_takes_less_than_a_second(wide, form):
    candidate = Candidate(form, str(wide[f"onenet-ed-4.{form}.onnx"]), "onnxruntime")
    photo = photo_in_memory(3, 128)
    assert min(fresh.measure_fresh(candidate, photo, 2, masks=1).first_mask for _ in range(5)) < 1


MANY = """
import sys, numpy as np, onenet
model, runtime, count = sys.argv[1:]
segmenter, random, held = onenet.Segmenter(model, runtime, 1), np.random.default_rng(0), []
for index in range(1, int(count) + 1):
    size = random.integers(8, 160, 2)
    mask = segmenter(random.integers(0, 256, (*size, 3), dtype=np.uint8)).mask
    assert mask.shape == tuple(size)
    if index in (200, int(count)):
        pages = int(open("/proc/self/statm").read().split()[1])
        held.append(pages * 4096)
print(*held)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("runtime, name", [("onnxruntime", "e.onnx"), ("onnxruntime", "e.int8.onnx"),
                                           ("onnxruntime", "ed.flat.onnx"), ("openvino", "ed.flat.int8.onnx"),
                                           ("openvino", "e.onnx")])  # fmt: skip
def test_memory_stays_flat_over_2000_images_of_any_size(exported_files, runtime, name):
    pytest.importorskip(runtime)
    words = [sys.executable, "-c", MANY, str(exported_files / name), runtime, "2000"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    early, late = map(int, done.stdout.split())
    assert early > 20e6 and late - early < 20e6
