"""Decoded pictures kept in one block: what is in it is what was in the files, and no more than training can use."""

import dataclasses

import numpy as np
import pytest

from onenet.config import load_config
from onenet.data import open_dataset
from onenet.data.cache import Files, as_picture, decode_all, pack, readable_instead, reduced
from onenet.data.sample import Sample
from onenet.data.transforms import Picture, apply_variation
from onenet.data.variation import Augmentation, plan_augmentation
from onenet.errors import DataError

SIZES = [(24, 20), (7, 9), (40, 33), (12, 12)]


class Shelf:
    """Stands in for a Dataset: some pictures, one of them broken."""

    def __init__(self, samples, broken=()):
        self.samples, self.broken, self.name, self.reads = samples, broken, "shelf", []

    def read(self, item):
        self.reads.append(item)
        if item in self.broken:
            raise DataError(f"{item}.jpg: damaged")
        return self.samples[item]


def samples(deep=False, channels=3):
    random = np.random.default_rng(0)
    for index, size in enumerate(SIZES):
        image = random.integers(0, 256, (*size, channels), dtype=np.uint8)
        mask = random.integers(0, 3, size, dtype=np.uint8)
        yield Sample(str(index), image.astype(np.float32) / 255 if deep else image, mask)


def files(broken=(), skip=True, **how) -> Files:
    shelf = Shelf(list(samples(**how)), broken)
    made = Files.__new__(Files)
    made.dataset, made.items, made.skip, made.unreadable = shelf, tuple(range(len(SIZES))), skip, {}
    return made


def plan(size=(8, 8), fit="none", mask_size=None, **changes) -> Augmentation:
    config = load_config("default")
    return Augmentation(size, mask_size or size, fit, dataclasses.replace(config.augment, **changes))


def zeros(amount):
    return np.zeros(amount, dtype=np.uint8)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_block_gives_back_what_was_read(deep, channels):
    read = list(samples(deep, channels))
    block, places = pack(decode_all(files(deep=deep, channels=channels), plan()), zeros)
    assert len(block) >= sum(s.image.nbytes + s.mask.nbytes for s in read)
    for place, sample in zip(places, read, strict=True):
        picture = as_picture(place, block)
        assert picture.image.dtype == sample.image.dtype and picture.shape == sample.mask.shape
        assert np.array_equal(picture.image, sample.image) and np.array_equal(picture.mask, sample.mask)
        assert np.shares_memory(picture.image, block) and np.shares_memory(picture.mask, block)


def test_the_list_is_emptied_while_it_moves_into_the_block():
    pictures = decode_all(files(), plan())
    pack(pictures, zeros)
    assert pictures == [None] * 4


def test_an_unreadable_item_is_replaced_by_the_next_readable_one_round_the_end():
    pictures = decode_all(files(broken=(1, 3)), plan())
    assert [picture is None for picture in pictures] == [False, True, False, True]
    assert readable_instead(pictures) == [0, 2, 2, 0]
    _, places = pack(pictures, zeros)
    assert places[1] is places[2] and places[3] is places[0]


def test_files_and_block_replace_alike_and_remember_why():
    on_disk, kept = files(broken=(2, 3)), files(broken=(2, 3))
    block, places = pack(decode_all(kept, plan()), zeros)
    for index in range(4):
        assert np.array_equal(on_disk[index].image, as_picture(places[index], block).image)
    assert on_disk.unreadable == kept.unreadable == {2: "2.jpg: damaged", 3: "3.jpg: damaged"}


def test_a_broken_file_is_tried_once():
    on_disk = files(broken=(2,))
    assert np.array_equal(on_disk[2].image, on_disk[2].image)
    assert on_disk.dataset.reads == [2, 3, 3]


def test_without_skipping_a_broken_file_is_refused_by_its_name():
    with pytest.raises(DataError, match=r"^2\.jpg: damaged$"):
        files(broken=(2,), skip=False)[2]
    with pytest.raises(DataError, match=r"^2\.jpg: damaged$"):
        decode_all(files(broken=(2,), skip=False), plan())


