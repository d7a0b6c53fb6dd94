"""Anyone's own data: images/ beside masks/, with or without levels; whatever does not fit is named."""

import dataclasses
import unicodedata

import numpy as np
import pytest
from PIL import Image

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.errors import ConfigError, DataError

GREY, COLOUR = np.full((6, 8), 90, dtype=np.uint8), np.full((6, 8, 3), 90, dtype=np.uint8)


@pytest.fixture
def pair(tmp_path):
    """`pair("train/cat", [[0, 1]])` writes tmp_path/train/images/cat.png and its mask, and returns tmp_path."""

    def write(name, mask, image=COLOUR):
        *level, stem = name.split("/")
        mask = np.asarray(mask, dtype=np.uint8)
        image = np.resize(image, (*mask.shape, *image.shape[2:]))
        for kind, pixels in (("images", image), ("masks", mask)):
            folder = tmp_path.joinpath(*level, kind)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{stem}.png")
        return tmp_path

    return write


def opened(root, *changes):
    return open_dataset(parse_spec(",".join([f"folder:{root}", *changes])))


def names(dataset, split):
    return [item.name for item in dataset.items[split]]


def read(dataset, split="all"):
    return {sample.name: sample for sample in dataset.samples(split)}


# --- layouts


def test_a_flat_folder_is_split_and_every_image_is_in_one_split(photos):
    dataset = opened(photos(count=10), "val=0.2", "test=0.3")
    assert {split: len(items) for split, items in dataset.items.items()} == {"train": 5, "val": 2, "test": 3}
    together = [name for split in dataset.items for name in names(dataset, split)]
    assert sorted(together) == sorted(f"photo{i}" for i in range(10))


def test_images_and_masks_are_read_together_by_name(photos):
    root = photos(count=4)
    for name, sample in read(opened(root)).items():
        assert np.array_equal(sample.image, np.asarray(Image.open(root / "images" / f"{name}.png")))
        assert np.array_equal(sample.mask, np.asarray(Image.open(root / "masks" / f"{name}.png")))
        assert sample.image[sample.mask == 1].min() >= 150 > sample.image[sample.mask == 0].max()


def test_image_and_mask_may_have_different_endings(photos):
    root = photos(count=3)
    for path in sorted((root / "images").iterdir()):
        Image.open(path).save(path.with_suffix(".JPG"), "JPEG")
        path.unlink()
    assert len(read(opened(root))) == 3


@pytest.mark.parametrize("levels", ["train val test", "training validation testing", "train valid test"])
def test_levels_in_the_folder_are_the_splits(pair, levels):
    for split, stems in zip(levels.split(), ("ab", "c", "d"), strict=True):
        for stem in stems:
            root = pair(f"{split}/{stem}", [[0, 1]])
    dataset = opened(root)
    assert [names(dataset, split) for split in ("train", "val", "test")] == [["a", "b"], ["c"], ["d"]]


def test_without_a_validation_level_some_training_images_are_kept_for_it(pair):
    for stem in "abcdefghij":
        pair(f"train/{stem}", [[0, 1]])
    dataset = opened(pair("test/z", [[0, 1]]), "val=0.3")
    assert len(names(dataset, "val")) == 3 and len(names(dataset, "train")) == 7
    assert names(dataset, "test") == ["z"]
    assert sorted(names(dataset, "train") + names(dataset, "val")) == list("abcdefghij")


def test_without_a_test_level_all_training_images_are_trained_on(pair):
    for stem in "abcdefghij":
        pair(f"train/{stem}", [[0, 1]])
    dataset = opened(pair("val/z", [[0, 1]]), "test=0.3")
    assert names(dataset, "test") == [] and len(names(dataset, "train")) == 10
    assert names(dataset, "val") == ["z"]


# --- splits


def test_three_images_give_every_split_one(photos):
    dataset = opened(photos(count=3))
    assert [len(dataset.items[split]) for split in ("train", "val", "test")] == [1, 1, 1]


def test_every_image_validates_in_one_fold(photos, pair):
    root = photos(count=11)
    folds = [opened(root, "folds=3", f"fold={fold}") for fold in range(3)]
    assert len({tuple(names(fold, "test")) for fold in folds}) == 1
    validated = sorted(name for fold in folds for name in names(fold, "val"))
    assert validated == sorted({name for split in ("train", "val") for name in names(folds[0], split)})
    for name in ("train/a", "train/b", "val/c"):
        levels = pair(name, [[0, 1]])
    folds = [opened(levels, "folds=3", f"fold={fold}") for fold in range(3)]
    assert sorted(name for fold in folds for name in names(fold, "val")) == ["a", "b", "c"]


