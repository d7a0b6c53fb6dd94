"""The real data sets beside the repository are read as they are."""

from pathlib import Path

import pytest

from onenet.config import parse_spec
from onenet.data import open_dataset

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
