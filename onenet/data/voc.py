"""PASCAL VOC (Everingham et al. 2010) in its official layout, and any data of that layout.

ROOT/JPEGImages/NAME.jpg  ROOT/SegmentationClass/NAME.png  ROOT/ImageSets/Segmentation/train.txt, val.txt, test.txt

ROOT may also be the folder above, VOCdevkit or the one that holds it. Masks are palette images whose indices are the
classes, 255 is void. There are VOC's 21 classes, unless a class table in ROOT, data.class_values or data.class_names
say otherwise.

The official test list has no published masks. Where there are no masks for it, val.txt is the test split, as the
literature reports it, and validation images are drawn from train.txt.
"""

import dataclasses
from pathlib import Path

from onenet.card import default_classes
from onenet.config import DataConfig
from onenet.data.classes import ClassTable, find_class_table
from onenet.data.folder import Refuse, count_channels, files, fill_val, stop
from onenet.data.labels import Labels, background_of, class_table, describe_labels, encoding_of, table_mapping
from onenet.data.lists import named_stem, read_list
from onenet.data.sample import SPLITS, Dataset, Item
from onenet.errors import ConfigError, DataError

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
    labels = voc_labels(config)
    return Dataset(
        name=Path(config.root).resolve().name,
        items=items,
        in_channels=config.in_channels or count_channels([item for split in SPLITS for item in items[split]]),
        labels=labels.mapping,
        encoding=labels.encoding,
        classes=labels.classes,
        colours=labels.colours,
        background=labels.background,
        notes=notes,
        value_range=config.value_range,
        skip_unreadable=config.skip_unreadable,
        table=labels.table,
    )


def voc_labels(config: DataConfig) -> Labels:
    """VOC's classes, or those of a table or the configuration; no mask is read.

    Raises:
        DataError: the class table cannot be read.
        ConfigError: `num_classes`, `class_names` or `mask_encoding` contradict the classes.
    """
    path = find_class_table(find_root(config), config.class_table)
    table = class_table(config, path)
    if table is None:
        names = config.class_names or CLASSES
        if not config.class_names and config.num_classes not in (0, len(CLASSES)):
            names = default_classes(config.num_classes)
        table = ClassTable(names, tuple(range(len(names))))
    if config.num_classes not in (0, len(table.values)):
        where = "data.class_values" if config.class_values else path.name if path else "data.class_names"
        raise ConfigError(f"data.num_classes={config.num_classes}, but {where} has {len(table.values)} classes; "
                          "leave it out")  # fmt: skip
    encoding = encoding_of(config, table)
    if table.coloured and encoding != "colour":
        table = table.by_index()
    mapping = table_mapping(table, encoding, config)
    background = background_of(table.names) if table.names else None
    labels = describe_labels(mapping, encoding, len(table.values), config, table.names, table.colours, background)
    return dataclasses.replace(labels, table=path)


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
    images = files(root / "JPEGImages", refuse, _LAYOUT)
    masks = files(root / "SegmentationClass", refuse, _LAYOUT)
    train = _listed(lists / "train.txt", images, masks, refuse)
    val = _listed(lists / "val.txt", images, masks, refuse) if (lists / "val.txt").is_file() else ()
    test: tuple[Item, ...] = ()
    if (lists / "test.txt").is_file():
        stems = [named_stem(line, masks) for line in read_list(lists / "test.txt", _LAYOUT)]
        if any(stem is not None for stem in stems):
            test = _listed(lists / "test.txt", images, masks, refuse)
    _refuse_shared({"train.txt": train, "val.txt": val, "test.txt": test}, lists, refuse)
    notes: tuple[str, ...] = ()
    if not test and val:
        val, test = (), val
        notes = ("no test list with masks: val.txt is the test split, validation images are drawn from train.txt",)
    if not train:
        raise DataError(f"{lists / 'train.txt'}: names no image that has a mask; {_LAYOUT}")
    return fill_val({"train": train, "val": val, "test": test}, config), notes


def _refuse_shared(lists: dict[str, tuple[Item, ...]], folder: Path, refuse: Refuse) -> None:
    owner: dict[str, str] = {}
    for name, items in lists.items():
        for item in items:
            if owner.setdefault(item.name, name) != name:
                refuse(DataError(f"{folder / name}: names {item.name!r}, which {owner[item.name]} names too; "
                                 "keep one of them"))  # fmt: skip


def _listed(path: Path, images: dict[str, Path], masks: dict[str, Path], refuse: Refuse) -> tuple[Item, ...]:
    found: dict[str, Item] = {}
    for line in read_list(path, _LAYOUT):
        stem = named_stem(line, images)
        if stem is None:
            refuse(DataError(f"{path}: names {line!r}, but JPEGImages/ holds no such image; mend the line"))
        elif stem not in masks:
            refuse(DataError(f"{images[stem]}: has no mask in SegmentationClass/, although {path.name} names it; add "
                             f"{stem}.png or remove the line"))  # fmt: skip
        else:
            found[stem] = Item(stem, images[stem], masks[stem])
    return tuple(found[stem] for stem in sorted(found))
