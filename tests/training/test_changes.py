"""What has changed since a run was begun is said key by key and file by file."""

import dataclasses

import pytest

from onenet.config import load_config
from onenet.data import open_dataset
from onenet.data.sample import Dataset, Item
from onenet.training.changes import (
    FREE,
    changed_data,
    changed_files,
    changed_keys,
    changed_reading,
    data_of,
    expecting_mended,
    files_of,
    paths_of,
    reading_of,
)

BEGUN = load_config("default", ["data.root=photos", "model.width=4"])


def later(*changes):
    return load_config("default", ["data.root=photos", "model.width=4", *changes])


def test_an_unchanged_recipe_has_no_changes():
    assert changed_keys(BEGUN.to_dict(), later()) == []


def test_changed_keys_are_named_with_both_values():
    found = changed_keys(BEGUN.to_dict(), later("train.batch=4", "data.size=[32, 64]", "model.depth=3"))
    assert found == ["data.size [256, 256] -> [32, 64]", "model.depth (none) -> 3", "train.batch 8 -> 4"]


def test_a_key_that_did_not_exist_when_the_run_was_begun_had_its_default():
    begun = BEGUN.to_dict()
    del begun["train"]["init"], begun["data"]["train_with_val"]
    assert changed_keys(begun, later()) == []
    assert changed_keys(begun, later("data.train_with_val=true")) == ["data.train_with_val False -> True"]


def test_a_path_from_here_is_the_same_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.safetensors").write_bytes(b"")
    relative = later("train.init=start.safetensors")
    assert changed_keys(relative.anchored().to_dict(), relative) == []


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
        for name, marks in files.items():
            sizes = [(root / kind / f"{name}.png").stat().st_size for kind in ("images", "masks")]
            assert [size for size, _ in marks] == sizes, split


def test_a_file_that_is_not_there_has_no_size(photos):
    dataset = open_dataset(later(f"data.root={photos()}").data)
    item = dataset.items["train"][0]
    item.image.unlink()
    assert files_of(dataset)["train"][item.name][0] == [-1, ""]


@pytest.fixture
def marks(tmp_path):
    """`marks(content)`: of an image and a mask that both hold these bytes."""

    def mark(content, mask=None, **item):
        for name, data in (("a.bmp", content), ("a.npy", content if mask is None else mask)):
            (tmp_path / name).write_bytes(data)
        items = {"train": (Item("a", tmp_path / "a.bmp", tmp_path / "a.npy", **item),)}
        return files_of(Dataset("photos", items, ("cat",), ((0, 0, 0),), None, 3, {0: 0}))

    return mark


def test_of_files_of_equal_size_the_content_counts(marks):
    begun = marks(b"abc")
    assert changed_files(begun, marks(b"abc")) == []
    assert changed_files(begun, marks(b"abd")) == ["train: 1 image changed (a)"]
    assert changed_files(begun, marks(b"abc", mask=b"abd")) == ["train: 1 image changed (a)"]


def test_of_a_large_image_parts_count_and_of_its_mask_everything(marks):
    large = bytearray(3 << 20)
    begun = marks(large)
    for place in (0, 1000, (3 << 20) // 5, len(large) - 1):  # the first bytes, the last, and a fifth of the way
        changed = large.copy()
        changed[place] = 1
        assert changed_files(begun, marks(changed, mask=large))
    changed = large.copy()
    changed[100_000] = 1
    assert changed_files(begun, marks(changed, mask=large)) == []
    assert changed_files(begun, marks(large, mask=changed))


def test_what_a_mask_means_for_its_image_is_of_its_content(marks, tmp_path):
    """The breed of a pet, and which classes have a file where they overlap."""
    begun = marks(b"abc", labels={1: 5, 2: 0})
    assert changed_files(begun, marks(b"abc", labels={2: 0, 1: 5})) == []
    assert changed_files(begun, marks(b"abc", labels={1: 6, 2: 0}))
    file = tmp_path / "a.npy"
    assert changed_files(marks(b"abc", layers=(file, None)), marks(b"abc", layers=(None, file)))


def test_a_checkpoint_of_sizes_alone_is_compared_by_size(marks):
    begun = {"train": {"a": [3, 3]}}
    assert changed_files(begun, marks(b"abc")) == changed_files(begun, marks(b"xyz")) == []
    assert changed_files(begun, marks(b"abcd")) == changed_files({"train": {"a": [3]}}, marks(b"abc"))
    assert changed_files(begun, marks(b"abcd")) == ["train: 1 image changed (a)"]
    assert changed_data({"data": begun}, {"data": marks(b"abc"), "reading": {}}) == []
    assert changed_data({}, {"data": marks(b"abc"), "reading": {}}) == []


# --- how they are read


def labelled(photos, table, *changes):
    root = photos(values=(0, 1))
    (root / "classes.txt").write_text(table)
    return reading_of(open_dataset(later(f"data.root={root}", *changes).data))


TABLE = "nothing,0\ncat,1\ndog,2\n"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (TABLE, []),
        ("# the same\n0 nothing\n1 cat\n2 dog\n", []),
        ("nothing,0\ndog,2\ncat,1\n", ["classes (classes.txt): 1 cat -> dog, 2 dog -> cat"]),
        ("nothing,0\ncat,2\ndog,1\n", ["mask values (classes.txt): 1 cat -> dog, 2 dog -> cat"]),
        (TABLE + "void,7\n", ["mask values (classes.txt): 7 no class -> not counted"]),
        (TABLE + "bird,3\n", ["classes (classes.txt): 3 -> 4 (bird added)"]),
        ("nothing,0\nbird,1\n", ["classes (classes.txt): 3 -> 2 (bird added, cat, dog removed)"]),
        (
            "background,0\ncat,1\ndog,2\n",
            ["classes (classes.txt): 0 nothing -> background", "background (none) -> 0"],
        ),
    ],
)
def test_what_a_class_table_says_otherwise_is_named_with_the_table(photos, table, said):
    assert changed_reading(labelled(photos, TABLE), labelled(photos, table)) == said


