"""Oxford-IIIT Pet keeps its official lists; its trimaps become classes."""

import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.errors import ConfigError, DataError

PETS = Path(str(resources.files("onenet"))) / "samples/oxford_pet"


def opened(format_, root=PETS, *changes):
    return open_dataset(parse_spec(",".join([f"{format_}:{root}", *changes])))


def listed(name):
    return {line.split()[0] for line in (PETS / "annotations" / name).read_text().splitlines()}


def trimap(item):
    return np.asarray(Image.open(item.mask))


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(PETS, tmp_path / "pets"))


def test_the_official_lists_decide_what_is_tested():
    items = opened("pet-small").items
    assert {item.name for item in items["test"]} == listed("test.txt")
    assert {item.name for item in items["train"] + items["val"]} == listed("trainval.txt")
    assert not set(items["train"]) & set(items["val"])
    assert len(items["val"]) >= 1


def test_the_split_seed_draws_other_validation_images_and_the_same_test():
    first, other = opened("pet-small").items, opened("pet-small", PETS, "split_seed=1").items
    assert first["val"] != other["val"]
    assert first["test"] == other["test"]


def test_pet_small_is_background_pet_and_border():
    dataset = opened("pet-small")
    assert dataset.classes == ("background", "pet", "border")
    assert dataset.background == 0
    for item in dataset.split("all"):
        raw, mask = trimap(item), dataset.read(item).mask
        assert set(np.unique(raw)) == {1, 2, 3}  # pet, background, border
        assert np.array_equal(mask == 1, raw == 1)
        assert np.array_equal(mask == 0, raw == 2)
        assert np.array_equal(mask == 2, raw == 3)


def test_pet_binary_counts_the_border_as_pet_and_says_so():
    dataset = opened("pet-binary")
    assert dataset.classes == ("background", "pet")
    assert dataset.notes == ("pet-binary: the border counts as pet",)
    for item in dataset.split("test"):
        assert np.array_equal(dataset.read(item).mask, (trimap(item) != 2).astype(np.uint8))


def test_samples_name_the_packaged_pets():
    assert opened("pet-small", "samples:oxford_pet").items == opened("pet-small").items


@pytest.mark.parametrize("name", ["trainval.txt", "test.txt"])
def test_a_missing_list_is_named(copy, name):
    (copy / "annotations" / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: cannot be read \(No such file or directory\); data\.root must hold"):
        opened("pet-small", copy)


@pytest.mark.parametrize("content", ["", "# a remark\n\n"])
def test_an_empty_list_is_named(copy, content):
    (copy / "annotations/test.txt").write_text(content)
    with pytest.raises(DataError, match=r"test\.txt: the list is empty"):
        opened("pet-small", copy)


def test_a_list_that_is_no_text_is_named(copy):
    (copy / "annotations/test.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match=r"test\.txt"):
        opened("pet-small", copy)


@pytest.mark.parametrize("file", ["images/Abyssinian_88.jpg", "annotations/trimaps/Abyssinian_88.png"])
def test_a_file_that_a_list_names_but_is_not_there_is_named(copy, file):
    (copy / file).unlink()
    with pytest.raises(DataError, match=r"Abyssinian_88\.\w+: missing, although test\.txt names it"):
        opened("pet-small", copy)


def test_a_trimap_with_another_value_is_named(copy):
    path = copy / "annotations/trimaps/Abyssinian_88.png"
    raw = np.array(Image.open(path))
    raw[0, 0] = 7
    Image.fromarray(raw).save(path)
    dataset = opened("pet-small", copy)
    with pytest.raises(DataError, match=r"Abyssinian_88\.png: the mask holds the value 7, but the labels are 1, 2, 3"):
        list(dataset.samples("test"))


def test_a_number_of_classes_that_the_format_has_not_is_refused():
    with pytest.raises(ConfigError, match=r"data\.num_classes=4: pet-small has 3 classes"):
        opened("pet-small", PETS, "num_classes=4")


def test_breeds_without_an_image_are_told_apart_from_those_that_are_there():
    dataset = open_dataset(parse_spec("pet-full:samples:oxford_pet"))
    there = {label for sample in dataset.samples("all") for label in np.unique(sample.mask)} - {255}
    assert dataset.num_classes == 38
    assert there.isdisjoint(dataset.absent) and there | set(dataset.absent) == set(range(38))


# --- pet-full


@pytest.mark.parametrize(("border", "label"), [("ignore", 255), ("pet", None)])
def test_pet_full_is_the_breed_of_the_list_and_the_border_as_it_is_set(border, label):
    dataset = opened("pet-full", PETS, f"border={border}")
    lines = [
        line for name in ("trainval.txt", "test.txt") for line in (PETS / "annotations" / name).read_text().splitlines()
    ]
    breeds = {line.split()[0]: int(line.split()[1]) for line in lines}
    for item in dataset.split("all"):
        raw, mask, breed = trimap(item), dataset.read(item).mask, breeds[item.name]
        assert (mask[raw == 1] == breed).all() and (mask[raw == 2] == 0).all()
        assert (mask[raw == 3] == (breed if label is None else label)).all()
        assert dataset.classes[breed].lower().replace(" ", "_") == item.name.rpartition("_")[0].lower()
    assert ("is not counted" if label else "counts as pet") in dataset.notes[0]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{stem}", "the line of {stem} holds no class id"),
        ("{stem} 38 1 1", "holds no class id between 1 and 37"),
        ("{stem} x 1 1", "holds no class id"),
        ("{stem} 1 1 1\n{stem} 2 1 1", "gives '{stem}' two class ids, 1 and 2"),
    ],
)
def test_a_line_without_one_breed_is_named(copy, line, complaint):
    path = copy / "annotations/test.txt"
    first, *rest = path.read_text().splitlines()
    stem = first.split()[0]
    path.write_text("\n".join([line.format(stem=stem), *rest]))
    with pytest.raises(DataError, match=rf"test\.txt: .*{complaint.format(stem=stem)}"):
        opened("pet-full", copy)
    if "gives" not in complaint:
        assert opened("pet-small", copy).items["test"]  # needs no breeds


def test_an_image_in_both_lists_is_named(copy):
    train, test = (copy / "annotations" / name for name in ("trainval.txt", "test.txt"))
    shared = test.read_text().splitlines()[0]
    train.write_text(f"{train.read_text()}\n{shared}\n")
    with pytest.raises(DataError, match=rf"test\.txt: names '{shared.split()[0]}', which trainval\.txt names too"):
        opened("pet-small", copy)
