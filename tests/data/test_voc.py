"""PASCAL VOC's layout: its lists, its classes or others, and the test list that has no masks."""

import numpy as np
import pytest
from PIL import Image

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.data.voc import CLASSES
from onenet.errors import ConfigError, DataError

LISTS = dict(train="a\nb\nc\nd\n", val="e\nf\n", test="g\n")


@pytest.fixture
def voc(tmp_path):
    """`voc("VOCdevkit/VOC2012")` has images a to g with palette masks, and lists."""

    def make(below="", lists=LISTS, mask=((0, 15, 255),), without_mask=""):
        root = tmp_path / below
        for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (root / folder).mkdir(parents=True)
        for name in "abcdefg":
            Image.new("RGB", (len(mask[0]), len(mask))).save(root / f"JPEGImages/{name}.jpg")
            picture = Image.fromarray(np.asarray(mask, dtype=np.uint8))
            picture.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
            if name not in without_mask:
                picture.save(root / f"SegmentationClass/{name}.png")
        for split, text in lists.items():
            (root / f"ImageSets/Segmentation/{split}.txt").write_text(text)
        return tmp_path

    return make


def opened(root, *changes):
    return open_dataset(parse_spec(",".join([f"voc:{root}", *changes])))


def counts(dataset):
    return {split: len(items) for split, items in dataset.items.items()}


@pytest.mark.parametrize("below", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_the_lists_decide_and_the_indices_of_the_palette_are_the_classes(voc, below):
    dataset = opened(voc(below))
    assert counts(dataset) == {"train": 4, "val": 2, "test": 1}
    assert dataset.classes == CLASSES and len(CLASSES) == 21 and dataset.background == 0
    assert next(dataset.samples("test")).mask.tolist() == [[0, 15, 255]]


@pytest.mark.parametrize("lists", [LISTS, {"train": LISTS["train"], "val": LISTS["val"]}])
def test_without_masks_for_the_test_list_val_is_the_test_and_says_so(voc, lists):
    dataset = opened(voc(lists=lists, without_mask="g"))
    assert counts(dataset) == {"train": 3, "val": 1, "test": 2}
    assert {item.name for item in dataset.items["test"]} == {"e", "f"}
    assert "val.txt is the test split" in dataset.notes[0]


def test_a_file_of_classes_replaces_those_of_voc(voc):
    root = voc(mask=((0, 1, 255),))
    (root / "classes.txt").write_text("building\ngrass\n")
    dataset = opened(root)
    assert dataset.classes == ("building", "grass") and dataset.background is None
    (root / "classes.txt").write_text("background\ngrass\n")
    assert opened(root).background == 0
    with pytest.raises(ConfigError, match=r"data\.num_classes=3, but classes\.txt has 2 classes"):
        opened(root, "num_classes=3")


def test_a_label_beyond_the_classes_is_named_when_it_is_read(voc):
    with pytest.raises(DataError, match=r"SegmentationClass/\w\.png: .*\b21\b"):
        next(opened(voc(mask=((0, 21),))).samples("train"))


@pytest.mark.parametrize(
    ("lists", "complaint"),
    [
        (LISTS | {"train": "a\nb\nzebra\n"}, r"train\.txt: names 'zebra'"),
        (LISTS | {"val": "a\ne\n"}, "names 'a', which"),
        (LISTS | {"train": "\n"}, r"train\.txt: the list is empty"),
    ],
)
def test_a_broken_list_is_named(voc, lists, complaint):
    with pytest.raises(DataError, match=complaint):
        opened(voc(lists=lists))


def test_a_missing_mask_is_named(voc):
    with pytest.raises(
        DataError, match=r"JPEGImages/b\.jpg: has no mask in SegmentationClass/, although train\.txt names it"
    ):
        opened(voc(without_mask="b"))


def test_another_layout_is_told_what_is_wanted(tmp_path):
    with pytest.raises(DataError, match="JPEGImages/"):
        opened(tmp_path)


RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("mask", "table"),
    [
        (((0, 5, 7),), "background,0\ncat,5\nvoid,7\n"),
        (((0, 1, 2),), "background\ncat\nvoid\n"),
        (((0, 1, 255),), "background,#000000\ncat,#ff0000\n"),
    ],
)
def test_a_table_says_what_the_values_are(voc, mask, table):
    root = voc(mask=mask)
    (root / "classes.txt").write_text(table)
    changes = ["mask_encoding=index"] if "#" in table else []
    dataset = opened(root, *changes)
    assert dataset.classes == ("background", "cat")
    assert next(dataset.samples("train")).mask.tolist() == [[0, 1, 255]]


def test_masks_may_be_in_colours(voc):
    root = voc()
    for path in (root / "SegmentationClass").iterdir():
        Image.fromarray(np.array([[(0, 0, 0), RED, BLUE]], dtype=np.uint8)).save(path)
    (root / "classes.txt").write_text("background,#000000\ncat,#ff0000\nvoid,#0000ff\n")
    assert next(opened(root).samples("train")).mask.tolist() == [[0, 1, 255]]


def test_lists_may_have_flags_and_short_names_and_masks_large_endings(voc):
    root = voc(lists={"train": "a  1\nb -1\nc 0\nd 1\n", "val": "e\n"})
    for path in list((root / "SegmentationClass").iterdir()):
        path.rename(path.with_suffix(".PNG"))
    assert counts(opened(root)) == {"train": 3, "val": 1, "test": 1}


def test_a_number_of_classes_without_names_is_that_number(voc):
    assert opened(voc(mask=((0, 1, 2),)), "num_classes=3").classes == ("background", "class 1", "class 2")
