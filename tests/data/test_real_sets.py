"""The real data sets beside the repository are read as they are."""

from pathlib import Path

import numpy as np
import pytest

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.errors import DataError

SHARED = Path(__file__).parents[2] / "../shared/data"
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")


@real
@pytest.mark.slow
def test_nuclei_are_a_folder_of_240_images():
    dataset = open_dataset(parse_spec(f"folder:{SHARED / 'nuclei'}"))
    assert len(dataset.split("all")) == 240
    assert dataset.num_classes == 2
    for sample in dataset.samples("test"):
        assert sample.image.shape[:2] == sample.mask.shape


@real
@pytest.mark.slow
def test_oxford_pet_keeps_its_official_test_list_and_every_file_of_it_can_be_read():
    dataset = open_dataset(parse_spec(f"pet-small:{SHARED / 'oxford_pet'}"))
    assert [len(dataset.items[split]) for split in ("train", "val", "test")] == [255, 45, 298]
    labels = set()
    for sample in dataset.samples("test"):  # one of them is an RGBA image with the ending .jpg
        assert sample.image.shape == (*sample.mask.shape, 3)
        labels |= set(sample.mask.ravel().tolist())
    assert labels == {0, 1, 2}


def opened(spec):
    return open_dataset(parse_spec(spec.replace("SHARED", str(SHARED))))


def counts(dataset):
    return [len(dataset.items[split]) for split in ("train", "val", "test")]


@real
@pytest.mark.slow
def test_camvid_has_segnets_split_and_eleven_classes():
    dataset = opened("camvid:SHARED/camvid")
    assert counts(dataset) == [367, 101, 233]
    pixels = sum(np.bincount(sample.mask.ravel(), minlength=256) for sample in dataset.samples("test"))
    assert (pixels[:11] > 0).all() and pixels[11:255].sum() == 0
    assert pixels.argmax() in (1, 3)  # building and road are most of a street


@real
@pytest.mark.slow
def test_msrc_is_voc_with_23_classes_of_its_own_and_a_fifth_of_void():
    dataset = opened("voc:SHARED/msrc_voc")
    assert counts(dataset) == [335, 60, 196]
    assert dataset.num_classes == 23 and dataset.background is None
    pixels = sum(np.bincount(sample.mask.ravel(), minlength=256) for sample in dataset.samples("all"))
    assert pixels[255] / pixels.sum() == pytest.approx(0.19, abs=0.01)


@real
@pytest.mark.slow
def test_pet_full_has_the_breeds_by_their_ids():
    dataset = opened("pet-full:SHARED/oxford_pet")
    assert dataset.num_classes == 38 and len(dataset.absent) == 34
    found = {sample.name: set(np.unique(sample.mask)) for sample in dataset.samples("test")}
    assert all(labels <= {0, 1, 255} for name, labels in found.items() if name.startswith("Abyssinian"))


@real
@pytest.mark.slow
def test_lung_patches_are_deep_and_grey():
    dataset = opened("folder:SHARED/lung_patches")
    assert dataset.in_channels == 1 and dataset.num_classes == 2
    sample = next(dataset.samples("train"))
    assert sample.image.dtype == np.float32 and len(np.unique(sample.image)) > 256


@real
@pytest.mark.slow
def test_the_lists_of_the_voc_samples_share_an_image_and_it_is_named():
    with pytest.raises(DataError, match="2007_0000"):
        opened("voc:SHARED/voc_samples")
