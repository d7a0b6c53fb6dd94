"""The contact sheet: samples as training sees them, beside them their masks, below them what the colours mean."""

import dataclasses

import numpy as np
import pytest

from onenet.config import load_config
from onenet.data import open_dataset
from onenet.data.sample import Sample
from onenet.data.sheet import contact_sheet, draw_tile, for_the_eye, hatched, sample_tiles, shown_size
from onenet.errors import DataError


@pytest.fixture
def plain(photos):
    """A set of photos, and a recipe that leaves samples unvaried."""
    config = load_config("default", ["augment.strength=0", "data.size=[24, 20]"], f"folder:{photos(count=8)}")
    return open_dataset(config.data), config


def test_without_variation_the_tiles_are_the_images_enlarged_by_a_whole_number(plain):
    dataset, config = plain
    samples = {sample.name: sample.image for sample in dataset.samples("train")}
    tiles = list(sample_tiles(dataset, config, "train", 6, 0))
    assert sorted(tile.name for tile in tiles) == sorted(samples)
    for tile in tiles:
        assert np.array_equal(tile.image, samples[tile.name].repeat(8, axis=0).repeat(8, axis=1))


def test_the_mask_is_drawn_where_it_is(plain):
    dataset, _ = plain
    sample = next(dataset.samples("train"))
    tile = draw_tile(dataset, sample, sample.image, sample.mask)
    mask = sample.mask.repeat(8, axis=0).repeat(8, axis=1)
    changed = (tile.drawn != tile.image).any(axis=2)
    assert changed[mask == 1].all()
    inside = np.zeros_like(changed)
    inside[1:-1, 1:-1] = True
    for axis in (0, 1):  # the outline lies one pixel beyond
        for step in (-1, 1):
            inside &= np.roll(mask, step, axis) == 0
    assert not changed[inside & (mask == 0)].any()


def test_training_samples_vary_with_the_seed_and_are_repeatable(photos):
    config = load_config("default", ["data.size=32"], f"folder:{photos(count=8)}")
    dataset = open_dataset(config.data)
    first, again, other = (np.asarray(contact_sheet(dataset, config, "train", 4, seed)).tobytes() for seed in (1, 1, 2))
    assert first == again != other


def test_few_training_images_are_shown_several_times_and_others_once(plain):
    dataset, config = plain
    names = [tile.name for tile in sample_tiles(dataset, config, "train", 15, 0)]
    assert len(names) == 15 and len(set(names)) == 6
    assert len(list(sample_tiles(dataset, config, "test", 15, 0))) == 1


def test_pixels_that_are_not_counted_are_striped_dark_and_bright():
    grey = np.full((32, 32, 3), 120, dtype=np.uint8)
    where = np.zeros((32, 32), dtype=bool)
    where[:16] = True
    drawn = hatched(grey, grey, where)
    assert {0, 255} <= set(np.unique(drawn[:16])) and (drawn[16:] == 120).all()


def test_deep_images_are_stretched_by_what_they_were_before_they_were_varied():
    image = np.linspace(0.01, 0.02, 300, dtype=np.float32).reshape(10, 10, 3)
    shown = for_the_eye(image, image)
    assert shown.min() == 0 and shown.max() == 255
    darker = for_the_eye(image * np.float32(0.8), image)
    assert darker.mean() < shown.mean() - 40


def test_of_many_channels_the_first_three_are_shown_and_of_two_the_first():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 6), dtype=np.uint8)
    assert np.array_equal(for_the_eye(image, image), image[..., :3])
    two = for_the_eye(image[..., :2], image[..., :2])
    assert np.array_equal(two, np.repeat(image[..., :1], 3, axis=2))


@pytest.mark.parametrize("size, shown", [((48, 48), (192, 192)), ((416, 208), (208, 104)), ((1, 4000), (1, 208))])
def test_images_are_brought_to_the_size_of_the_sheet(size, shown):
    assert shown_size(size) == shown


def test_overlapping_classes_and_masks_of_another_size_are_drawn(plain):
    dataset, _ = plain
    dataset = dataclasses.replace(dataset, overlapping=True, background=None)
    sample = Sample("both", np.zeros((16, 16, 3), dtype=np.uint8), np.zeros((8, 8), dtype=np.uint8))
    sample.mask[2:6, 2:6] = 3
    drawn = draw_tile(dataset, sample, sample.image, sample.mask).drawn
    assert drawn.shape == (208, 208, 3) and not drawn[:40].any() and drawn[104, 104].any()


def test_the_sheet_holds_the_tiles_in_rows_and_a_legend(plain):
    dataset, config = plain
    small, large = (contact_sheet(dataset, config, "train", count) for count in (4, 9))
    assert large.width > small.width and large.height > small.height
    colour = np.array(dataset.colours[1])
    legend = np.asarray(large)[-60:]
    assert (legend == colour).all(axis=2).sum() >= 150


def test_of_many_classes_the_legend_has_those_that_are_seen(photos):
    root = photos(count=8)
    heights = []
    for classes in (2, 200):
        config = load_config("default", [f"data.num_classes={classes}"], f"folder:{root}")
        heights.append(contact_sheet(open_dataset(config.data), config, "train", 4).height)
    assert heights[0] == heights[1]


def test_low_images_make_low_rows(photos):
    root = photos(count=8, size=(10, 20))
    config = load_config("default", [], f"folder:{root}")
    low = contact_sheet(open_dataset(config.data), config, "all", 8).height
    config = load_config("default", [], f"folder:{photos('square', count=8, size=(20, 20))}")
    assert low <= contact_sheet(open_dataset(config.data), config, "all", 8).height - 3 * 100


def test_long_names_are_shortened_to_their_place(photos):
    root = photos(count=6)
    for kind in ("images", "masks"):
        (root / kind / "photo0.png").rename(root / kind / f"{'long' * 40}.png")
    config = load_config("default", [], f"folder:{root}")
    sheet = contact_sheet(open_dataset(config.data), config, "all", 6)
    assert np.asarray(sheet)[60:, -10:].min() == 255  # nothing beyond the last column


def test_an_unreadable_image_is_named_or_left_out(photos):
    root = photos(count=8)
    config = load_config("default", ["data.size=16", "data.num_classes=2"], f"folder:{root}")
    dataset = open_dataset(config.data)
    dataset.items["train"][0].image.write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty"):
        contact_sheet(dataset, config, "train", 6)
    skipping = dataclasses.replace(dataset, skip_unreadable=True)
    assert len(list(sample_tiles(skipping, config, "train", 6, 0))) == 5
    for item in dataset.items["train"]:
        item.image.write_bytes(b"")
    with pytest.raises(DataError, match="none of the chosen images can be read"):
        contact_sheet(skipping, config, "train", 6)
