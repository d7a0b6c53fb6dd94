"""Volumes as a data set: slices of whole cases, read alike with every cache, drawn by their foreground."""

import dataclasses
import json
import os

import numpy as np
import pytest

from onenet.config import load_config, parse_spec
from onenet.data import open_dataset
from onenet.data.loader import TrainingBatches
from onenet.data.prepared import WHITE
from onenet.data.variation import plan_augmentation
from onenet.errors import ConfigError, DataError

nibabel = pytest.importorskip("nibabel")


def opened(root, *keys):
    return open_dataset(parse_spec(",".join([f"msd:{root}", *keys])))


def cases_of(dataset, split):
    return {item.name.partition("/")[0] for item in dataset.items[split]}


def pairs(root, name):
    return [nibabel.load(root / part / f"{name}.nii.gz").get_fdata() for part in ("imagesTr", "labelsTr")]


@pytest.mark.parametrize("keys", [(), ("split_seed=3",), ("folds=4", "fold=2"), ("axis=0",), ("val=0.4", "test=0.3")])
def test_no_case_is_in_two_splits(write_msd, keys):
    dataset = opened(write_msd(10), *keys)
    parts = [cases_of(dataset, split) for split in ("train", "val", "test")]
    assert all(parts)
    assert sum(map(len, parts)) == len(set().union(*parts)) == 10
    assert [{case.name for case in dataset.sources(split)} for split in ("train", "val", "test")] == parts


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_slice_of_a_case_is_an_item_with_its_own_mask(write_msd, axis):
    root = write_msd(3)
    dataset = opened(root, f"axis={axis}")
    items = dataset.split("train")
    assert len(items) == (14, 12, 10)[axis]
    _, mask = pairs(root, items[0].case.name)
    for item in items:
        sample = dataset.read(item)
        assert sample.image.dtype == np.float32
        assert sample.image.shape[:2] == sample.mask.shape
        wanted = np.moveaxis(mask, axis, 0)[item.index]
        assert sorted(sample.mask.ravel()) == sorted(wanted.ravel())
        assert (dataset.read_mask(item) == sample.mask).all()


def test_grey_values_lose_nothing_that_can_be_seen(write_msd):
    root = write_msd(3)
    dataset = opened(root, "intensity=window:400:600")
    item = dataset.split("train")[5]
    image, _ = pairs(root, item.case.name)
    exact = np.clip((np.moveaxis(image, 2, 0)[5] - 100) / 600, 0, 1)
    found = dataset.read(item).image[..., 0]
    assert np.sort(found.ravel()) == pytest.approx(np.sort(exact.ravel()), abs=1 / WHITE)


def test_neighbours_are_further_channels_and_the_edge_is_its_own_neighbour(write_msd):
    root = write_msd(3, channels=2)
    plain, deep = opened(root), opened(root, "neighbours=1")
    assert (plain.in_channels, deep.in_channels) == (2, 6)
    first, second = plain.split("train")[:2]
    alone = [plain.read(item).image for item in (first, first, second)]
    assert (deep.read(deep.split("train")[0]).image == np.concatenate(alone, axis=-1)).all()
    beyond = [plain.read(item).image for item in plain.split("train")[3:6]]
    assert (deep.read(deep.split("train")[4]).image == np.concatenate(beyond, axis=-1)).all()


def test_slices_are_resampled_to_one_spacing(write_msd):
    dataset = opened(write_msd(3, spacing=(2.0, 1.0, 3.0)), "spacing=[1.0,1.0]")
    sample = dataset.read(dataset.split("train")[4])
    assert sample.mask.shape == sample.image.shape[:2] == (12, 28)  # rows from back to front, columns left to right
    assert set(np.unique(sample.mask)) <= {0, 1, 2}
    assert opened(dataset.items["train"][0].image.parents[1], "spacing=[]").preparation.spacing is None


def test_the_coarsest_axis_is_cut_and_the_spacing_is_the_median(write_msd):
    dataset = opened(write_msd(3, spacing=(4.0, 1.0, 2.0)))
    assert dataset.preparation.axis == 0
    assert dataset.preparation.spacing == (1.0, 2.0)
    assert any("slices along axis 0 (left to right), pixels of 1 by 2 mm" in note for note in dataset.notes)


