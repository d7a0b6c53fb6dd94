"""Files on disk -> Samples -> batches. A format turns a folder into a `Dataset`; `open_dataset` picks the format."""

import dataclasses
from importlib import resources
from pathlib import Path

from onenet.config import SAMPLES, DataConfig
from onenet.data.camvid import open_camvid
from onenet.data.folder import open_folder
from onenet.data.pet import open_pet
from onenet.data.sample import Dataset, Item, Sample
from onenet.data.voc import open_voc
from onenet.errors import ConfigError, did_you_mean

__all__ = ["Dataset", "Item", "Sample", "open_dataset", "sample_sets"]

OPENERS = {
    "folder": open_folder, "camvid": open_camvid, "voc": open_voc,
    "pet-small": open_pet, "pet-binary": open_pet, "pet-full": open_pet,
}  # fmt: skip


def sample_sets() -> list[str]:
    """The data sets inside the package, for `data.root = "samples:NAME"`."""
    return sorted(entry.name for entry in resources.files("onenet").joinpath("samples").iterdir() if entry.is_dir())


def open_dataset(config: DataConfig) -> Dataset:
    """Find the images and masks that `config` names and split them; reads file lists and labels, no pictures.

    Raises:
        ConfigError: no root given, or an unknown packaged set.
        DataError: the folder is missing, has another layout, or too few images.
    """
    if not config.root:
        raise ConfigError(
            "data.root is empty: say where the images are, for example data.root=PATH or --data folder:PATH"
        )
    if config.root.startswith(SAMPLES):
        name = config.root.removeprefix(SAMPLES)
        if name not in sample_sets():
            raise ConfigError(f"data.root={config.root!r}: {did_you_mean(name, sample_sets())}")
        config = dataclasses.replace(config, root=str(resources.files("onenet").joinpath("samples", name)))
    config = dataclasses.replace(config, root=str(Path(config.root).expanduser()))
    return OPENERS[config.format](config)
