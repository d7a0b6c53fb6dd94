import dataclasses

import numpy as np
import pytest

from onenet.card import Card, default_colours
from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.errors import DataError
from onenet.export.trial import LEAST, as_rows, calibration_windows, prepared_image, trial_images


def card(channels=3, **changes):
    values = dict(stride=16, size=(128, 128), fit="none") | changes
    return Card("x", {"in_channels": channels, "num_classes": 2}, ("a", "b"), default_colours(2), **values)


@pytest.fixture(scope="module")
def nuclei():
    return open_dataset(parse_spec("folder:samples:nuclei"))


def fits(image, channels):
    return image.dtype == np.float32 and image.shape[:2] == (1, channels) and 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_there_are_enough_images_of_several_sizes_for_any_number_of_channels(channels):
    trial = trial_images(card(channels))
    assert len(trial.images) >= LEAST
    assert all(fits(image, channels) for image in trial.images)
    sizes = {image.shape[2:] for image in trial.images}
    assert len(sizes) > 3 and any(h % 16 or w % 16 for h, w in sizes)
    assert ("noise" in trial.source) == (channels == 5)


def test_images_of_a_data_set_are_its_test_images(nuclei):
    trial = trial_images(card(), nuclei)
    assert trial.source == "test images of nuclei" and len(trial.images) == 12


def test_few_images_are_used_in_several_parts(photos):
    dataset = open_dataset(parse_spec(f"folder:{photos(count=3)}"))
    trial = trial_images(card(), dataset)
    assert len(trial.images) == LEAST and len({image.shape for image in trial.images}) > 3


def test_images_have_the_scale_at_which_the_network_works():
    image = np.zeros((300, 600, 3), dtype=np.uint8)
    assert prepared_image(image, card(fit="cover")).shape == (1, 3, 128, 256)
    assert prepared_image(image, card()).shape == (1, 3, 300, 600)


def test_calibration_takes_windows_of_whole_strides_from_training_images(nuclei):
    windows = calibration_windows(card(), nuclei, count=5, side=100)
    assert [window.shape for window in windows] == [(1, 3, 112, 112)] * 5
    assert all(fits(window, 3) for window in windows)


def test_rows_are_pixels_in_morton_order():
    image = np.arange(2 * 4 * 4, dtype=np.float32).reshape(1, 2, 4, 4) / 32
    rows = as_rows(image, 2)
    assert rows.shape == (16, 2)
    assert (rows[:4, 0] * 32).tolist() == [0, 1, 4, 5]


def test_a_split_of_which_nothing_can_be_read_gives_way_to_the_next_one(photos):
    dataset = open_dataset(dataclasses.replace(parse_spec(f"folder:{photos(count=9)}"), skip_unreadable=True))
    for item in dataset.items["test"]:
        item.image.write_bytes(item.image.read_bytes()[:60])
    assert " val image" in trial_images(card(), dataset).source
    for item in (*dataset.items["val"], *dataset.items["train"]):
        item.image.write_bytes(item.image.read_bytes()[:60])
    for choose in (trial_images, calibration_windows):
        with pytest.raises(DataError, match=r"^photos: none of its images that were tried can be read; see onenet"):
            choose(card(), dataset)