def test_a_second_reading_takes_what_is_kept_and_a_changed_file_does_not(write_msd, monkeypatch):
    root = write_msd(3)
    dataset = opened(root)
    item = dataset.split("train")[5]
    before = dataset.read(item)
    import onenet.data.prepared as prepared

    def refuse(*_):
        raise AssertionError("made again")

    prepared._opened.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(prepared, "read_labelled", refuse)
        assert (dataset.read(item).image == before.image).all()
        opened(root, "neighbours=1").read(opened(root, "neighbours=1").split("train")[5])  # from the same file
        with pytest.raises(AssertionError, match="made again"):
            other = opened(root, "intensity=zscore")
            other.read(other.split("train")[5])
    image = nibabel.load(item.image)
    nibabel.save(nibabel.Nifti1Image(image.get_fdata()[::-1].astype(np.float32), image.affine), item.image)
    os.utime(item.image, ns=(1, 1))
    assert not (dataset.read(item).image == before.image).all()


def test_what_is_kept_can_be_read_by_its_owner_alone(write_msd, tmp_path):
    dataset = opened(write_msd(3))
    dataset.read(dataset.split("train")[0])
    files = list((tmp_path / "cache" / "volumes").iterdir())
    assert len(files) == 2
    assert all(file.stat().st_mode & 0o077 == 0 for file in [*files, files[0].parent])
    assert not any("case" in file.name for file in files)


def test_a_cache_that_cannot_be_written_says_how_to_move_it(write_msd, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ONENET_CACHE", str(tmp_path / "file"))
    dataset = opened(write_msd(3))
    with pytest.raises(Exception, match="ONENET_CACHE names another folder for prepared volumes"):
        dataset.read(dataset.split("train")[0])


def training(root, *words):
    return load_config("default", ["data.size=16", "train.batch=4", *words], f"msd:{root}")


def batches_of(config):
    batches = TrainingBatches(open_dataset(config.data), config)
    found = [(images.numpy().copy(), masks.numpy().copy()) for images, masks in batches]
    batches.close()
    return found


@pytest.mark.parametrize(
    "words", [("data.cache=memory",), ("train.workers=2",), ("data.cache=memory", "train.workers=2")]
)
def test_batches_are_the_same_with_every_cache_and_with_workers(write_msd, words):
    root = write_msd(3)
    fixed = ("augment.scale=[1.0,1.0]", "augment.ratio=[1.0,1.0]")
    plain, other = batches_of(training(root, *fixed)), batches_of(training(root, *fixed, *words))
    assert len(plain) == len(other) == 3
    for (image, mask), (same_image, same_mask) in zip(plain, other, strict=True):
        assert (image == same_image).all()
        assert (mask == same_mask).all()


def test_slices_with_foreground_are_drawn_for_that_share(write_msd):
    root = write_msd(6, shape=(14, 12, 40))
    dataset = opened(root)
    there = dataset.with_foreground(dataset.split("train"))
    whole = np.array([dataset.read_mask(item).any() for item in dataset.split("train")])
    assert set(there) == set(np.flatnonzero(whole))
    assert 0.1 < whole.mean() < 0.4
    drawn = {}
    for share in (0.0, 0.5, 1.0):
        batches = TrainingBatches(dataset, training(root, f"train.foreground={share}"))
        keys = [index for epoch in range(5) for batch in epoch_keys(batches, epoch) for index in batch]
        drawn[share] = np.mean([whole[index % len(whole)] for index in keys])
        assert all(len(set(part)) == len(part) for part in np.split(np.array(keys), 5))  # none is twice the same
    assert drawn[0.0] == pytest.approx(whole.mean())
    assert drawn[0.5] == pytest.approx(0.5 + 0.5 * whole.mean(), abs=0.06)
    assert drawn[1.0] == 1


def epoch_keys(batches, epoch):
    batches._order.epoch = epoch
    return [[index for _, index in batch] for batch in batches._order]


def broken(root, name, how="truncate"):
    path = root / "imagesTr" / f"{name}.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_an_unreadable_case_stops_or_is_left_out_whole(write_msd):
    root = write_msd(5)
    config = training(root)
    name = open_dataset(config.data).items["train"][0].case.name
    path = broken(root, name)
    with pytest.raises(DataError, match=path.name):
        batches_of(config)
    config = training(root, "data.skip_unreadable=true", "train.foreground=0.5")
    batches = TrainingBatches(open_dataset(config.data), config)
    for _ in batches:
        pass
    assert {skipped.partition("/")[0] for skipped in batches.skipped} <= {name}
    assert name not in {item.case.name for item in open_dataset(config.data).items["val"]}


def test_grids_that_differ_are_found_from_the_headers(write_msd):
    root = write_msd(4)
    dataset = opened(root)
    case = dataset.sources("train")[0]
    mask = nibabel.load(case.mask)
    moved = mask.affine.copy()
    moved[0, 3] += 5
    nibabel.save(nibabel.Nifti1Image(mask.get_fdata().astype(np.uint8), moved), case.mask)
    with pytest.raises(DataError, match=r"the mask lies up to 5 mm from where .* lies"):
        dataset.check_sizes("train")
    nibabel.save(nibabel.Nifti1Image(mask.get_fdata()[:-1].astype(np.uint8), mask.affine), case.mask)
    with pytest.raises(DataError, match=r"the mask is 13x12x10 voxels, but .* is 14x12x10; resample it"):
        dataset.check_sizes("train")


def test_files_that_are_stored_the_other_way_round_meet_in_one_orientation(write_msd):
    root = write_msd(3)
    dataset = opened(root)
    item = dataset.split("train")[6]
    before = dataset.read(item)
    for path in (item.image, item.mask):
        image = nibabel.load(path)
        other = nibabel.orientations.axcodes2ornt(("P", "S", "L"))
        nibabel.save(image.as_reoriented(other), path)
    after = opened(root)
    again = after.read(next(one for one in after.split("train") if one.name == item.name))
    assert (again.image == before.image).all()
    assert (again.mask == before.mask).all()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("spacing=[1.0]",), "data.spacing=.*: expected auto"),
        (("spacing=[0,1]",), "data.spacing=.*: expected auto"),
        (("intensity=window:40",), "data.intensity=window:40: choose from auto, percentiles"),
        (("intensity=sharp",), "data.intensity=sharp: choose from"),
        (("in_channels=3",), r"data.in_channels=3, but the volumes have 1 channel"),
        (("axis=3",), "data.axis='3'"),
        (("value_range=[0,1]",), "data.value_range=.* is asked of images only, and msd has volumes"),
    ],
)
def test_keys_that_make_no_sense_are_refused(write_msd, keys, message):
    with pytest.raises(ConfigError, match=message):
        opened(write_msd(3), *keys)


