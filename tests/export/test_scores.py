"""On which images a file for a device is scored."""

import pytest

from onenet.config import parse_spec
from onenet.data import open_dataset
from onenet.errors import FailedCheckError
from onenet.export.scores import refuse_drop, scored_split


@pytest.mark.parametrize(
    ("keys", "split"),
    [
        ("", "val"),
        (",train_with_val=true", "test"),  # INT8 is calibrated and chosen on images that are not trained on
        (",train_with_val=true,test=0", "train"),
        (",val=0.3,test=0", "val"),
    ],
)
def test_files_are_scored_on_images_that_are_not_trained_on(photos, keys, split):
    dataset = open_dataset(parse_spec(f"folder:{photos(count=10)}{keys}"))
    assert scored_split(dataset) == split
    with pytest.raises(
        FailedCheckError, match=rf"INT8 loses 10\.00 points of mean IoU on \d+ {split} images of photos"
    ):
        refuse_drop(0.9, 0.8, 0.5, dataset)