def test_where_nothing_can_be_read_that_is_said_with_a_reason():
    message = r"^none of the 4 training images can be read, the first: 0\.jpg: damaged$"
    with pytest.raises(DataError, match=message):
        decode_all(files(broken=(0, 1, 2, 3)), plan())
    with pytest.raises(DataError, match=message):
        files(broken=(0, 1, 2, 3))[0]


def test_too_little_memory_is_said(monkeypatch):
    def none_left(picture, augmentation):
        raise MemoryError

    monkeypatch.setattr("onenet.data.cache.reduced", none_left)
    with pytest.raises(DataError, match=r"4 decoded images do not fit into memory; use data\.cache=none"):
        decode_all(files(), plan())


# --- reducing


def smooth(shape, channels=3):
    y, x = np.indices(shape)
    waves = np.stack([np.sin(x / (11 + c)) * np.cos(y / (9 + c)) for c in range(channels)], axis=-1)
    return Picture((127 + 120 * waves).astype(np.uint8), (x // 20 + y // 30).astype(np.uint8), shape)


@pytest.mark.parametrize(
    ("shape", "fit", "changes", "expected"),
    [
        ((400, 600), "cover", {}, (200, 300)),  # 100 x 150 covers; zoom 2 shows 200 x 300
        ((400, 600), "cover", {"strength": 0.0}, (100, 150)),
        ((400, 600), "cover", {"scale": (0.5, 1.0)}, (100, 150)),
        ((180, 270), "cover", {}, (180, 270)),  # never enlarged
        ((400, 600), "none", {}, (400, 600)),
        ((400, 600), "none", {"scale": (0.25, 0.5)}, (200, 300)),
    ],
)
def test_pictures_are_kept_at_the_size_of_the_nearest_zoom(shape, fit, changes, expected):
    picture = reduced(smooth(shape), plan((100, 100), fit, **changes))
    assert picture.image.shape == (*expected, 3) and picture.mask.shape == expected
    assert picture.shape == shape


def test_masks_that_are_larger_than_their_images_are_kept_finer():
    picture = reduced(smooth((800, 800)), plan((100, 100), "cover", mask_size=(200, 200), strength=0.0))
    assert picture.mask.shape == (200, 200)


@pytest.mark.parametrize(("fit", "scale"), [("cover", (0.9, 1.2)), ("none", (0.3, 0.4))])
def test_samples_of_a_reduced_picture_look_like_those_of_the_picture(fit, scale):
    augmentation = plan((64, 64), fit, scale=scale, rotate=20.0)
    picture = smooth((400, 300))
    small = reduced(picture, augmentation)
    assert small.image.size < picture.image.size / 2
    for seed in range(8):
        variation = augmentation.draw(picture.shape, lambda share: None, np.random.default_rng(seed))
        (image, mask), (same, labels) = (
            apply_variation(p, variation, augmentation.size, augmentation.mask_size) for p in (picture, small)
        )
        assert np.abs(image.astype(float) - same).mean() < 6
        assert (mask == labels).mean() > 0.9


def test_no_label_is_invented_by_reducing():
    random = np.random.default_rng(0)
    mask = random.choice(np.array([0, 7, 255], dtype=np.uint8), (90, 70))
    small = reduced(Picture(np.zeros((90, 70, 1), np.uint8), mask, (90, 70)), plan((10, 10), "cover"))
    assert small.mask.size < mask.size and set(np.unique(small.mask)) <= {0, 7, 255}


def test_overfitting_means_unvaried_samples(photos, tiny):
    config = load_config("default", [*tiny, f"data.root={photos()}", "train.overfit=2", "train.foreground=0.5"])
    augmentation = plan_augmentation(config, open_dataset(config.data))
    assert augmentation.augment.strength == 0 and augmentation.foreground == 0
    assert augmentation.mask_size == augmentation.size == (16, 16)
