"""Models that come with the package, by name."""

import copy
import json

import numpy as np
import pytest
from PIL import Image

import onenet
from onenet import weights
from onenet.errors import DataError


@pytest.fixture
def shelf(tmp_path, exported_files, conv, monkeypatch):
    """A shelf with one model, "thing", which says what it knows."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    network = onenet.load(exported_files / "e.safetensors")
    about = {"knows": "things on tables", "limits": "no chairs", "licence": "CC0-1.0", "unsure": 0.0}
    card, made = network.card.replace(about=about), copy.deepcopy(conv.graphs[""])
    onenet.save(network, folder / "thing.safetensors", card)
    from onenet.export.graph import described

    described(made.graph, card, made.description)
    (folder / "thing.int8.onnx").write_bytes(made.graph.SerializeToString())
    monkeypatch.setattr(weights, "_folder", lambda: folder)
    return folder


def test_a_name_stands_for_the_file(shelf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert weights.shipped_names() == ["thing"]
    assert onenet.load("thing").card.about["licence"] == "CC0-1.0"
    image = np.random.default_rng(0).random((20, 24, 3), dtype=np.float32)
    by_torch, by_device = (onenet.Segmenter("thing", runtime)(image).mask for runtime in ("torch", "onnxruntime"))
    assert (by_torch == by_device).mean() > 0.99
    assert type(onenet.Segmenter("thing").runner).__name__ == "ImageRunner"  # without torch, where it can be
    (tmp_path / "thing").mkdir()  # a folder of that name here comes first
    assert weights.shipped_file("thing") is None
    with pytest.raises(DataError, match=r"holds no model\.safetensors"):
        onenet.load("thing")


def test_a_slip_of_the_keyboard_is_answered_with_the_name(shelf):
    with pytest.raises(DataError, match=r"no such file; did you mean thing\? \(a trained model of the package\)"):
        onenet.load("thign")


def test_it_says_what_it_knows_and_when_an_image_is_unlike_what_it_knows(onenet_command, shelf, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    done = onenet_command("predict", "thing", "a.png")
    assert done.code == 0
    assert "thing: knows: things on tables\nthing: limits: no chairs\n" in done.err
    assert "% of its pixels are decided with little certainty" in done.err
    assert (tmp_path / "predictions/a.png").is_file()


def test_it_is_evaluated_exported_timed_and_started_from(onenet_command, shelf, tmp_path, photos, tiny):
    data = f"folder:{photos(count=8, size=(24, 24))}"
    assert json.loads(onenet_command("evaluate", "thing", "--data", data, "--json").out)["images"] == 1
    assert onenet_command("export", "thing", "--out", "here").code == 0
    assert (tmp_path / "here/thing.onnx").is_file()
    words = ["--runtime", "onnxruntime", "--size", 32, "--threads", 1, "--repeats", 1, "--no-fresh", "--json"]
    (row,) = json.loads(onenet_command("bench", "latency", "thing", *words).out)["rows"]
    assert row["weights"] == "trained"
    words = [*tiny, "model.width=8", "train.init=thing", "train.epochs=1"]
    done = onenet_command("train", "--data", data, *words, "--out", "run")
    assert "note: starts from thing (onenet-e-4)" in done.out


def test_they_are_listed_with_what_they_know(onenet_command, shelf):
    out = onenet_command("list", "models", "--trained").out
    assert out.startswith("thing           onenet-e-4, ") and "CC0-1.0\n" in out and "things on tables" in out
    refused = onenet_command("list", "recipes", "--trained").error
    assert refused == "--trained: models may come with weights, recipes do not; leave it out"


@pytest.mark.parametrize("name", weights.shipped_names())
def test_every_shipped_model_has_a_full_card_and_both_files(name):
    card = onenet.load(name).card
    assert set(card.about) >= {"knows", "limits", "licence", "unsure"} and card.scores["test"]["mean_iou"] > 0
    assert card.training["data"] and card.training["recipe"]
    assert onenet.Segmenter(name, "onnxruntime").card == card


def test_an_empty_shelf_says_so(onenet_command, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_folder", lambda: tmp_path)
    assert "no models come with their weights" in onenet_command("list", "--trained").error
