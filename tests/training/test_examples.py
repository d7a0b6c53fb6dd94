"""Example pictures: the same images each time, truth and prediction side by side."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from onenet.card import Card, default_colours
from onenet.data import Item, Sample
from onenet.deploy.runner import Halo
from onenet.deploy.segmenter import Segmenter
from onenet.training.examples import draw_examples, example_names

COLOURS = default_colours(2)
CARD = Card("onenet-e-4", {"in_channels": 3, "num_classes": 2}, ("background", "cat"), COLOURS)


class LeftHalf:
    """A network that finds a cat in the left half of everything."""

    stride, halo = 1, staticmethod(Halo)

    def run(self, images):
        logits = np.zeros((1, 2, *images.shape[2:]), dtype=np.float32)
        logits[:, 1] = -1
        logits[:, 1, :, : images.shape[3] // 2] = 1
        return logits


def sample(name, height=40, width=60, channels=3):
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[: height // 2] = 1
    return Sample(name, np.full((height, width, channels), 128, dtype=np.uint8), mask)


def tile(picture, row, column, height=40, width=60):
    top, left = row * (height + 18) + 14, column * (width + 4)
    return picture[top : top + height, left : left + width].astype(int)


def test_each_row_is_the_image_the_truth_and_the_prediction(tmp_path):
    path = tmp_path / "examples" / "epoch-0001.jpg"
    draw_examples(path, [sample("first"), sample("sécond")], Segmenter(LeftHalf(), CARD))
    with Image.open(path) as opened:
        assert opened.format == "JPEG"
        picture = np.asarray(opened)
    for row in range(2):
        photo, truth, prediction = (tile(picture, row, column) for column in range(3))
        assert abs(photo - 128).max() < 20
        tinted = 128 + 0.45 * (np.array(COLOURS[1]) - 128)
        assert abs(truth[4:16, 4:56] - tinted).max() < 25 and abs(truth[24:36, 4:56] - 128).max() < 25
        assert abs(prediction[4:36, 4:26] - tinted).max() < 25 and abs(prediction[4:36, 34:56] - 128).max() < 25


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_number_of_channels_and_any_size_can_be_drawn(tmp_path, channels):
    card = dataclasses.replace(CARD, arguments={"in_channels": channels, "num_classes": 2})
    samples = [sample("large", 600, 900, channels), sample("a" * 300, 1, 3, channels)]
    draw_examples(tmp_path / "picture.jpg", samples, Segmenter(LeftHalf(), card))
    with Image.open(tmp_path / "picture.jpg") as picture:
        assert picture.width <= 3 * 260 and picture.height <= 2 * 280


def test_overlapping_classes_are_drawn_over_one_another(tmp_path):
    card = dataclasses.replace(CARD, background=None, overlapping=True, colours=((255, 0, 0), (0, 0, 255)))
    both = Sample("both", np.full((40, 60, 3), 128, dtype=np.uint8), np.full((40, 60), 3, dtype=np.uint8))
    draw_examples(tmp_path / "picture.jpg", [both], Segmenter(LeftHalf(), card))
    with Image.open(tmp_path / "picture.jpg") as opened:
        photo, truth = (tile(np.asarray(opened), 0, column)[4:36, 4:56] for column in range(2))
    assert abs(photo - 128).max() < 20
    once = 128 + 0.45 * (np.array([255, 0, 0]) - 128)
    twice = once + 0.45 * (np.array([0, 0, 255]) - once)
    assert abs(truth.mean((0, 1)) - twice).max() < 6


def test_the_images_are_spread_over_the_split_and_the_same_each_time(tmp_path):
    items = [Item(f"photo{index}", tmp_path / "a", tmp_path / "b") for index in range(10)]
    assert example_names(items, 4) == {"photo0", "photo2", "photo5", "photo7"}
    assert example_names(items, 0) == set()
    assert example_names(items[:2], 4) == {"photo0", "photo1"}