def test_keys_of_volumes_are_refused_for_images(photos):
    with pytest.raises(ConfigError, match=r"data.neighbours=1: is asked of volumes only, and folder has images"):
        parse_spec(f"folder:{photos()},neighbours=1")


def test_ct_is_windowed_by_the_values_of_its_classes(write_msd):
    root = write_msd(6, modality="CT")
    dataset = opened(root)
    assert opened(write_msd(3, modality="PET", folder="pet")).preparation.intensity == {"kind": "percentiles"}
    values = []
    for case in dataset.sources("train"):
        image, mask = pairs(root, case.name)
        values.append(image[mask > 0])
    low, high = np.percentile(np.concatenate(values), (0.5, 99.5))
    assert dataset.preparation.intensity == {
        "kind": "window",
        "low": pytest.approx(low, abs=1),
        "high": pytest.approx(high, abs=1),
    }


def test_replacing_items_keeps_what_volumes_need(write_msd):
    dataset = opened(write_msd(3))
    few = dataclasses.replace(dataset, items={**dataset.items, "train": dataset.split("train")[:2]})
    assert few.read(few.split("train")[1]).name.endswith("/001")
    assert len(few.sources("train")) == 1


def test_the_slices_to_look_at_are_the_middle_ones_with_classes_of_every_case(write_msd):
    dataset = opened(write_msd(4, shape=(14, 12, 30)), "val=0.3", "test=0.2")
    items = dataset.telling("train", 5)
    assert len(items) == 5
    assert {item.case.name for item in items} == cases_of(dataset, "train")
    for item in items:
        assert 10 < item.index < 20
        assert dataset.read_mask(item).any()
    assert dataset.telling("train", 0) == ()
    assert len(dataset.telling("val", 2)) == 2


def test_neighbouring_slices_are_not_taken_for_colours(write_msd):
    """Three channels of which one alone is bright stay so: saturation and hue are of photos."""
    root = write_msd(3)
    words = ["data.neighbours=1", "data.size=10", "augment.colour=1", "augment.hue=180", "augment.strength=1"]
    config = load_config("volumes", words, data=f"msd:{root}")
    dataset = open_dataset(config.data)
    assert dataset.in_channels == 3 and not dataset.in_colour
    augmentation = plan_augmentation(config, dataset)
    drawn = [augmentation.draw((14, 12), lambda share: None, np.random.default_rng(seed)) for seed in range(20)]
    assert all(variation.hue == 0 and variation.colour[2] == 1 for variation in drawn)
    assert len({variation.colour[0] for variation in drawn}) > 1


