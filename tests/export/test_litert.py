import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import onenet
from onenet.deploy.litert import LitertSession
from onenet.errors import DataError, FailedCheckError
from onenet.export import litert
from onenet.export.files import write_folders
from onenet.export.litert import make_litert

pytest.importorskip("litert_torch", reason="in an environment of its own: tests/promises/test_phone_environment.py")


@pytest.fixture(scope="module", params=["flat", "conv"])
def made(request, tmp_path_factory):
    exports = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("litert")
    write_folders([make_litert(exports.network, exports.graphs[""], None)], folder, "small")
    return exports, folder / "small.litert"


def test_images_of_any_size_and_number_are_computed_as_by_torch(made):
    exports, folder = made
    segmenter = onenet.Segmenter(folder)
    assert segmenter.card == exports.card and segmenter.runner.halo() == exports.graphs[""].description.halo
    for shape in ((1, 3, 4, 4), (3, 3, 30, 41), (1, 3, 600, 12), (1, 3, 4, 4)):
        images = np.random.default_rng(0).random(shape, dtype=np.float32)
        with torch.no_grad():
            expected = exports.network(torch.from_numpy(images)).numpy()
        assert np.abs(segmenter.runner.run(images) - expected).max() < 1e-5


def test_no_views_or_sizes_are_in_it(made):
    """What LiteRT could compute for one size only."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(made[1] / "model.tflite"))
    kinds = {operator["op_name"] for operator in interpreter._get_ops_details()}
    assert kinds <= {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "ADD", "CONCATENATION", "TRANSPOSE", "DELEGATE"}


def test_a_single_wrong_weight_is_caught(conv, monkeypatch):
    real = litert.program_form

    def mistaken(network, description):
        form = real(network, description)
        next(form.parameters()).data.view(-1)[0] += 0.5
        return form

    monkeypatch.setattr(litert, "program_form", mistaken)
    with pytest.raises(FailedCheckError, match=r"onenet-e-4\.litert is not the network: .*; nothing was written"):
        make_litert(conv.network, conv.graphs[""], None)


def test_damaged_and_missing_files_are_refused_in_one_line(made, tmp_path):
    whole = (made[1] / "model.tflite").read_bytes()
    for length in (0, 100, len(whole) // 2):
        (tmp_path / "model.tflite").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"model\.tflite: cannot be loaded \(.*\); is it whole"):
            LitertSession(tmp_path / "model.tflite")
    with pytest.raises(DataError, match=r"nothing\.tflite: no such file"):
        LitertSession(tmp_path / "nothing.tflite")


def test_the_command_writes_a_folder_that_predict_takes(onenet_command, exported_files, tmp_path):
    shutil.copy(exported_files / "e.safetensors", tmp_path / "small.safetensors")
    done = onenet_command("export", "small.safetensors", "--to", "litert", "--json")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["files"]
    assert row["file"] == "small.litert" and row["largest_difference"] < 1e-5 and row["images"] >= 8
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)).save(photo)
    assert onenet_command("predict", "small.litert", photo, "--out", "a").code == 0
    expected = onenet.Segmenter(tmp_path / "small.safetensors")(photo).mask
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a/photo.png")), expected)
