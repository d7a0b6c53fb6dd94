"""Anyone's own data: `images/` and `masks/` with equal file names, with or without train/, val/ and test/ above.

ROOT/images/cat.jpg        ROOT/train/images/cat.jpg
ROOT/masks/cat.png         ROOT/train/masks/cat.png      and so on for val (or valid) and test
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from onenet.config import DataConfig
from onenet.data.sample import SPLITS, Dataset, Item, describe_classes, split_items
from onenet.errors import DataError
from onenet.images import IGNORED, SUFFIXES, read_mask

_LEVELS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


def open_folder(config: DataConfig) -> Dataset:
    """Pair images and masks by name, read the masks' labels and split.

    Raises:
        DataError: a folder or a partner is missing, a mask is unreadable, or there are too few images.
    """
    root = Path(config.root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; data.root must hold images/ and masks/")
    items = _split_levels(root, config)
    everything = [item for split in SPLITS for item in items[split]]
    values = _mask_values(everything)
    labels, notes = _labels(values, config, everything)
    count = config.num_classes or max(index for index in labels.values() if index != IGNORED) + 1
    background = None if config.background < 0 else config.background
    return Dataset(
        name=root.resolve().name,
        items=items,
        in_channels=config.in_channels or _channels(everything),
        labels=labels,
        notes=notes,
        **describe_classes(count, config.class_names, background),
    )


def _split_levels(root: Path, config: DataConfig) -> dict[str, tuple[Item, ...]]:
    levels = {split: next((root / n for n in names if (root / n).is_dir()), None) for split, names in _LEVELS.items()}
    if levels["train"] is None:
        return split_items(_pairs(root), config.val, config.test, config.split_seed)
    items = {split: _pairs(level) if level else () for split, level in levels.items()}
    if not items["val"]:  # training cannot do without; a test set it can
        share = split_items(items["train"], config.val, 0.0, config.split_seed)
        items.update(train=share["train"], val=share["val"])
    return items


def _pairs(folder: Path) -> tuple[Item, ...]:
    images, masks = _files(folder / "images"), _files(folder / "masks")
    for stem, image in images.items():
        if stem not in masks:
            raise DataError(f"{image}: has no mask; put {stem}.png into {folder / 'masks'} or remove the image")
    for stem, mask in masks.items():
        if stem not in images:
            raise DataError(f"{mask}: has no image; put {stem}.jpg or .png into {folder / 'images'} or remove the mask")
    if not images:
        raise DataError(f"{folder / 'images'}: holds no images ({', '.join(SUFFIXES[:4])}, ...)")
    return tuple(Item(stem, images[stem], masks[stem]) for stem in sorted(images))


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; put the photos into images/ and their masks into masks/")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in files:
            raise DataError(f"{path}: has the same name as {files[path.stem].name}; rename one of them")
        files[path.stem] = path
    return files


def _mask_values(items: Sequence[Item]) -> dict[int, Item]:
    """Every value that occurs in a mask, with one item that holds it."""
    with ThreadPoolExecutor(4) as pool:  # Pillow decodes outside the interpreter lock
        found = pool.map(lambda item: np.unique(read_mask(item.mask)), items)
        return {int(value): item for item, values in zip(items, found, strict=True) for value in values}


def _labels(
    values: dict[int, Item], config: DataConfig, items: Sequence[Item]
) -> tuple[dict[int, int], tuple[str, ...]]:
    counted = {value for value in values if value != config.ignore_index}
    if set(values) == {0, 255} and config.num_classes in (0, 2):
        return {0: 0, 255: 1}, ("masks hold 0 and 255: read as classes 0 and 1",)
    if not counted:
        raise DataError(f"{items[0].mask.parent}: every mask pixel is {config.ignore_index}, which is not counted")
    top = (config.num_classes or IGNORED - 1) - 1
    worst = max(counted)
    if worst > top:
        allowed = f"0 to {top}" + (f" and {config.ignore_index} for not counted" if config.ignore_index > top else "")
        hint = "set data.num_classes" if config.num_classes else "masks hold class indices, not colours"
        raise DataError(f"{values[worst].mask}: the mask holds the value {worst}; allowed are {allowed}; {hint}")
    if counted == {0} and not config.num_classes:
        raise DataError(f"{items[0].mask.parent}: every mask is 0 throughout, so there is nothing to learn")
    if not config.num_classes and counted != set(range(worst + 1)):
        raise DataError(_not_indices(sorted(counted), values))
    labels = {index: index for index in range(max(worst, config.num_classes - 1) + 1)}
    return {**labels, config.ignore_index: IGNORED}, ()


def _not_indices(counted: Sequence[int], values: dict[int, Item]) -> str:
    """Why values with gaps are refused: they would silently make a network with as many classes as the largest one."""
    shown = ", ".join(map(str, counted[:6])) + (", ..." if len(counted) > 6 else "")
    file = values[counted[-1]].mask
    if file.suffix.lower() in (".jpg", ".jpeg", ".webp"):
        return f"{file}: masks hold {shown}: lossy compression has changed the labels; save masks as PNG"
    return (
        f"{file}: masks hold {shown}, which are not class indices 0, 1, 2, ...; renumber them, "
        "or set data.num_classes if a class does not occur"
    )


def _channels(items: Sequence[Item]) -> int:
    """1 where all images are grey, else 3; read from the headers."""
    for item in items:
        try:
            with Image.open(item.image) as image:
                if image.mode not in ("1", "L", "I", "I;16", "I;16B", "F"):
                    return 3
        except (OSError, SyntaxError, ValueError):
            continue  # reading the image itself will say what is wrong with it
    return 1