def test_validation_images_are_not_optional_because_they_choose_the_best_weights(photos):
    with pytest.raises(ConfigError, match=r"data.val=0.0: must lie between"):
        opened(photos(count=5), "val=0")


def test_no_test_images_where_none_are_wanted(photos):
    dataset = opened(photos(count=2), "test=0")
    assert [len(dataset.items[split]) for split in ("train", "val", "test")] == [1, 1, 0]
    with pytest.raises(DataError, match="the split test is empty; choose another with --split"):
        dataset.split("test")


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_are_refused_with_their_number(photos, count):
    with pytest.raises(DataError, match=rf"images: {count} image\(s\) with a mask, but at least 3 are needed"):
        opened(photos(count=count))


def test_images_under_another_name_or_in_the_folder_above_are_pointed_to(photos):
    root = photos()
    (root / "masks").rename(root / "labels")
    with pytest.raises(DataError, match=r"masks: no such folder; .*; there are labels/ to be renamed"):
        open_dataset(parse_spec(f"folder:{root}"))
    (root / "labels").rename(root / "masks")
    with pytest.raises(DataError, match=rf"did you mean folder:{root}\?"):
        open_dataset(parse_spec(f"folder:{root}/images"))


def test_shares_that_leave_nothing_to_train_on_are_refused(photos):
    spec = f"folder:{photos(count=8)},val=0.9,test=0.9"
    with pytest.raises(ConfigError, match=r"data\.val=0\.9 and data\.test=0\.9 leave none of 8 images to train on"):
        open_dataset(parse_spec(spec))


def test_a_split_depends_on_its_seed_alone(photos):
    root = photos(count=20)
    first, again, other = (opened(root, f"split_seed={seed}").items for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_an_unknown_split_is_answered_with_the_nearest(photos):
    dataset = opened(photos())
    with pytest.raises(ConfigError, match="unknown split 'tests': did you mean test"):
        dataset.split("tests")


# --- labels


def test_as_many_classes_as_the_masks_have(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1, 2]])
    dataset = opened(root)
    assert dataset.classes == ("background", "class 1", "class 2")
    assert dataset.background == 0


@pytest.mark.parametrize("values", [[0, 100], [0, 128, 255], [1, 2], [0, 1, 4]])
def test_values_with_gaps_are_refused_because_they_are_seldom_class_indices(pair, values):
    for stem in "abc":
        root = pair(stem, [values])
    with pytest.raises(DataError, match=r"not class indices 0, 1, 2, ...; .*data.class_values"):
        opened(root)


def test_values_with_gaps_are_classes_where_their_number_is_given(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1, 4]])
    assert opened(root, "num_classes=5").num_classes == 5


def test_masks_of_0_and_255_are_background_and_object_and_one_line_says_so(photos):
    dataset = opened(photos(values=(0, 255)))
    assert len(dataset.notes) == 1 and "0 and 255" in dataset.notes[0] and "\n" not in dataset.notes[0]
    assert dataset.num_classes == 2
    assert {label for sample in dataset.samples("all") for label in np.unique(sample.mask)} == {0, 1}


def test_beside_other_labels_255_is_not_counted(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1, 255]])
    dataset = opened(root)
    assert (dataset.num_classes, dataset.notes) == (2, ())
    assert read(dataset)["a"].mask.tolist() == [[0, 1, 255]]


def test_another_value_may_be_the_one_that_is_not_counted(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1, 9]])
    dataset = opened(root, "ignore_index=9")
    assert dataset.num_classes == 2
    assert read(dataset)["a"].mask.tolist() == [[0, 1, 255]]


def test_a_class_that_no_mask_holds_exists_where_the_number_is_given(photos):
    assert opened(photos(), "num_classes=4").num_classes == 4


def test_a_label_beyond_the_classes_is_named_with_its_file(pair):
    pair("a", [[0, 1]]), pair("b", [[0, 1]])
    root = pair("wrong", [[0, 7]])
    with pytest.raises(DataError, match=r"wrong\.png: the mask holds the value 7; allowed are 0 to 2 and 255"):
        opened(root, "num_classes=3")


