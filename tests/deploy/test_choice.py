import json
import time

import numpy as np
import pytest

from onenet.card import Card, default_colours
from onenet.deploy.choice import faster, remembered_choice
from onenet.deploy.runner import Halo
from onenet.errors import DataError

CARD = Card("x", {"in_channels": 3, "num_classes": 2}, ("a", "b"), default_colours(2), stride=16, size=(40, 2000))


class Waits:
    stride = 16

    def __init__(self, seconds):
        self.seconds, self.shapes = seconds, []

    def run(self, images):
        self.shapes.append(images.shape)
        time.sleep(self.seconds)
        return np.zeros((1, 2, 1, 1), dtype=np.float32)

    def halo(self):
        return Halo()


def test_the_faster_one_is_found_on_an_image_of_the_networks_size():
    slow, quick = Waits(0.03), Waits(0.001)
    assert faster({"slow": slow, "quick": quick}, CARD) == "quick"
    assert set(quick.shapes) == {(1, 3, 48, 256)}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a.onnx").write_bytes(b"a")
    return tmp_path


def test_it_is_measured_once_for_a_file(home):
    opened = []

    def runner(name):
        opened.append(name)
        return Waits(0.02 if name == "onnxruntime" else 0.0)

    assert remembered_choice(home / "a.onnx", CARD, 2, runner) == "openvino"
    assert remembered_choice(home / "a.onnx", CARD, 2, runner) == "openvino"
    assert opened == ["onnxruntime", "openvino"]
    remembered_choice(home / "a.onnx", CARD, 1, runner)  # other threads: another question
    (home / "a.onnx").write_bytes(b"b")
    remembered_choice(home / "a.onnx", CARD, 2, runner)  # another file
    assert len(opened) == 6


def test_what_only_one_runtime_takes_is_left_to_it(home):
    def runner(name):
        if name == "onnxruntime":
            raise DataError("a.onnx: cannot be loaded")
        return Waits(0.0)

    class Fails(Waits):
        def run(self, images):
            raise DataError("the model cannot be computed")

    assert remembered_choice(home / "a.onnx", CARD, 2, runner) == "openvino"
    assert faster({"quick": Fails(0.0), "slow": Waits(0.0)}, CARD) == "slow"
    (home / "a.onnx").write_bytes(b"c")
    with pytest.raises(DataError, match="nowhere"):
        remembered_choice(home / "a.onnx", CARD, 2, lambda name: (_ for _ in ()).throw(DataError("nowhere")))


def test_notes_that_cannot_be_read_or_written_do_not_matter(home, monkeypatch):
    notes = home / "cache" / "onenet" / "runtimes.json"
    notes.parent.mkdir(parents=True)
    for text in ("{", "[]", json.dumps({"other": 1})):
        notes.write_text(text)
        assert remembered_choice(home / "a.onnx", CARD, 2, lambda name: Waits(0.0)) in ("onnxruntime", "openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "a.onnx"))  # a file: no folder can be made there
    assert remembered_choice(home / "a.onnx", CARD, 2, lambda name: Waits(0.0)) in ("onnxruntime", "openvino")
