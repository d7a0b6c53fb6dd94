"""PASCAL VOC (Everingham et al. 2010) in its official layout, and any data of that layout.

ROOT/JPEGImages/NAME.jpg  ROOT/SegmentationClass/NAME.png  ROOT/ImageSets/Segmentation/train.txt, val.txt, test.txt

ROOT may also be the folder above, VOCdevkit or the one that holds it. Masks are palette images whose indices are the
classes, 255 is void. There are VOC's 21 classes, unless a classes.txt in ROOT or data.class_names says otherwise.

The official test list has no published masks. Where there are no masks for it, val.txt is the test split, as the
literature reports it, and validation images are drawn from train.txt.
"""

from pathlib import Path

from onenet.config import DataConfig
from onenet.data.classes import find_class_table, read_class_table
from onenet.data.folder import Refuse, count_channels, fill_val, stop
from onenet.data.labels import background_of, describe_labels
from onenet.data.lists import read_list
from onenet.data.sample import Dataset, Item
from onenet.errors import ConfigError, DataError
from onenet.images import IGNORED, SUFFIXES

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

_LAYOUT = "data.root must hold JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/"


def open_voc(config: DataConfig) -> Dataset:
    """The images that the lists name.

    Raises:
        DataError: a list, an image or a mask is missing.
        ConfigError: `num_classes` or `class_names` contradict the classes.
    """
    items, notes = find_voc(config)
    root = find_root(config)
    path = find_class_table(root, config.class_table)
    names = config.class_names or (read_class_table(path).names if path else CLASSES)
    if config.num_classes not in (0, len(names)):
        where = path.name if path else "PASCAL VOC"
        raise ConfigError(f"data.num_classes={config.num_classes}, but {where} has {len(names)} classes")
    mapping = {**{index: index for index in range(len(names))}, config.ignore_index: IGNORED}
    labels = describe_labels(mapping, "index", len(names), config, names, background=background_of(names))
    return Dataset(
        name=Path(config.root).resolve().name,
        items=items,
        in_channels=config.in_channels or count_channels(items["train"]),
        labels=mapping,
        classes=labels.classes,
        colours=labels.colours,
        background=labels.background,
        notes=notes,
        value_range=config.value_range,
        skip_unreadable=config.skip_unreadable,
    )


def find_root(config: DataConfig) -> Path:
    """The folder with JPEGImages/: ROOT, or the newest year below it.

    Raises:
        DataError: there is none.
    """
    root = Path(config.root)
    patterns = ("", "VOC20[0-9][0-9]", "VOCdevkit/VOC20[0-9][0-9]")
    found = [path for pattern in patterns for path in sorted(root.glob(pattern) if pattern else [root], reverse=True)]
    for path in found:
        if (path / "JPEGImages").is_dir():
            return path
    raise DataError(f"{root}: holds no JPEGImages/; {_LAYOUT}")


def find_voc(config: DataConfig, refuse: Refuse = stop) -> tuple[dict[str, tuple[Item, ...]], tuple[str, ...]]:
    """Items per split, and notes; what does not fit is handed to `refuse`."""
    root = find_root(config)
    lists = root / "ImageSets" / "Segmentation"
    images = {path.stem: path for path in sorted((root / "JPEGImages").iterdir()) if path.suffix.lower() in SUFFIXES}
    masks = root / "SegmentationClass"
    train = _listed(lists / "train.txt", images, masks, refuse)
    val = _listed(lists / "val.txt", images, masks, refuse) if (lists / "val.txt").is_file() else ()
    test: tuple[Item, ...] = ()
    if (lists / "test.txt").is_file():
        stems = read_list(lists / "test.txt", _LAYOUT)
        if any((masks / f"{stem.split()[0]}.png").is_file() for stem in stems):
            test = _listed(lists / "test.txt", images, masks, refuse)
    notes: tuple[str, ...] = ()
    if not test and val:
        val, test = (), val
        notes = ("no test list with masks: val.txt is the test split, validation images are drawn from train.txt",)
    shared = {item.name for item in train} & {item.name for item in (*val, *test)}
    if shared:
        refuse(
            DataError(f"{lists / 'train.txt'}: names {min(shared)!r}, which another list names too; keep one of them")
        )
    return fill_val({"train": train, "val": val, "test": test}, config), notes


def _listed(path: Path, images: dict[str, Path], masks: Path, refuse: Refuse) -> tuple[Item, ...]:
    items = []
    for stem in sorted({line.split()[0] for line in read_list(path, _LAYOUT)}):
        mask = masks / f"{stem}.png"
        if stem not in images:
            refuse(DataError(f"{path}: names {stem!r}, but JPEGImages/ holds no such image"))
        elif not mask.is_file():
            refuse(DataError(f"{mask}: missing, although {path.name} names it"))
        else:
            items.append(Item(stem, images[stem], mask))
    return tuple(items)
