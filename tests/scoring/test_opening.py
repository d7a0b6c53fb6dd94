"""A set of images is opened as a model needs it, or refused in its own words."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_networks import tiny_network

from onenet.config import parse_spec
from onenet.errors import DataError
from onenet.scoring import config_of_run, open_for, open_spec


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("run", "run/config.toml"),
        ("run/model.safetensors", "run/config.toml"),
        ("run/model.flat.int8.onnx", "run/config.toml"),
        ("run/model.int8.openvino", "run/config.toml"),
        ("run/brought.onnx", None),
        ("run/examples", None),
        ("folds", "folds/fold-0/config.toml"),
        ("folds/fold-1", "folds/fold-1/config.toml"),
        ("pet", None),  # one that comes with the package
        ("gone", None),
    ],
)
def test_the_run_that_a_model_is_from(tmp_path, monkeypatch, model, config):
    monkeypatch.chdir(tmp_path)
    for folder in ("run", "folds/fold-1", "folds/fold-0"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("model.safetensors", "config.toml", "model.flat.int8.onnx", "brought.onnx"):
            (tmp_path / folder / name).touch()
    for folder in ("run/examples", "run/model.int8.openvino"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config.toml").touch()  # of something else
    assert config_of_run(model) == (Path(config) if config else None)


def test_names_in_the_spec_win(photos):
    spec = dataclasses.replace(parse_spec(f"folder:{photos()}"), class_names=("none", "some"))
    assert open_for(tiny_network(["background", "square"]).card, spec).classes == ("none", "some")


def test_mask_values_in_the_spec_are_kept_and_the_model_names_them(photos):
    spec = dataclasses.replace(parse_spec(f"folder:{photos(values=(7, 128))}"), class_values=("7", "128"))
    dataset = open_for(tiny_network(["background", "square"]).card, spec)
    assert dataset.classes == ("background", "square")
    assert set(np.unique(dataset.read(dataset.split("test")[0]).mask)) == {0, 1}


def test_images_are_read_with_the_range_of_values_of_the_training(tmp_path, photos):
    root = photos(count=4)
    deep = np.linspace(0, 4095, 24 * 20).reshape(24, 20).astype(np.uint16)
    for path in (root / "images").iterdir():
        Image.fromarray(deep).save(path)
    card = tiny_network(["background", "square"], in_channels=1).card.replace(value_range=(0.0, 4095.0))
    dataset = open_for(card, parse_spec(f"folder:{root}"))
    image = dataset.read(dataset.split("test")[0]).image
    np.testing.assert_allclose(image[..., 0], deep / 4095, atol=1e-6)
    own = open_for(card, dataclasses.replace(parse_spec(f"folder:{root}"), value_range=(0.0, 8190.0)))
    assert own.read(own.split("test")[0]).image.max() == pytest.approx(0.5)


@pytest.mark.parametrize("remembered", [{}, {"format": "folder", "labels": {"class_names": ["background", "square"]}}])
def test_masks_of_more_classes_than_the_model_has_are_told_by_their_number(photos, remembered):
    root = photos(values=(0, 2))
    mask = next((root / "masks").iterdir())
    Image.fromarray(np.resize(np.arange(3, dtype=np.uint8), np.asarray(Image.open(mask)).shape)).save(mask)
    card = tiny_network(["background", "square"]).card
    card = card.replace(training=remembered)
    said = (
        r"photos has 3 classes \(background, class 1, class 2\), but the model has 2 \(background, square\); use .*"
        r"or mend what does not belong there: .*masks/photo\d\.png: the mask holds the value 2"
    )
    with pytest.raises(DataError, match=said):
        open_spec(card, f"folder:{root}")


def test_black_and_white_masks_are_no_three_classes(photos):
    card = tiny_network(["background", "square", "disc"]).card
    with pytest.raises(DataError, match=r"photos has 2 classes .*, but the model has 3 \(background, square, disc\)"):
        open_spec(card, f"folder:{photos(values=(0, 255))}")