def test_voxels_that_are_not_counted_may_be_in_masks(write_msd):
    root = write_msd(3)
    for path in (root / "labelsTr").iterdir():
        mask = nibabel.load(path)
        values = np.asarray(mask.dataobj).astype(np.uint8)
        values[0, 0] = 255
        nibabel.save(nibabel.Nifti1Image(values, mask.affine), path)
    dataset = opened(root)
    assert any((dataset.read_mask(item) == 255).any() for item in dataset.split("train"))


def test_a_fold_without_folds_is_refused(write_msd):
    with pytest.raises(
        ConfigError, match=r"data\.fold=2: is one of data\.folds; say how many there are, as in data\.folds=5"
    ):
        opened(write_msd(3), "fold=2")


def test_edited_voxels_beside_a_header_are_read_anew(tmp_path):
    import SimpleITK

    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for number in range(3):
            values = np.repeat(np.array([0, 0, 1, 1], dtype=np.uint8), 64).reshape(4, 8, 8)
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(tmp_path / part / f"{number}.mhd"))
    spec = f"volumes:{tmp_path}"
    item = open_dataset(parse_spec(spec)).split("train")[0]
    raw = tmp_path / "masks" / f"{item.case.name}.raw"
    before = open_dataset(parse_spec(spec)).read_mask(item)
    raw.write_bytes(bytes(1 - value for value in raw.read_bytes()))
    os.utime(raw, ns=(1, 1))
    after = open_dataset(parse_spec(spec)).read_mask(item)
    assert (after == 1 - before).all()


def test_a_trained_model_prepares_volumes_its_own_way_and_says_which_keys_say_otherwise(write_msd):
    root = write_msd(3)
    mine = opened(root, "axis=1", "spacing=[2.0,2.0]", "intensity=window:40:400").preparation

    def told(*keys):
        notes = open_dataset(parse_spec(",".join([f"msd:{root}", *keys])), mine).notes
        return next((note for note in notes if "whatever" in note), None)

    assert told() is None
    assert told("axis=1", "spacing=[2.0,2.0]", "intensity=window:40:400") is None
    assert told("axis=0", "spacing=[2.0,2.0]", "intensity=zscore") == (
        "volumes are prepared as in the model's training, whatever data.axis and data.intensity says"
    )
    assert "data.spacing and data.neighbours" in told("spacing=[]", "neighbours=1")


def test_a_case_without_a_channel_is_left_out_with_a_note_where_bad_ones_may_be(write_msd):
    root = write_msd(5)
    for path in sorted((root / "imagesTr").iterdir()):
        for channel in range(2):
            (path.with_name(path.name.replace(".nii.gz", f"_{channel:04d}.nii.gz"))).write_bytes(path.read_bytes())
        path.unlink()
    found = {"labels": {"background": 0, "ball": 1, "pearl": 2}, "channel_names": {"0": "T1", "1": "T2"}}
    (root / "dataset.json").write_text(json.dumps(found))
    (root / "imagesTr" / "case_03_0001.nii.gz").unlink()
    with pytest.raises(DataError, match="the case has no channel case_03_0001"):
        open_dataset(parse_spec(f"nnunet:{root}"))
    dataset = open_dataset(parse_spec(f"nnunet:{root},skip_unreadable=true"))
    assert sum(len(dataset.sources(split)) for split in ("train", "val", "test")) == 4
    assert any(note.startswith("left out: ") and "case_03_0001" in note for note in dataset.notes)


def test_rounding_does_not_turn_a_mask_otherwise_than_its_image(write_msd):
    """At 45 degrees two axes point as much to the right as one another."""
    root = write_msd(4)
    before = opened(root)
    straight = [before.read(item) for item in before.split("train")[:4]]
    for folder, degrees in (("imagesTr", 45 + 1e-5), ("labelsTr", 45 - 1e-5)):
        for path in (root / folder).iterdir():
            array = np.asanyarray(nibabel.load(path).dataobj)
            c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
            affine = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
            nibabel.save(nibabel.Nifti1Image(array, affine), path)
    dataset = opened(root)
    dataset.check_sizes("train")
    for one, other in zip(straight, (dataset.read(item) for item in dataset.split("train")[:4]), strict=True):
        assert sorted(one.image[one.mask == 1].ravel()) == sorted(other.image[other.mask == 1].ravel())
