"""Lists beside images/ decide the splits; a broken one is named with its line."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.data.lists import named_stem, read_list
from onenet.errors import DataError

NAMES = ("cat", "dog", "my holiday", "no dot.2024", "über")


@pytest.fixture
def listed(tmp_path):
    """`listed(train="cat", test="dog")` is a folder of five images with these lists."""
    for name in NAMES:
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).save(tmp_path / kind / f"{name}.png")

    def write(folder="", **lists):
        (tmp_path / folder).mkdir(exist_ok=True)
        for split, text in lists.items():
            (tmp_path / folder / f"{split}.txt").write_bytes(text.encode("utf-8"))
        return tmp_path

    return write


def opened(root):
    return open_dataset(parse_spec(f"folder:{root}"))


def names(dataset):
    return {split: [item.name for item in items] for split, items in dataset.items.items()}


@pytest.mark.parametrize("folder", ["", "splits"])
def test_lists_decide_the_splits(listed, folder):
    dataset = opened(listed(folder, train="cat\ndog\n", val="über\n", test="my holiday\n"))
    assert names(dataset) == {"train": ["cat", "dog"], "val": ["über"], "test": ["my holiday"]}
    assert dataset.notes == ("1 images are in none of the lists and are left out",) or "left out" in dataset.notes[0]


@pytest.mark.parametrize(
    "line", ["cat", "cat.png", "images/cat.png", "cat.png masks/cat.png", "\ufeffcat", "cat\r", "  cat  "]
)
def test_a_line_may_have_an_ending_folders_and_a_mask(listed, line):
    dataset = opened(listed(train=f"{line}\ndog\n", val="über\n"))
    assert names(dataset)["train"] == ["cat", "dog"]


def test_names_may_hold_spaces_and_dots(listed):
    dataset = opened(listed(train="my holiday.png\nno dot.2024\n", val="cat"))
    assert names(dataset)["train"] == ["my holiday", "no dot.2024"]


def test_without_a_validation_list_some_training_images_are_kept_for_it(listed):
    found = names(opened(listed(train="cat\ndog\nüber\n", test="my holiday\n")))
    assert len(found["val"]) == 1 and sorted(found["train"] + found["val"]) == ["cat", "dog", "über"]


@pytest.mark.parametrize(
    ("lists", "complaint"),
    [
        (dict(train="cat\ncow\n", val="dog"), r"train\.txt: .*'cow'"),
        (dict(train="cat\ndog\n", val="dog\n"), r"val\.txt: .*'dog'.*train\.txt"),
        (dict(train="\n\n", val="dog"), r"train\.txt: the list is empty"),
        (dict(val="dog"), r"train\.txt: missing, although val\.txt is there"),
    ],
)
def test_a_broken_list_is_named(listed, lists, complaint):
    with pytest.raises(DataError, match=complaint) as refusal:
        opened(listed(**lists))
    assert "\n" not in str(refusal.value)


def test_a_list_that_is_no_text_is_named(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x81")
    with pytest.raises(DataError, match=r"train\.txt: not a text file"):
        read_list(tmp_path / "train.txt")


@pytest.mark.parametrize(
    "line",
    [r"images\\cat.png", r"C:\\data\\cat.png", "cat.png,cat_mask.png", "cat cat.png", "cat 1", "cat  -1", '"cat.png"',
     "cat.jpg", "./images/cat.png\t./masks/cat.png", "/JPEGImages/cat.jpg /SegmentationClass/cat.png", "CAT/cat"],
)  # fmt: skip
def test_a_line_names_an_image_in_every_way_that_people_write_it(line):
    assert named_stem(line, {"cat"}) == "cat"


@pytest.mark.parametrize("line", ["cat 2.jpg", "cat 2", "cats", "Cat", "dog.png cat.png", "cat dog mask"])
def test_a_line_of_another_image_is_not_taken_for_one_whose_name_it_begins_with(line):
    assert named_stem(line, {"cat"}) is None


def test_letters_are_the_same_however_they_are_composed():
    """As a Mac writes names, and as others do."""
    composed, decomposed = (unicodedata.normalize(form, "über") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert named_stem(f"{decomposed}.png", {composed}) == composed
