"""SegNet's naming of folders, with CamVid's classes or others."""

import numpy as np
import pytest
from PIL import Image

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.data.camvid import CLASSES
from onenet.errors import DataError


@pytest.fixture
def camvid(tmp_path):
    """`camvid("train", "test", mask=[[0, 11]])` has three images in each of these folders."""

    def make(*splits, mask=((0, 3, 11),)):
        for split in splits:
            for index in range(3):
                for folder, pixels in ((split, np.full((len(mask), len(mask[0]), 3), 9)), (f"{split}annot", mask)):
                    (tmp_path / folder).mkdir(exist_ok=True)
                    picture = Image.fromarray(np.asarray(pixels, dtype=np.uint8))
                    picture.save(tmp_path / folder / f"{split}{index}.png")
        return tmp_path

    return make


def opened(root, *changes):
    return open_dataset(parse_spec(",".join([f"camvid:{root}", *changes])))


def test_camvid_has_eleven_classes_no_background_and_void(camvid):
    dataset = opened(camvid("train", "val", "test"))
    assert {split: len(items) for split, items in dataset.items.items()} == {"train": 3, "val": 3, "test": 3}
    assert dataset.classes == CLASSES and dataset.background is None
    assert next(dataset.samples("test")).mask.tolist() == [[0, 3, 255]]


def test_without_a_validation_folder_some_training_images_are_kept_for_it(camvid):
    dataset = opened(camvid("train", "test"))
    assert [len(dataset.items[split]) for split in ("train", "val", "test")] == [2, 1, 3]


def test_other_classes_come_from_a_table_or_from_names(camvid):
    root = camvid("train", "val", mask=((0, 1, 11),))
    assert opened(root, "class_names=sky,car", "ignore_index=11").classes == ("sky", "car")
    (root / "classes.txt").write_text("sky,0\ncar,1\nvoid,11\n")
    dataset = opened(root)
    assert dataset.classes == ("sky", "car")
    assert next(dataset.samples("train")).mask.tolist() == [[0, 1, 255]]


def test_a_label_beyond_the_classes_is_named_when_it_is_read(camvid):
    with pytest.raises(DataError, match=r"trainannot/train0\.png: .*\b12\b"):
        next(opened(camvid("train", "val", mask=((0, 12),))).samples("train"))


def test_another_layout_is_told_what_is_wanted(tmp_path):
    with pytest.raises(DataError, match="train/ and trainannot/"):
        opened(tmp_path)


def test_a_mask_folder_of_other_data_is_told(camvid):
    root = camvid("train", "val")
    for path in (root / "trainannot").iterdir():
        path.rename(path.with_name(f"other-{path.name}"))
    with pytest.raises(DataError, match=r"masks are called other-NAME\.png; rename them"):
        opened(root)


def test_a_missing_partner_is_named(camvid):
    root = camvid("train", "val")
    (root / "valannot/val1.png").unlink()
    with pytest.raises(DataError, match=r"val/val1\.png: has no mask"):
        opened(root)


def test_the_number_of_its_own_classes_changes_nothing(camvid):
    root = camvid("train", "val")
    assert opened(root, "num_classes=11").classes == CLASSES
    renamed = opened(root, "class_names=[" + ",".join(f"'{letter}'" for letter in "abcdefghijk") + "]")
    assert renamed.classes == tuple("abcdefghijk")
    assert next(renamed.samples("train")).mask.tolist() == [[0, 3, 255]]


def test_a_split_without_its_masks_is_told_the_layout(camvid):
    root = camvid("train", "val")
    for path in (root / "valannot").iterdir():
        path.unlink()
    (root / "valannot").rmdir()
    with pytest.raises(DataError, match=r"valannot: no such folder; camvid has .* masks in trainannot/"):
        opened(root)
