"""What has changed since a run was begun is said key by key and file by file."""

import dataclasses

import pytest

from onenet.config import load_config
from onenet.data import open_dataset
from onenet.training.changes import FREE, changed_files, changed_keys, expecting_mended, files_of, paths_of

BEGUN = load_config("default", ["data.root=photos", "model.width=4"])


def later(*changes):
    return load_config("default", ["data.root=photos", "model.width=4", *changes])


def test_an_unchanged_recipe_has_no_changes():
    assert changed_keys(BEGUN.to_dict(), later()) == []


def test_changed_keys_are_named_with_both_values():
    found = changed_keys(BEGUN.to_dict(), later("train.batch=4", "data.size=[32, 64]", "model.depth=3"))
    assert found == ["data.size [256, 256] -> [32, 64]", "model.depth (none) -> 3", "train.batch 8 -> 4"]


def test_a_key_of_the_model_that_was_left_out_is_named():
    begun = load_config("default", ["data.root=photos", "model.depth=3", "model.width=4"])
    assert changed_keys(begun.to_dict(), later()) == ["model.depth 3 -> (none)"]


VALUES = {
    "train.workers": 2, "train.device": "cpu", "train.devices": 2, "train.nodes": 2, "train.precision": "32-true",
    "train.examples": 0, "train.tensorboard": "true", "data.cache": "memory", "data.root": "elsewhere",
    "data.skip_unreadable": "true",
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(FREE))
def test_where_and_how_fast_may_change(key):
    changed = later(f"{key}={VALUES[key]}")
    assert changed != BEGUN and changed_keys(BEGUN.to_dict(), changed) == []


def test_the_size_of_every_file_is_that_on_the_disk(photos):
    root = photos(count=6)
    dataset = open_dataset(later(f"data.root={root}").data)
    found = files_of(dataset)
    assert sum(len(files) for files in found.values()) == 6
    for split, files in found.items():
        for name, sizes in files.items():
            assert sizes == [(root / kind / f"{name}.png").stat().st_size for kind in ("images", "masks")], split


def test_a_file_that_is_not_there_has_no_size(photos):
    dataset = open_dataset(later(f"data.root={photos()}").data)
    item = dataset.items["train"][0]
    item.image.unlink()
    assert files_of(dataset)["train"][item.name][0] == -1


def test_added_removed_and_changed_images_are_counted_and_the_first_three_named():
    begun = {"train": {"a": [1, 1], "b": [2, 2], "c": [3, 3]}, "val": {"d": [4, 4]}, "test": {"e": [5, 5]}}
    now = {
        "train": {"a": [1, 1], "b": [2, 9], **{name: [1, 1] for name in "vwxyz"}},
        "val": {"d": [4, 4]},
        "test": {"e": [6, 5]},
    }
    assert changed_files(begun, begun) == []
    assert changed_files(begun, now) == [
        "train: 5 images added (v, w, x and 2 more), 1 image removed (c), 1 image changed (b)",
        "test: 1 image changed (e)",
    ]


def test_an_image_that_moved_to_another_split_is_removed_there_and_added_here():
    assert changed_files({"train": {"a": [1, 1]}, "val": {}}, {"train": {}, "val": {"a": [1, 1]}}) == [
        "train: 1 image removed (a)",
        "val: 1 image added (a)",
    ]


def test_the_file_that_an_error_names_may_have_any_size_later(photos):
    dataset = open_dataset(later(f"data.root={photos()}").data)
    begun = files_of(dataset)
    bad, *others = dataset.items["train"]
    expecting = expecting_mended(begun, dataset, f"{bad.image}: the image is damaged")
    changed = {**begun, "train": {name: [0, 0] for name in begun["train"]}}
    (line,) = changed_files(expecting, changed)
    assert line.startswith(f"train: {len(others)} image") and bad.name not in line
    assert "removed" in changed_files(expecting, {**begun, "train": {}})[0]


def test_overlapping_masks_are_files_of_an_item_too(photos):
    item = open_dataset(later(f"data.root={photos()}").data).items["train"][0]
    several = dataclasses.replace(item, layers=(item.mask, None, item.image.with_name("second.png")))
    assert paths_of(several) == [item.image, item.mask, item.image.with_name("second.png")]