def test_colours_and_encodings_channels_and_ranges_are_named(photos):
    begun = labelled(photos, TABLE)
    now = begun | {"encoding": "colour", "labels": {0xFF0000: 0}, "in_channels": 1, "value_range": [0, 9]}
    assert changed_reading(begun, now) == [
        "mask values (classes.txt): #000000 nothing -> no class, #000001 cat -> no class, #000002 dog -> no class "
        "and 2 more", "mask encoding index -> colour", "channels 3 -> 1", "value range [0.0, 0.0] -> [0, 9]",
    ]  # fmt: skip


def test_volumes_that_are_prepared_otherwise_are_named_where_the_checkpoint_says_how_they_were(write_msd):
    root = write_msd(4, modality="CT")

    def reading(*changes):
        words = [f"data.root={root}", "data.format=msd", *changes]
        return reading_of(open_dataset(load_config("volumes", words).data))

    begun, now = reading("data.intensity=window:300:100"), reading("data.spacing=[2.0,2.0]", "data.intensity=zscore")
    assert changed_reading(begun, now) == [
        "spacing of volumes [1.0, 1.0] -> [2.0, 2.0]",
        "intensity of volumes {'kind': 'window', 'low': 250.0, 'high': 350.0} -> {'kind': 'zscore'}",
    ]
    assert changed_reading({key: begun[key] for key in begun if key != "preparation"}, now) == []


def test_what_a_checkpoint_holds_of_the_data_is_of_plain_values(photos, tmp_path):
    """So that it is read without running code."""
    import torch

    data = data_of(open_dataset(later(f"data.root={photos()}").data))
    torch.save(data, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True) == data
    assert changed_data(data, data) == []


def test_added_removed_and_changed_images_are_counted_and_the_first_three_named():
    one, two = [[1, "aa"], [1, "bb"]], [[1, "aa"], [9, "cc"]]
    begun = {"train": {"a": one, "b": one, "c": one}, "val": {"d": one}, "test": {"e": two}}
    now = {"train": {"a": one, "b": two, **dict.fromkeys("vwxyz", one)}, "val": {"d": one}, "test": {"e": one}}
    assert changed_files(begun, begun) == []
    assert changed_files(begun, now) == [
        "train: 5 images added (v, w, x and 2 more), 1 image removed (c), 1 image changed (b)",
        "test: 1 image changed (e)",
    ]


def test_an_image_that_moved_to_another_split_is_removed_there_and_added_here():
    marks = [[1, "aa"], [1, "bb"]]
    assert changed_files({"train": {"a": marks}, "val": {}}, {"train": {}, "val": {"a": marks}}) == [
        "train: 1 image removed (a)",
        "val: 1 image added (a)",
    ]


def test_the_file_that_an_error_names_may_have_any_size_later(photos):
    dataset = open_dataset(later(f"data.root={photos()}").data)
    begun = files_of(dataset)
    bad, *others = dataset.items["train"]
    expecting = expecting_mended(begun, dataset, f"{bad.image}: the image is damaged")
    changed = {**begun, "train": {name: [[0, ""], [0, ""]] for name in begun["train"]}}
    (line,) = changed_files(expecting, changed)
    assert line.startswith(f"train: {len(others)} image") and bad.name not in line
    assert "removed" in changed_files(expecting, {**begun, "train": {}})[0]


def test_overlapping_masks_are_files_of_an_item_too(photos):
    item = open_dataset(later(f"data.root={photos()}").data).items["train"][0]
    several = dataclasses.replace(item, layers=(item.mask, None, item.image.with_name("second.png")))
    assert paths_of(several) == [item.image, item.mask, item.image.with_name("second.png")]
