"""Plain folders of volumes: pairs by name, and classes as the masks or the keys say."""

import numpy as np
import pytest

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.errors import DataError

nibabel = pytest.importorskip("nibabel")


def write_folder(root, names, values=(0, 1, 2), ending=".nii.gz"):
    random = np.random.default_rng(0)
    for name in names:
        for part in ("images", "masks"):
            (root / part).mkdir(parents=True, exist_ok=True)
        image = random.normal(size=(8, 7, 6)).astype(np.float32)
        mask = np.asarray(values, np.uint8)[random.integers(0, len(values), (8, 7, 6))]
        for part, array in (("images", image), ("masks", mask)):
            save(root / part / f"{name}{ending}", array)
    return root


def save(path, array):
    if path.name.endswith((".nii", ".nii.gz")):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)
        return
    sitk = pytest.importorskip("SimpleITK")
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_every_format_of_volumes_is_paired(tmp_path, ending):
    dataset = open_dataset(parse_spec(f"volumes:{write_folder(tmp_path, 'abcd', ending=ending)}"))
    assert {split: len(dataset.sources(split)) for split in ("train", "val", "test")} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }
    assert dataset.classes == ("background", "class 1", "class 2")
    sample = dataset.read(dataset.split("train")[2])
    assert sample.mask.max() == 2


def test_splits_may_be_folders(tmp_path):
    for level, names in (("train", "abc"), ("val", "de"), ("test", "f")):
        write_folder(tmp_path / level, names)
    dataset = open_dataset(parse_spec(f"volumes:{tmp_path}"))
    assert [[case.name for case in dataset.sources(split)] for split in ("train", "val", "test")] == [
        ["a", "b", "c"], ["d", "e"], ["f"]
    ]  # fmt: skip


def test_black_and_white_masks_are_two_classes(tmp_path):
    dataset = open_dataset(parse_spec(f"volumes:{write_folder(tmp_path, 'abcd', values=(0, 255))}"))
    assert dataset.num_classes == 2
    assert set(np.unique(dataset.read(dataset.split("train")[0]).mask)) == {0, 1}


def test_values_may_be_named(tmp_path):
    root = write_folder(tmp_path, "abcd", values=(0, 205, 820 % 256))
    dataset = open_dataset(parse_spec(f'volumes:{root},class_values=[0,52,205],class_names=["none","a","b"]'))
    assert dataset.classes == ("none", "a", "b")
    assert set(np.unique(dataset.read(dataset.split("train")[0]).mask)) == {0, 1, 2}


def test_values_with_gaps_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"masks hold 0, 5, which are not class indices"):
        open_dataset(parse_spec(f"volumes:{write_folder(tmp_path, 'abcd', values=(0, 5))}"))


def test_named_classes_need_few_masks(tmp_path, monkeypatch):
    import onenet.data.volume_folder as volume_folder

    read, plain = [], volume_folder.read_values
    monkeypatch.setattr(volume_folder, "read_values", lambda path: read.append(path) or plain(path))
    root = write_folder(tmp_path, "abcdefgh")
    assert open_dataset(parse_spec(f"volumes:{root},num_classes=4")).num_classes == 4
    assert len(read) == 3
    assert open_dataset(parse_spec(f"volumes:{root}")).num_classes == 3
    assert len(read) == 3 + 8


def test_black_and_white_is_two_classes_where_two_are_named(tmp_path):
    root = write_folder(tmp_path, "abcd", values=(0, 255))
    dataset = open_dataset(parse_spec(f'volumes:{root},class_names=["none","organ"]'))
    assert set(np.unique(dataset.read(dataset.split("train")[0]).mask)) == {0, 1}


def test_a_folder_without_pairs_is_refused(tmp_path):
    with pytest.raises(DataError, match="volumes wants images/ and masks/ with equal names"):
        open_dataset(parse_spec(f"volumes:{tmp_path}"))
