"""Anyone's own data: `images/` and `masks/` with equal file names, with or without train/, val/ and test/ above.

ROOT/images/cat.jpg        ROOT/train/images/cat.jpg                              ROOT/images/cat.jpg
ROOT/masks/cat.png         ROOT/train/masks/cat.png  and so on for val and test   ROOT/masks/CLASS/cat.png (overlapping)

Beside images/ there may be train.txt, val.txt and test.txt, which name the images of each split, one per line.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from onenet.config import DataConfig
from onenet.data.labels import NO_BACKGROUND, describe_labels, read_labels
from onenet.data.lists import find_lists, split_by_lists
from onenet.data.sample import SPLITS, Dataset, Item, split_items
from onenet.errors import ConfigError, DataError
from onenet.images import SUFFIXES, channel_count

LEVELS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
MOST_OVERLAPPING = 7  # bits of a byte, less one value for pixels that are not counted

Refuse = Callable[[DataError], None]  # what is done about a file that does not fit


def stop(error: DataError) -> None:
    """Refuse by raising: what training does; `onenet data check` collects the errors instead."""
    raise error


def open_folder(config: DataConfig) -> Dataset:
    """Pair images and masks by name, read the masks' labels and split.

    Raises:
        DataError: a folder or a partner is missing, a mask is unreadable, or there are too few images.
        ConfigError: keys contradict each other or the data.
    """
    items, notes = find_items(config)
    everything = [item for split in SPLITS for item in items[split]]
    if config.overlapping:
        classes = class_folders(config)
        labels = describe_labels(
            {}, "index", len(classes), config, names=[folder.name for folder in classes], background=NO_BACKGROUND
        )
    else:
        labels = read_labels(config, everything)
    return Dataset(
        name=Path(config.root).resolve().name,
        items=items,
        in_channels=config.in_channels or count_channels(everything),
        labels=labels.mapping,
        encoding=labels.encoding,
        classes=labels.classes,
        colours=labels.colours,
        background=labels.background,
        notes=(*notes, *labels.notes),
        value_range=config.value_range,
        overlapping=config.overlapping,
        skip_unreadable=config.skip_unreadable,
    )


def find_items(config: DataConfig, refuse: Refuse = stop) -> tuple[dict[str, tuple[Item, ...]], tuple[str, ...]]:
    """Items per split, and notes; what does not fit is handed to `refuse` and left out.

    Raises:
        DataError: there is nothing to begin with.
    """
    root = Path(config.root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; data.root must hold images/ and masks/")
    levels = {split: next((root / n for n in names if (root / n).is_dir()), None) for split, names in LEVELS.items()}
    if levels["train"] is not None and not (root / "images").is_dir():
        items = {split: pairs(level, config, refuse) if level else () for split, level in levels.items()}
        return fill_val(items, config), ()
    everything = pairs(root, config, refuse)
    if lists := find_lists(root):
        items, notes = split_by_lists(everything, lists, refuse)
        return fill_val(items, config), notes
    return split_items(everything, config.val, config.test, config.split_seed), ()


def fill_val(items: dict[str, tuple[Item, ...]], config: DataConfig) -> dict[str, tuple[Item, ...]]:
    """Keep a share of the training images for validation where the data has none; a test set it can do without."""
    if items["val"]:
        return items
    share = split_items(items["train"], config.val, 0.0, config.split_seed)
    return {**items, "train": share["train"], "val": share["val"]}


def class_folders(config: DataConfig) -> list[Path]:
    """masks/CLASS/ of overlapping classes, in the order of `data.class_names`, else by name.

    Raises:
        DataError: there are none, one that is named is missing, or there are too many.
    """
    root = Path(config.root)
    masks = next((m for m in (root / "masks", root / "train" / "masks") if m.is_dir()), root / "masks")
    found = sorted(path for path in masks.iterdir() if path.is_dir()) if masks.is_dir() else []
    if not found:
        raise DataError(f"{masks}: holds no folder per class, as data.overlapping=true wants: masks/CLASS/NAME.png")
    if config.background > 0:
        raise ConfigError(f"data.background={config.background}: overlapping classes have no background")
    for name in config.class_names:
        if not (masks / name).is_dir():
            raise DataError(f"{masks / name}: no such folder, although data.class_names names it")
    if len(found) > MOST_OVERLAPPING:
        raise DataError(f"{masks}: holds {len(found)} classes, but overlapping ones are at most {MOST_OVERLAPPING}")
    return [masks / name for name in config.class_names] or found


def pairs(folder: Path, config: DataConfig, refuse: Refuse) -> tuple[Item, ...]:
    """The images of images/ with their masks of masks/."""
    if config.overlapping:
        return _layered(folder, [path.name for path in class_folders(config)], refuse)
    return match(folder / "images", folder / "masks", refuse)


def match(image_folder: Path, mask_folder: Path, refuse: Refuse = stop) -> tuple[Item, ...]:
    """Pair the files of two folders by their names without endings."""
    images, masks = files(image_folder, refuse), files(mask_folder, refuse)
    if not images:
        raise DataError(f"{image_folder}: holds no images ({', '.join(SUFFIXES[:4])}, ...)")
    if masks and not set(images) & set(masks):
        raise DataError(f"{mask_folder}: no mask has the name of an image ({next(iter(images))} ... and "
                        f"{next(iter(masks))} ...); do these folders belong together?")  # fmt: skip
    for stem, image in images.items():
        if stem not in masks:
            refuse(DataError(f"{image}: has no mask; put {stem}.png into {mask_folder} or remove the image"))
    for stem, mask in masks.items():
        if stem not in images:
            refuse(DataError(f"{mask}: has no image; put {stem}.jpg or .png into {image_folder} or remove the mask"))
    return tuple(Item(stem, images[stem], masks[stem]) for stem in sorted(images) if stem in masks)


def _layered(folder: Path, classes: Sequence[str], refuse: Refuse) -> tuple[Item, ...]:
    images = files(folder / "images", refuse)
    if not images:
        raise DataError(f"{folder / 'images'}: holds no images ({', '.join(SUFFIXES[:4])}, ...)")
    masks = {name: files(folder / "masks" / name, refuse) for name in classes}
    for name, found in masks.items():
        for stem in found.keys() - images.keys():
            refuse(DataError(f"{found[stem]}: has no image; put {stem}.jpg or .png into {folder / 'images'}, "
                             f"or remove it from {name}"))  # fmt: skip
    items = []
    for stem in sorted(images):
        layers = tuple(masks[name].get(stem) for name in classes)
        first = next((layer for layer in layers if layer), None)
        if first is None:
            refuse(DataError(f"{images[stem]}: no class has a mask of this name; an image with nothing on it needs an "
                             f"empty mask in one of {', '.join(classes)}"))  # fmt: skip
        else:
            items.append(Item(stem, images[stem], first, layers=layers))
    return tuple(items)


def files(folder: Path, refuse: Refuse = stop) -> dict[str, Path]:
    """The image files of a folder by their names without endings."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; put the photos into images/ and their masks into masks/")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            refuse(DataError(f"{path}: has the same name as {found[path.stem].name}; rename one of them"))
            continue
        found[path.stem] = path
    return found


def count_channels(items: Sequence[Item]) -> int:
    """The channels that all images have in common: 1 where all are grey, 3 where some are in colour, else N.

    Raises:
        DataError: a multispectral image among others.
    """
    found: dict[int, Item] = {}
    for item in items:
        try:
            found.setdefault(channel_count(item.image), item)
        except DataError:
            continue  # reading the image itself will say what is wrong with it
    if set(found) <= {1, 3}:
        return max(found, default=3)
    if len(found) > 1:
        (some, first), (other, second) = list(found.items())[:2]
        raise DataError(f"{second.image}: has {other} channels, but {first.image.name} has {some}; all images must "
                        "have the same number")  # fmt: skip
    return next(iter(found))
