"""Oxford-IIIT Pet (Parkhi et al. 2012) in its official layout, with its official train and test lists.

    ROOT/images/NAME.jpg   ROOT/annotations/trimaps/NAME.png   ROOT/annotations/trainval.txt, test.txt

Trimap values are 1 pet, 2 background, 3 border.

* pet-small, the paper's "Pet_S": 0 background, 1 pet, 2 border;
* pet-binary: 0 background, 1 pet; the border counts as pet.
"""

from pathlib import Path

from onenet.config import DataConfig
from onenet.data.sample import Dataset, Item, describe_classes, split_items
from onenet.errors import ConfigError, DataError, describe_os_error

_LABELS = {"pet-small": {1: 1, 2: 0, 3: 2}, "pet-binary": {1: 1, 2: 0, 3: 1}}
_CLASSES = {"pet-small": ("background", "pet", "border"), "pet-binary": ("background", "pet")}


def open_pet(config: DataConfig) -> Dataset:
    """The images that the official lists name; validation images are drawn from trainval, the test list stays as it is.

    Raises:
        DataError: a list, an image or a trimap is missing.
        ConfigError: `num_classes` or `class_names` contradict the format.
    """
    root = Path(config.root)
    classes = _CLASSES[config.format]
    if config.num_classes not in (0, len(classes)):
        raise ConfigError(f"data.num_classes={config.num_classes}: {config.format} has {len(classes)} classes")
    trainval = _listed(root, "trainval.txt")
    items = split_items(trainval, config.val, 0.0, config.split_seed)
    items["test"] = _listed(root, "test.txt")
    border = ("pet-binary: the border counts as pet",) if config.format == "pet-binary" else ()
    described = describe_classes(len(classes), config.class_names or classes, background=0)
    return Dataset(
        name="oxford-pet",
        items=items,
        in_channels=config.in_channels or 3,
        labels=_LABELS[config.format],
        notes=border,
        **described,
    )


def _listed(root: Path, name: str) -> tuple[Item, ...]:
    path = root / "annotations" / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file") from None
    except OSError as error:
        layout = "data.root must hold images/ and annotations/ of Oxford-IIIT Pet"
        raise DataError(f"{path}: cannot be read ({describe_os_error(error)}); {layout}") from None
    stems = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    if not stems:
        raise DataError(f"{path}: the list is empty")
    return tuple(_item(root, stem, path) for stem in sorted(set(stems)))


def _item(root: Path, stem: str, source: Path) -> Item:
    item = Item(stem, root / "images" / f"{stem}.jpg", root / "annotations" / "trimaps" / f"{stem}.png")
    for file in (item.image, item.mask):
        if not file.is_file():
            raise DataError(f"{file}: missing, although {source.name} names it")
    return item
