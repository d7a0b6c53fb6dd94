"""Oxford-IIIT Pet (Parkhi et al. 2012) in its official layout, with its official train and test lists.

    ROOT/images/NAME.jpg   ROOT/annotations/trimaps/NAME.png   ROOT/annotations/trainval.txt, test.txt

Trimap values are 1 pet, 2 background, 3 border.

* pet-small, the paper's "Pet_S": 0 background, 1 pet, 2 border;
* pet-binary: 0 background, 1 pet; the border counts as pet;
* pet-full, the paper's "Pet": 0 background, 1 to 37 the breeds by their class id in the lists. `data.border` says
  whether the border is not counted or counts as the breed.
"""

from pathlib import Path

from onenet.config import DataConfig
from onenet.data.folder import Refuse, stop
from onenet.data.labels import Labels, describe_labels
from onenet.data.lists import read_list
from onenet.data.sample import SPLITS, Dataset, Item, split_items
from onenet.errors import ConfigError, DataError
from onenet.images import IGNORED

BREEDS = (
    "Abyssinian", "american bulldog", "american pit bull terrier", "basset hound", "beagle", "Bengal", "Birman",
    "Bombay", "boxer", "British Shorthair", "chihuahua", "Egyptian Mau", "english cocker spaniel", "english setter",
    "german shorthaired", "great pyrenees", "havanese", "japanese chin", "keeshond", "leonberger", "Maine Coon",
    "miniature pinscher", "newfoundland", "Persian", "pomeranian", "pug", "Ragdoll", "Russian Blue", "saint bernard",
    "samoyed", "scottish terrier", "shiba inu", "Siamese", "Sphynx", "staffordshire bull terrier", "wheaten terrier",
    "yorkshire terrier",
)  # fmt: skip

_LABELS = {"pet-small": {1: 1, 2: 0, 3: 2}, "pet-binary": {1: 1, 2: 0, 3: 1}, "pet-full": {1: 1, 2: 0, 3: IGNORED}}
_CLASSES = {
    "pet-small": ("background", "pet", "border"),
    "pet-binary": ("background", "pet"),
    "pet-full": ("background", *BREEDS),
}
_LAYOUT = "data.root must hold images/ and annotations/ of Oxford-IIIT Pet"


def open_pet(config: DataConfig) -> Dataset:
    """The images that the official lists name; validation images are drawn from trainval, the test list stays as it is.

    Raises:
        DataError: a list, an image or a trimap is missing.
        ConfigError: `num_classes` or `class_names` contradict the format.
    """
    labels = pet_labels(config)
    classes = _CLASSES[config.format]
    if config.num_classes not in (0, len(classes)):
        raise ConfigError(f"data.num_classes={config.num_classes}: {config.format} has {len(classes)} classes")
    items = find_pet(config)
    return Dataset(
        name="oxford-pet",
        items=items,
        in_channels=config.in_channels or 3,
        labels=labels.mapping,
        classes=labels.classes,
        colours=labels.colours,
        background=labels.background,
        notes=_notes(config, items),
        absent=_absent(items) if config.format == "pet-full" else (),
        value_range=config.value_range,
        skip_unreadable=config.skip_unreadable,
    )


def pet_labels(config: DataConfig) -> Labels:
    """How trimaps are read; of pet-full each image has labels of its own."""
    classes = _CLASSES[config.format]
    return describe_labels(_LABELS[config.format], "index", len(classes), config, classes, background=0)


def find_pet(config: DataConfig, refuse: Refuse = stop) -> dict[str, tuple[Item, ...]]:
    """Items per split; what does not fit is handed to `refuse`."""
    trainval, test = _listed(config, "trainval.txt", refuse), _listed(config, "test.txt", refuse)
    for name in sorted({item.name for item in trainval} & {item.name for item in test}):
        path = Path(config.root) / "annotations" / "test.txt"
        refuse(DataError(f"{path}: names {name!r}, which trainval.txt names too; keep one of them"))
    return {**split_items(trainval, config.val, 0.0, config.split_seed, config.folds, config.fold), "test": test}


def _notes(config: DataConfig, items: dict[str, tuple[Item, ...]]) -> tuple[str, ...]:
    if config.format == "pet-binary":
        return ("pet-binary: the border counts as pet",)
    if config.format != "pet-full":
        return ()
    border = "is not counted" if config.border == "ignore" else "counts as pet"
    absent = _absent(items)
    notes: tuple[str, ...] = (f"pet-full: the border {border} (data.border)",)
    if absent:
        there = len(BREEDS) - len(absent)
        missing = f"{there} of the {len(BREEDS)} breeds are there; the others have no score and are in no mean"
        notes += (missing,)
    return notes


def _breed(item: Item) -> int:
    assert item.labels is not None
    return item.labels[1]


def _absent(items: dict[str, tuple[Item, ...]]) -> tuple[int, ...]:
    """The breeds of which there is no image."""
    there = {_breed(item) for split in SPLITS for item in items[split]}
    return tuple(index for index in range(1, len(BREEDS) + 1) if index not in there)


def _listed(config: DataConfig, name: str, refuse: Refuse) -> tuple[Item, ...]:
    path = Path(config.root) / "annotations" / name
    items: dict[str, Item] = {}
    for line in read_list(path, _LAYOUT):
        try:
            item = _item(config, line.split(), path)
        except DataError as error:
            refuse(error)
            continue
        missing = next((file for file in (item.image, item.mask) if not file.is_file()), None)
        if missing:
            refuse(DataError(f"{missing}: missing, although {path.name} names it; add it, or remove the line"))
        elif (first := items.setdefault(item.name, item)).labels != item.labels:
            refuse(
                DataError(f"{path}: gives {item.name!r} two class ids, {_breed(first)} and {_breed(item)}; keep one")
            )
    return tuple(items[stem] for stem in sorted(items))


def _item(config: DataConfig, line: list[str], source: Path) -> Item:
    root, stem = Path(config.root), line[0]
    labels = None
    if config.format == "pet-full":
        if len(line) < 2 or not line[1].isdecimal() or not 1 <= int(line[1]) <= len(BREEDS):
            raise DataError(
                f"{source}: the line of {stem} holds no class id between 1 and {len(BREEDS)} after the name; mend it"
            )
        breed = int(line[1])
        labels = {1: breed, 2: 0, 3: breed if config.border == "pet" else IGNORED}
    return Item(stem, root / "images" / f"{stem}.jpg", root / "annotations" / "trimaps" / f"{stem}.png", labels)
