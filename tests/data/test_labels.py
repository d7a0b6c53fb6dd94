"""What a mask's values, colours or transparency mean: said by keys, by a class table, or by the masks themselves."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.data.sample import to_classes
from onenet.errors import ConfigError, DataError

IMAGE = np.full((2, 3, 3), 90, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """`folder([[0, 1, 2]])` has three images with this mask each."""

    def make(mask, mode=None, suffix="png", table=""):
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
        picture = Image.fromarray(np.asarray(mask))
        size = picture.size[::-1]
        for stem in "abc":
            Image.fromarray(np.resize(IMAGE, (*size, 3))).save(tmp_path / f"images/{stem}.png")
            (picture.convert(mode) if mode else picture).save(tmp_path / f"masks/{stem}.{suffix}")
        if table:
            (tmp_path / "classes.txt").write_text(table)
        return tmp_path

    return make


def opened(root, *changes):
    return open_dataset(parse_spec(",".join([f"folder:{root}", *changes])))


def mask_of(dataset):
    return next(dataset.samples("train")).mask.tolist()


GREY = np.array([[0, 128, 255]], dtype=np.uint8)
COLOURS = np.array([[[0, 0, 0], [255, 0, 0], [0, 0, 255]]], dtype=np.uint8)


def test_values_become_classes_in_the_order_in_which_they_are_given(folder):
    dataset = opened(folder(GREY), "class_values=[128, 0, 255]")
    assert dataset.num_classes == 3 and mask_of(dataset) == [[1, 0, 2]]


def test_a_value_that_is_not_given_is_named_with_its_file(folder):
    with pytest.raises(
        DataError, match=r"masks/\w\.png: the mask holds the value 128, which data\.class_values does not"
    ):
        opened(folder(GREY), "class_values=[0, 255]")


def test_beside_given_values_the_ignored_one_is_not_counted(folder):
    dataset = opened(folder(GREY), "class_values=[0, 128]")
    assert dataset.num_classes == 2 and mask_of(dataset) == [[0, 1, 255]]


def test_colours_become_classes(folder):
    dataset = opened(folder(COLOURS), 'class_values=["#000000", "#ff0000", "#0000ff"]')
    assert mask_of(dataset) == [[0, 1, 2]]
    assert dataset.colours[1] == (255, 0, 0)


def test_colours_by_a_class_table_with_void(folder):
    dataset = opened(folder(COLOURS, table="0 0 0\tsky\n255 0 0\tcar\n0 0 255\tvoid\n"))
    assert dataset.classes == ("sky", "car") and mask_of(dataset) == [[0, 1, 255]]
    assert dataset.background is None  # no class of the table is called background


def test_a_colour_that_the_table_lacks_is_named(folder):
    with pytest.raises(DataError, match=r"#0000ff, which .*classes\.txt does not name; add it"):
        opened(folder(COLOURS, table="sky,#000000\ncar,#ff0000\n"))


def test_a_table_that_lacks_the_background_is_told_so(folder):
    with pytest.raises(DataError, match=r"the value 2, which .* does not name; does the table lack the background"):
        opened(folder(np.array([[0, 1, 2]], dtype=np.uint8), table="cat\ndog\n"))


def test_black_and_white_masks_have_the_names_of_a_table_of_two(folder):
    dataset = opened(folder(np.array([[0, 255]], dtype=np.uint8), table="background\ncell\n"))
    assert dataset.classes == ("background", "cell") and mask_of(dataset) == [[0, 1]]
    assert dataset.background == 0


def test_the_alpha_channel_is_a_mask_where_it_is_said(folder):
    cutout = np.dstack([COLOURS, np.array([[0, 255, 200]], dtype=np.uint8)])
    assert mask_of(opened(folder(cutout), "mask_encoding=alpha")) == [[0, 1, 1]]


def test_16_bit_labels_beyond_the_classes_are_named(folder):
    deep = np.array([[0, 1, 1000]], dtype=np.uint16)
    with pytest.raises(DataError, match="the value 1000; allowed are 0 to 2"):
        opened(folder(deep), "num_classes=3")
    assert mask_of(opened(folder(deep), "class_values=[0, 1, 1000]")) == [[0, 1, 2]]
    assert mask_of(opened(folder(deep), "ignore_index=1000")) == [[0, 1, 255]]


def test_palette_masks_hold_indices_whatever_their_colours(folder, tmp_path):
    root = folder(np.array([[0, 1, 2]], dtype=np.uint8))
    for stem in "abc":
        image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8))
        image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        image.save(root / f"masks/{stem}.png")
    assert mask_of(opened(root)) == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (["class_values=[0, 128, 255]", "num_classes=4"], "data.num_classes=4, but data.class_values has 3 classes"),
        (['class_values=[0, "#ff0000"]'], "numbers like 128 or colours like"),
        (["class_values=[0, 0, 255]"], "one value stands there twice"),
        (["class_values=[0, 128, 255]", "mask_encoding=colour"], "say which colour is which class"),
        (["mask_encoding=colour"], "say which colour is which class"),
        (["class_values=[0, 128, 255]", "class_names=a,b"], "data.class_names has 2 names, but the masks have 3"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(folder, changes, complaint):
    with pytest.raises(ConfigError, match=complaint):
        opened(folder(GREY), *changes)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_labels_are_looked_up_value_by_value(dtype):
    raw = np.random.default_rng(0).choice([0, 3, 200], (7, 5)).astype(dtype)
    labels = {0: 1, 3: 0, 200: 255}
    expected = [[labels[int(value)] for value in row] for row in raw]
    assert to_classes(raw, labels, Path("mask.png")).tolist() == expected
