"""Files on disk -> Samples -> batches. A format turns a folder into a `Dataset`; `open_dataset` picks the format."""

from dataclasses import replace

from onenet.config import VOLUMES, DataConfig
from onenet.data.camvid import open_camvid
from onenet.data.folder import open_folder
from onenet.data.located import located, sample_sets
from onenet.data.pet import open_pet
from onenet.data.preparation import Preparation
from onenet.data.sample import Dataset, Item, Sample
from onenet.data.slices import VolumeDataset, open_volumes
from onenet.data.voc import open_voc

__all__ = ["Dataset", "Item", "Sample", "VolumeDataset", "open_dataset", "sample_sets"]

JOINED = "data.train_with_val: validation images are trained on, too, so their scores are too good"

OPENERS = {
    "folder": open_folder, "camvid": open_camvid, "voc": open_voc,
    "pet-small": open_pet, "pet-binary": open_pet, "pet-full": open_pet,
}  # fmt: skip


def open_dataset(config: DataConfig, preparation: Preparation | None = None) -> Dataset:
    """Find the images and masks that `config` names and split them; reads file lists and labels, no pictures.

    Args:
        config: which data.
        preparation: of volumes, that of a trained model, where there is one, instead of what the data suggest.

    Raises:
        ConfigError: no root given, an unknown packaged set, or keys that contradict each other or the data.
        DataError: the folder is missing, has another layout, or too few images.
    """
    config = located(config)
    dataset = open_volumes(config, preparation) if config.format in VOLUMES else OPENERS[config.format](config)
    if not config.train_with_val:
        return dataset
    both = (*dataset.items["train"], *dataset.items["val"])
    return replace(dataset, items={**dataset.items, "train": both}, notes=(*dataset.notes, JOINED))
