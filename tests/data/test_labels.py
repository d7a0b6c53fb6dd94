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


def each(root, *masks):
    """Give the images a, b, c these masks."""
    for stem, mask in zip("abc", masks, strict=False):
        Image.fromarray(np.asarray(mask, dtype=np.uint8)).save(root / f"masks/{stem}.png")
    return root


def test_masks_that_mean_the_object_by_1_and_by_255_are_not_mixed_in_silence(folder):
    root = each(folder(np.array([[0, 1, 1]], dtype=np.uint8)), [[0, 1, 1]], [[0, 255, 0]], [[0, 1, 0]])
    with pytest.raises(DataError, match=r"[ac]\.png: holds 0 and 1, but b\.png holds 0 and 255; save all masks alike"):
        opened(root)
    (root / "classes.txt").write_text("background\ncell\n")
    with pytest.raises(DataError, match="save all masks alike"):
        opened(root)
    (root / "classes.txt").unlink()
    assert opened(root, "class_values=[0, 1]").labels[255] == 255
    each(root, [[0, 1, 255]])  # one mask that holds both shows what 255 means
    assert opened(root).labels[255] == 255


def test_0_and_255_alone_are_not_three_classes_of_which_one_is_never_counted(folder):
    root = folder(np.array([[0, 255, 0]], dtype=np.uint8))
    with pytest.raises(DataError, match="hold only 0 and 255, but there are 3 classes"):
        opened(root, "num_classes=3")
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    with pytest.raises(DataError, match="hold only 0 and 255, but there are 3 classes"):
        opened(root)


def test_a_table_of_colours_fits_masks_that_hold_the_numbers_of_its_lines(folder):
    root = folder(np.array([[0, 1, 2]], dtype=np.uint8), table="void,#000000\nsky,#0000ff\ncar,#ff0000\n")
    for changes in ([], ["mask_encoding=index"]):
        dataset = opened(root, *changes)
        assert dataset.classes == ("sky", "car") and dataset.colours == ((0, 0, 255), (255, 0, 0))
        assert mask_of(dataset) == [[255, 0, 1]]
    with pytest.raises(DataError, match="#010101, #020202, which"):
        opened(root, "mask_encoding=colour")


def test_black_and_white_in_a_table_of_colours_are_its_colours(folder):
    root = folder(np.array([[0, 255, 0]], dtype=np.uint8), table="name,r,g,b\nwall,255,255,255\nhole,0,0,0\n")
    assert mask_of(opened(root)) == [[1, 0, 1]]


def test_given_values_have_the_names_of_a_table_of_as_many(folder):
    root = folder(np.array([[0, 128, 255]], dtype=np.uint8), table="background\nleaf\n")
    assert opened(root, "class_values=[0, 128]").classes == ("background", "leaf")
    assert opened(root, "class_values=[0, 128, 255]").classes == ("background", "class 1", "class 2")


@pytest.mark.parametrize(
    ("mode", "suffix", "complaint"),
    [
        ("L", "jpg", "lossy compression has changed the labels; save masks as PNG"),
        ("RGB", "jpg", "lossy compression has changed them; save masks as PNG"),
        ("L", "png", "it looks like a photo, or like a mask with smoothed outlines"),
        ("RGB", "png", "it looks like a photo, or like a mask with smoothed outlines"),
    ],
)
def test_a_picture_for_a_mask_is_told_what_it_looks_like_and_not_256_values(folder, mode, suffix, complaint):
    noise = np.random.default_rng(0).integers(0, 250, (32, 32, 3), dtype=np.uint8)
    with pytest.raises(DataError, match=complaint) as refusal:
        opened(folder(noise, mode=mode, suffix=suffix))
    assert len(str(refusal.value)) < 400


def test_unreadable_masks_are_left_out_and_named_only_where_that_is_wished(folder):
    root = folder(np.array([[0, 1, 2]], dtype=np.uint8))
    (root / "masks/b.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"b\.png: not an image"):
        opened(root)
    dataset = opened(root, "skip_unreadable=true")
    assert dataset.num_classes == 3 and len(list(dataset.samples("all"))) == 2
    assert "1 masks cannot be read and are left out" in dataset.notes[0] and "b.png" in dataset.notes[0]
    for stem in "ac":
        (root / f"masks/{stem}.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"\.png: not an image"):
        opened(root, "skip_unreadable=true")


@pytest.mark.parametrize(
    ("names", "complaint"), [("['a','a','b']", "'a' is empty or"), ("['a','','b']", "'' is empty")]
)
def test_every_class_has_a_name_of_its_own(folder, names, complaint):
    with pytest.raises(ConfigError, match=complaint):
        opened(folder(np.array([[0, 1, 2]], dtype=np.uint8)), f"class_names={names}")


def test_an_ignored_value_may_have_16_bits(folder):
    assert mask_of(opened(folder(np.array([[0, 1, 65535]], dtype=np.uint16)), "ignore_index=65535")) == [[0, 1, 255]]