def test_more_classes_than_a_network_may_have_are_named_with_their_file(pair):
    pair("a", [[0, 1]]), pair("b", [[0, 1]])
    root = pair("grey-levels", [[0, 254]])
    with pytest.raises(DataError, match=r"grey-levels\.png: the mask holds the value 254"):
        opened(root)


def test_16_bit_labels_are_read_and_large_ones_are_named(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1]])
    Image.fromarray(np.array([[0, 1000]], dtype=np.uint16)).save(root / "masks/c.png")
    with pytest.raises(DataError, match=r"c\.png: the mask holds the value 1000"):
        opened(root)


@pytest.mark.parametrize(("value", "complaint"), [(0, "nothing to learn"), (255, "not counted")])
def test_masks_of_one_value_throughout_are_refused(pair, value, complaint):
    for stem in "abc":
        root = pair(stem, [[value, value]])
    with pytest.raises(DataError, match=complaint):
        opened(root)


def test_class_names_are_one_per_class(photos):
    root = photos()
    spec = parse_spec(f"folder:{root}")
    assert open_dataset(dataclasses.replace(spec, class_names=("table", "cup"))).classes == ("table", "cup")
    with pytest.raises(ConfigError, match=r"data\.class_names has 1 names, but the masks have 2 classes"):
        opened(root, "class_names=['table']")


def test_without_a_background_all_classes_are_alike(photos):
    dataset = opened(photos(), "background=-1")
    assert dataset.background is None
    assert dataset.classes == ("class 0", "class 1")
    assert (0, 0, 0) not in dataset.colours


def test_a_background_that_is_no_class_is_refused(photos):
    with pytest.raises(ConfigError, match=r"data\.background=5: there are 2 classes"):
        opened(photos(), "background=5")


# --- channels


def test_all_grey_images_make_a_grey_data_set_and_one_in_colour_does_not(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1]], image=GREY)
    assert opened(root).in_channels == 1
    assert read(opened(root))["a"].image.shape == (1, 2, 1)
    assert opened(pair("c", [[0, 1]], image=COLOUR)).in_channels == 3
    assert opened(root, "in_channels=1").in_channels == 1


# --- what does not fit


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone: no such folder; name one that holds images/ and masks/"):
        opened(tmp_path / "gone")


def test_no_root_at_all_says_how_to_give_one():
    with pytest.raises(ConfigError, match=r"data\.root is empty.*folder:PATH"):
        open_dataset(parse_spec("default"))


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_missing_folder_is_named(photos, kind):
    root = photos()
    (root / kind).rename(root / "elsewhere")
    with pytest.raises(DataError, match=f"{kind}: no such folder"):
        opened(root)


@pytest.mark.parametrize(("gone", "left"), [("images", "masks"), ("masks", "images")])
def test_a_missing_partner_is_named(photos, gone, left):
    root = photos()
    (root / gone / "photo3.png").unlink()
    with pytest.raises(DataError, match=rf"{left}/photo3\.png: has no {gone.removesuffix('s')}; put photo3\."):
        opened(root)


def test_an_empty_folder_is_named(tmp_path):
    (tmp_path / "images").mkdir(), (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="images: holds no images"):
        opened(tmp_path)


def test_two_images_of_one_name_are_named(photos):
    root = photos()
    Image.fromarray(COLOUR).save(root / "images/photo3.jpg")
    with pytest.raises(DataError, match=r"photo3\.png: has the same name as photo3\.jpg"):
        opened(root)


def test_other_files_do_not_disturb(photos):
    root = photos(count=3)
    for name in ("notes.txt", ".hidden.png", "Thumbs.db"):
        (root / "images" / name).write_bytes(b"something")
    assert len(opened(root).split("all")) == 3


def test_a_mask_of_another_size_is_named_with_both_sizes(photos):
    root = photos(size=(24, 20))
    Image.fromarray(np.eye(10, 12, dtype=np.uint8)).save(root / "masks/photo3.png")
    with pytest.raises(DataError, match=r"masks/photo3\.png: the mask is 10x12, but its image is 24x20"):
        read(opened(root))


