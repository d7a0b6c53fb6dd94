"""Which images an opened data set has where validation images are trained on, too."""

from onenet.config import load_config
from onenet.data import open_dataset


def test_all_has_each_image_once(photos):
    root = photos(count=8)
    config = load_config("default", ["data.train_with_val=true", "data.val=0.25"], data=f"folder:{root}")
    dataset = open_dataset(config.data)
    names = [item.image for item in dataset.split("all")]
    assert len(names) == len(set(names)) == 8
    assert {item.image for item in dataset.split("val")} <= {item.image for item in dataset.split("train")}
