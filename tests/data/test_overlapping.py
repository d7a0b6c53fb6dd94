"""Classes that may overlap: a folder of masks per class becomes one bit code per pixel."""

import numpy as np
import pytest
from PIL import Image

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.errors import ConfigError, DataError

RANDOM = np.random.default_rng(0)


@pytest.fixture
def layers(tmp_path):
    """`layers(box=..., disc=...)` writes masks/box/NAME.png and so on; None where an image has no file of a class."""

    def make(level="", count=4, classes=("box", "disc"), value=255):
        found = {}
        for index in range(count):
            planes = {name: RANDOM.random((5, 6)) < 0.5 for name in classes}
            found[f"p{index}"] = planes
            files = {"images": np.zeros((5, 6, 3), dtype=np.uint8)}
            files |= {f"masks/{name}": plane * np.uint8(value) for name, plane in planes.items()}
            for folder, pixels in files.items():
                (tmp_path / level / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(tmp_path / level / folder / f"p{index}.png")
        return tmp_path, found

    return make


def opened(root, *changes):
    return open_dataset(parse_spec(",".join([f"folder:{root}", "overlapping=true", *changes])))


@pytest.mark.parametrize("value", [1, 255])
def test_bit_i_is_class_i(layers, value):
    root, truth = layers(value=value)
    dataset = opened(root)
    assert dataset.overlapping and dataset.classes == ("box", "disc") and dataset.background is None
    for sample in dataset.samples("all"):
        planes = truth[sample.name]
        for y in range(5):
            for x in range(6):
                assert sample.mask[y, x] == planes["box"][y, x] + 2 * planes["disc"][y, x]


def test_names_decide_the_order(layers):
    root, truth = layers()
    sample = next(opened(root, "class_names=disc,box").samples("train"))
    assert (sample.mask & 1 == truth[sample.name]["disc"]).all()


def test_a_file_that_is_missing_means_that_the_class_is_not_there(layers):
    root, truth = layers()
    (root / "masks/disc/p0.png").unlink()
    found = {sample.name: sample.mask for sample in opened(root).samples("all")}
    assert (found["p0"] == truth["p0"]["box"]).all()


def test_levels_are_splits(layers):
    for level in ("train", "val", "test"):
        root, _ = layers(level)
    assert {split: len(items) for split, items in opened(root).items.items()} == {"train": 4, "val": 4, "test": 4}


def test_what_does_not_fit_is_named(layers):
    root, _ = layers()
    with pytest.raises(DataError, match="masks/cat: no such folder"):
        opened(root, "class_names=box,cat")
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(root / "masks/disc/p1.png")
    with pytest.raises(DataError, match=r"masks/disc/p1\.png: is 9x9, but"):
        list(opened(root).samples("all"))
    (root / "masks/disc/p2.png").unlink()
    (root / "masks/box/p2.png").unlink()
    with pytest.raises(DataError, match=r"images/p2\.png: "):
        opened(root)


def test_eight_classes_are_one_too_many(layers):
    root, _ = layers(classes=tuple("abcdefgh"))
    with pytest.raises(DataError, match=r"8 classes, but .* at most 7"):
        opened(root)


def test_masks_without_folders_per_class_are_told_the_layout(photos):
    with pytest.raises(DataError, match=r"masks/CLASS/NAME\.png"):
        opened(photos())


def test_a_class_may_be_absent_from_a_whole_level(layers):
    for level in ("training", "valid", "testing"):
        root, _ = layers(level)
    for path in (root / "valid/masks/disc").iterdir():
        path.unlink()
    (root / "valid/masks/disc").rmdir()
    dataset = opened(root)
    assert dataset.classes == ("box", "disc")
    assert all((sample.mask <= 1).all() for sample in dataset.samples("val"))


def test_of_many_folders_some_can_be_chosen_and_the_others_are_named(layers):
    root, truth = layers(classes=tuple("abcdefgh"))
    dataset = opened(root, "class_names=h,b")
    assert dataset.notes == ("masks/ also holds a, c, d, e, f, g, which data.class_names leaves out",)
    sample = next(dataset.samples("train"))
    assert (sample.mask == truth[sample.name]["h"] + 2 * truth[sample.name]["b"]).all()


def test_hidden_folders_are_no_classes(layers):
    root, _ = layers()
    (root / "masks/.thumbnails").mkdir()
    assert opened(root).classes == ("box", "disc")


@pytest.mark.parametrize("values", [[0, 7], [0, 128, 255], [0, 1, 255]])
def test_a_mask_of_one_class_holds_two_values(layers, values):
    root, _ = layers()
    mask = np.resize(np.array(values, dtype=np.uint8), (5, 6))
    Image.fromarray(mask).save(root / "masks/disc/p1.png")
    with pytest.raises(
        DataError, match=rf"disc/p1\.png: holds the value {values[-2] or values[-1]}, but the mask of one"
    ):
        list(opened(root).samples("all"))


def test_the_size_of_every_layer_is_looked_at_beforehand(layers):
    root, _ = layers()
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(root / "masks/disc/p1.png")
    dataset = opened(root)
    split = next(split for split, items in dataset.items.items() if any(item.name == "p1" for item in items))
    with pytest.raises(DataError, match=r"disc/p1\.png: the mask is 9x9, but its image is 5x6"):
        dataset.check_sizes(split)


@pytest.mark.parametrize(
    "change", ["class_values=[0,1]", "class_table=classes.txt", "background=1", "mask_encoding=colour", "num_classes=3"]
)
def test_keys_for_classes_that_do_not_overlap_are_refused(layers, change):
    root, _ = layers()
    with pytest.raises(ConfigError, match=rf"data\.{change.partition('=')[0]}.*; leave it out"):
        opened(root, change)


def test_layers_may_be_cut_outs(layers):
    root, truth = layers()
    for name in ("box", "disc"):
        for stem, planes in truth.items():
            pixels = np.zeros((5, 6, 4), dtype=np.uint8)
            pixels[..., 3] = planes[name] * np.uint8(255)
            Image.fromarray(pixels).save(root / f"masks/{name}/{stem}.png")
    for sample in opened(root, "mask_encoding=alpha").samples("all"):
        assert (sample.mask == truth[sample.name]["box"] + 2 * truth[sample.name]["disc"]).all()