def test_a_photo_on_its_side_needs_an_upright_mask(pair):
    mask = np.zeros((2, 3), dtype=np.uint8)
    mask[0, 2] = 1
    for stem in "abc":
        root = pair(stem, mask)
    exif = Image.Exif()
    exif[274] = 6  # stored 3 wide and 2 high is seen 2 wide and 3 high
    Image.fromarray(np.zeros((2, 3, 3), dtype=np.uint8)).save(root / "images/a.png", exif=exif)
    with pytest.raises(DataError, match=r"a\.png: the mask is 2x3, but its image is 3x2"):
        read(opened(root))
    Image.fromarray(np.rot90(mask, -1)).save(root / "masks/a.png")
    assert read(opened(root))["a"].mask.shape == (3, 2)


def test_a_mask_in_colour_is_named(photos):
    root = photos()
    Image.fromarray(np.full((24, 20, 3), (0, 10, 20), dtype=np.uint8)).save(root / "masks/photo3.png")
    with pytest.raises(DataError, match=r"masks/photo3\.png: a mask in colours"):
        opened(root)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_damaged_file_is_named(photos, kind):
    root = photos()
    path = root / kind / "photo3.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=rf"{kind}/photo3\.png: "):
        read(opened(root))


# --- packaged sets


def test_the_packaged_nuclei_are_opened_by_name():
    dataset = opened("samples:nuclei")
    assert (dataset.name, dataset.num_classes, dataset.in_channels) == ("nuclei", 2, 3)
    assert all(len(dataset.items[split]) > 5 for split in ("train", "val", "test"))


def test_an_unknown_packaged_set_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean nuclei"):
        opened("samples:nuclie")


# --- names and things that lie about


def test_a_name_is_the_same_however_its_letters_are_composed(pair, tmp_path):
    for stem in "abc":
        root = pair(stem, [[0, 1]])
    (root / "images/a.png").rename(root / "images" / f"{unicodedata.normalize('NFD', 'über')}.png")
    (root / "masks/a.png").rename(root / "masks" / f"{unicodedata.normalize('NFC', 'über')}.PNG")
    assert len(read(opened(root))) == 3


def test_links_are_followed_and_folders_that_are_called_like_images_are_not(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1]])
    for kind in ("images", "masks"):
        (root / kind / "link.png").symlink_to(root / kind / "a.png")
        (root / kind / "folder.png").mkdir()
    assert sorted(read(opened(root))) == ["a", "b", "c", "link"]


def test_beside_images_a_train_folder_is_not_read_and_a_note_says_so(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1]])
        pair(f"train/{stem}{stem}", [[0, 1]])
    dataset = opened(root)
    assert sorted(read(dataset)) == ["a", "b", "c"]
    assert dataset.notes == ("images/ is read; train/ beside it is not",)


def test_masks_in_folders_are_told_of_the_key_for_classes_that_overlap(pair):
    for stem in "abc":
        root = pair(stem, [[0, 1]])
    (root / "masks").rename(root / "cat")
    (root / "masks").mkdir()
    (root / "cat").rename(root / "masks/cat")
    with pytest.raises(DataError, match=r"masks: holds folders, but no masks; .*data\.overlapping=true"):
        opened(root)


def test_images_of_other_channels_are_named_with_both_numbers(pair):
    for stem in "abc":
        root = pair(stem, np.zeros((6, 6)) + np.eye(6))
    (root / "images/b.png").unlink()
    np.save(root / "images/b.npy", np.zeros((6, 6, 5), dtype=np.uint8))
    with pytest.raises(DataError, match=r"images/b\.npy: has 5 channels, but [ac]\.png has 3; all images must"):
        opened(root)
    with pytest.raises(DataError, match=r"images/b\.npy: has 5 channels, but the model takes 3"):
        read(opened(root, "in_channels=3"))


@pytest.mark.parametrize(("given", "complaint"), [("[5, 5]", "black and white must differ"), ("[7, 5]", "smaller one")])
def test_a_range_of_values_without_extent_is_refused(given, complaint):
    with pytest.raises(ConfigError, match=rf"data\.value_range=.*{complaint}"):
        parse_spec(f"folder:photos,value_range={given}")


@pytest.mark.parametrize("format_", ["camvid", "voc", "pet-small"])
def test_classes_overlap_in_folders_only(format_):
    with pytest.raises(ConfigError, match=rf"data\.overlapping=true: {format_} has one mask per image"):
        parse_spec(f"{format_}:data,overlapping=true")
