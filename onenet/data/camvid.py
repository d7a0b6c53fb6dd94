"""CamVid (Brostow et al. 2009) as SegNet lays it out, and any data of that naming.

ROOT/train/NAME.png  ROOT/trainannot/NAME.png  and so on for val and test

SegNet's masks hold 11 classes and 11 for void. Data with other classes says so by a class table, data.class_values,
data.num_classes or as many data.class_names.
"""

from pathlib import Path

from onenet.config import DataConfig
from onenet.data.classes import find_class_table
from onenet.data.folder import Refuse, count_channels, fill_val, match, stop
from onenet.data.labels import NO_BACKGROUND, Labels, describe_labels, read_labels
from onenet.data.sample import SPLITS, Dataset, Item
from onenet.errors import DataError
from onenet.images import IGNORED

CLASSES = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist")
_LAYOUT = "camvid has the photos of a split in train/ and their masks in trainannot/, and so on for val and test"
COLOURS = (
    (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0), (192, 128, 128),
    (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
)  # fmt: skip


def open_camvid(config: DataConfig) -> Dataset:
    """The images of the three folders.

    Raises:
        DataError: a folder or a partner is missing, or a mask does not fit the classes.
    """
    items = find_camvid(config)
    everything = [item for split in SPLITS for item in items[split]]
    labels = camvid_labels(config, everything)
    return Dataset(
        name=Path(config.root).resolve().name,
        items=items,
        in_channels=config.in_channels or count_channels(everything),
        labels=labels.mapping,
        encoding=labels.encoding,
        classes=labels.classes,
        colours=labels.colours,
        background=labels.background,
        notes=labels.notes,
        value_range=config.value_range,
        skip_unreadable=config.skip_unreadable,
        table=labels.table,
    )


def find_camvid(config: DataConfig, refuse: Refuse = stop) -> dict[str, tuple[Item, ...]]:
    """Items per split; what does not fit is handed to `refuse`."""
    root = Path(config.root)
    if not (root / "train").is_dir() or not (root / "trainannot").is_dir():
        raise DataError(f"{root}: does not hold train/ and trainannot/, as the format camvid wants")
    items: dict[str, tuple[Item, ...]] = {}
    for split in SPLITS:
        there = (root / split).is_dir() or (root / f"{split}annot").is_dir()
        items[split] = match(root / split, root / f"{split}annot", refuse, _LAYOUT) if there else ()
    return fill_val(items, config)


def camvid_labels(config: DataConfig, items: list[Item]) -> Labels:
    """SegNet's classes, or those of the configuration, a class table or the masks.

    Raises:
        DataError: a mask does not fit them.
        ConfigError: keys contradict each other or the masks.
    """
    own = config.class_values or config.class_table or config.mask_encoding not in ("auto", "index")
    other = {config.num_classes, len(config.class_names)} - {0, len(CLASSES)}
    if own or other or find_class_table(Path(config.root), ""):
        return read_labels(config, items)
    mapping = {index: index for index in range(len(CLASSES))} | {len(CLASSES): IGNORED, 255: IGNORED}
    mapping[config.ignore_index] = IGNORED
    return describe_labels(mapping, "index", len(CLASSES), config, CLASSES, COLOURS, background=NO_BACKGROUND)
