import threading

import numpy as np
import pytest
import torch

import onenet
from onenet.deploy.description import Description
from onenet.deploy.exported import FlatRunner, ImageRunner
from onenet.deploy.opening import is_exported, open_exported
from onenet.errors import ConfigError, DataError, OneNetError


def test_a_folder_is_known_by_its_ending_and_for_one_runtime_only(tmp_path):
    assert is_exported("a.executorch") and is_exported("a.int8.executorch")
    with pytest.raises(ConfigError, match=r"x\.executorch: only executorch runs this, not openvino"):
        open_exported(tmp_path / "x.executorch", "openvino")
    with pytest.raises(DataError, match=r"x\.executorch: holds no model of onenet"):
        open_exported(tmp_path / "x.executorch")
    with pytest.raises(ConfigError, match=r"x\.mlpackage: a Core ML package is for apps on Apple's machines; give the"):
        onenet.Segmenter(tmp_path / "x.mlpackage")


def test_other_files_are_not_for_it(exported_files):
    with pytest.raises(ConfigError, match=r"e\.onnx: executorch runs folders NAME\.executorch; make one with"):
        onenet.Segmenter(exported_files / "e.onnx", runtime="executorch")


def test_where_it_is_missing_its_extra_is_named(monkeypatch):
    from onenet.deploy.executorch import ExecutorchSession

    monkeypatch.setattr("onenet.deploy.runtime.installed", lambda name: False)
    with pytest.raises(OneNetError, match=r"executorch, which is not installed: .*onenet-seg\[executorch\]"):
        ExecutorchSession(b"")


@pytest.fixture(scope="session")
def programs(flat, conv, tmp_path_factory):
    """A folder with ed.executorch, ed.flat.executorch and e.executorch."""
    pytest.importorskip("executorch", reason="in an environment of its own")
    from onenet.export.files import write_folders
    from onenet.export.programs import make_programs

    folder = tmp_path_factory.mktemp("programs")
    for name, exports in (("ed", flat), ("e", conv)):
        graphs = [made for made in exports.graphs.values() if made.description.precision == "float"]
        write_folders(make_programs(exports.network, graphs, None, 0.5), folder, name)
    return folder


def test_the_runner_and_the_card_are_those_of_the_folder(programs, flat, conv):
    runner, card = open_exported(programs / "ed.flat.executorch")
    assert isinstance(runner, FlatRunner) and card == flat.card
    runner, card = open_exported(programs / "e.executorch", "executorch", threads=1)
    assert isinstance(runner, ImageRunner) and card == conv.card
    assert runner.halo() == conv.graphs[""].description.halo


@pytest.mark.parametrize("name", ["ed", "ed.flat", "e"])
def test_images_of_any_size_and_number_are_computed_as_by_torch(programs, flat, conv, name):
    network = (flat if name.startswith("ed") else conv).network
    runner, _ = open_exported(programs / f"{name}.executorch")
    for shape in ((1, 3, 4, 4), (3, 3, 30, 41), (1, 3, 2500, 12), (1, 3, 70, 33)):
        images = np.random.default_rng(0).random(shape, dtype=np.float32)
        with torch.no_grad():
            expected = network(torch.from_numpy(images)).numpy()
        assert np.abs(runner.run(images) - expected).max() < 1e-5


def test_large_images_are_cut_into_exact_tiles(programs, conv):
    segmenter = onenet.Segmenter(programs / "e.executorch")
    image = np.random.default_rng(0).integers(0, 256, (2100, 2052, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = conv.network(torch.from_numpy(image).permute(2, 0, 1)[None] / 255)[0].numpy()
    assert segmenter.cuts(image.shape[:2])
    assert np.abs(segmenter.logits(image) - expected).max() < 1e-5
    segmenter.tile = 0
    with pytest.raises(DataError, match=r"memory for images of 4,194,304 pixels, not of 2100x2052; let them be cut"):
        segmenter.logits(image)


def test_threads_may_call_it_at_once(programs):
    runner, _ = open_exported(programs / "e.executorch")
    images = [np.full((1, 3, 16, 16 + 4 * index), index / 8, dtype=np.float32) for index in range(8)]
    expected = [runner.run(image) for image in images]
    found = [None] * len(images)

    def compute(index):
        for _ in range(20):
            found[index] = runner.run(images[index])

    threads = [threading.Thread(target=compute, args=(index,)) for index in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_damaged_and_missing_files_are_refused_in_one_line(programs, tmp_path, capfd):
    from onenet.deploy.executorch import ExecutorchSession

    whole = (programs / "e.executorch/model.pte").read_bytes()
    for length in (0, 100, len(whole) // 2):
        (tmp_path / "model.pte").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"model\.pte: cannot be loaded \(.*\); is it whole") as caught:
            ExecutorchSession(tmp_path / "model.pte")
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"nothing\.pte: no such file"):
        ExecutorchSession(tmp_path / "nothing.pte")
    assert capfd.readouterr().err == ""


def test_other_arrays_are_refused_before_the_runtime_meets_them(programs):
    runner, _ = open_exported(programs / "e.executorch")
    for shape in ((1, 4, 8, 8), (8, 3)):
        with pytest.raises(DataError, match="the model takes arrays like"):
            runner.session(np.zeros(shape, dtype=np.float32))


def test_a_description_of_rows_says_how_many(programs):
    from onenet.deploy.exported import block_rows

    runner, _ = open_exported(programs / "ed.flat.executorch")
    assert runner.session.sizes == (block_rows(4), 3) and runner.description == Description.from_json(
        (programs / "ed.flat.executorch/description.json").read_text(), "x"
    )
