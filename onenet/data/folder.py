"""Anyone's own data: `images/` and `masks/` with equal file names, with or without train/, val/ and test/ above.

ROOT/images/cat.jpg        ROOT/train/images/cat.jpg                              ROOT/images/cat.jpg
ROOT/masks/cat.png         ROOT/train/masks/cat.png  and so on for val and test   ROOT/masks/CLASS/cat.png (overlapping)

Beside images/ there may be train.txt, val.txt and test.txt, which name the images of each split, one per line.
"""

from collections.abc import Sequence
from pathlib import Path

from onenet.config import DataConfig
from onenet.data.labels import NO_BACKGROUND, Labels, describe_labels, read_labels
from onenet.data.lists import Refuse, find_lists, split_by_lists, stem_of
from onenet.data.naming import unpaired
from onenet.data.sample import SPLITS, Dataset, Item, T, split_items
from onenet.errors import ConfigError, DataError
from onenet.images import SUFFIXES, channel_count

LEVELS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
MOST_OVERLAPPING = 7  # bits of a byte, less one value for pixels that are not counted

_LAYOUT = "put the photos into images/ and their masks into masks/"


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
    labels = overlapping_labels(config) if config.overlapping else read_labels(config, everything)
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
        table=labels.table,
    )


def find_items(config: DataConfig, refuse: Refuse = stop) -> tuple[dict[str, tuple[Item, ...]], tuple[str, ...]]:
    """Items per split, and notes; what does not fit is handed to `refuse` and left out.

    Raises:
        DataError: there is nothing to begin with.
    """
    root = Path(config.root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; name one that holds images/ and masks/")
    levels = {split: next((root / n for n in names if (root / n).is_dir()), None) for split, names in LEVELS.items()}
    notes: tuple[str, ...] = ()
    if levels["train"] is not None:
        if not (root / "images").is_dir():
            items = {split: pairs(level, config, refuse) if level else () for split, level in levels.items()}
            return fill_val(items, config), ()
        if (levels["train"] / "images").is_dir():
            notes = (f"images/ is read; {levels['train'].name}/ beside it is not",)
    everything = pairs(root, config, refuse)
    if lists := find_lists(root):
        items, more = split_by_lists(everything, lists, refuse)
        return fill_val(items, config), (*notes, *more)
    share = split_items(everything, config.val, config.test, config.split_seed, config.folds, config.fold)
    return share, notes


def fill_val(items: dict[str, tuple[T, ...]], config: DataConfig) -> dict[str, tuple[T, ...]]:
    """Keep a share of the training images for validation where the data has none; a test set it can do without.

    With `data.folds` the data's own validation images are one with the training images before they are cut.
    """
    if items["val"] and not config.folds:
        return items
    both = (*items["train"], *items["val"])
    share = split_items(both, config.val, 0.0, config.split_seed, config.folds, config.fold)
    return {**items, "train": share["train"], "val": share["val"]}


def overlapping_labels(config: DataConfig) -> Labels:
    """The classes of `data.overlapping`: one per folder of masks/.

    Raises:
        DataError: there is no such folder, or there are too many.
        ConfigError: other keys say something else of the classes.
    """
    names = [folder.name for folder in class_folders(config)]
    for key, given in (("class_values", config.class_values), ("class_table", config.class_table)):
        if given:
            raise ConfigError(f"data.{key}: overlapping classes are the folders of masks/; leave it out")
    if config.background > 0:
        raise ConfigError(f"data.background={config.background}: overlapping classes have no background; leave it out")
    if config.mask_encoding == "colour":
        raise ConfigError("data.mask_encoding=colour: overlapping classes have masks of 0 and 255; leave it out")
    if config.num_classes not in (0, len(names)):
        raise ConfigError(f"data.num_classes={config.num_classes}, but masks/ has {len(names)} folders; leave it out")
    every = {folder.name for folder in _mask_folders(config)}
    rest = sorted(every - set(names))
    notes = (f"masks/ also holds {', '.join(rest)}, which data.class_names leaves out",) if rest else ()
    encoding = "alpha" if config.mask_encoding == "alpha" else "index"
    mapping = {index: index for index in range(len(names))}
    return describe_labels(mapping, encoding, len(names), config, names, background=NO_BACKGROUND, notes=notes)


def class_folders(config: DataConfig) -> list[Path]:
    """masks/CLASS/ of overlapping classes, of the first level that has it, as `data.class_names` orders, else by name.

    Raises:
        DataError: there are none, one that is named is missing, or there are too many.
    """
    found: dict[str, Path] = {}
    for folder in _mask_folders(config):
        found.setdefault(folder.name, folder)
    masks = Path(config.root) / "masks"
    if not found:
        raise DataError(f"{masks}: holds no folder per class, as data.overlapping=true wants: masks/CLASS/NAME.png")
    missing = next((name for name in config.class_names if name not in found), None)
    if missing is not None:
        raise DataError(f"{masks / missing}: no such folder, although data.class_names names it; "
                        f"there are {', '.join(sorted(found))}")  # fmt: skip
    chosen = list(config.class_names) or sorted(found)
    if len(chosen) > MOST_OVERLAPPING:
        raise DataError(f"{masks}: holds {len(chosen)} classes, but overlapping ones are at most {MOST_OVERLAPPING}; "
                        "choose some by data.class_names")  # fmt: skip
    return [found[name] for name in chosen]


def _mask_folders(config: DataConfig) -> list[Path]:
    root = Path(config.root)
    levels = [root, *(root / name for names in LEVELS.values() for name in names)]
    masks = [level / "masks" for level in levels if (level / "masks").is_dir()]
    return [path for folder in masks for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]


def pairs(folder: Path, config: DataConfig, refuse: Refuse) -> tuple[Item, ...]:
    """The images of images/ with their masks of masks/."""
    if config.overlapping:
        return _layered(folder, [path.name for path in class_folders(config)], refuse)
    return match(folder / "images", folder / "masks", refuse)


def match(image_folder: Path, mask_folder: Path, refuse: Refuse = stop, layout: str = _LAYOUT) -> tuple[Item, ...]:
    """Pair the files of two folders by their names without endings.

    Raises:
        DataError: a folder is missing (`layout` says what it should be), there are no images, or no pair at all.
    """
    images, masks = files(image_folder, refuse, layout), files(mask_folder, refuse, layout)
    if not images:
        raise DataError(f"{image_folder}: holds no images ({', '.join(SUFFIXES[:4])}, ...)")
    if not masks and any(path.is_dir() for path in mask_folder.iterdir()):
        raise DataError(f"{mask_folder}: holds folders, but no masks; put the masks into it, or, if each folder holds "
                        "the masks of one class, set data.overlapping=true")  # fmt: skip
    if masks and not set(images) & set(masks):
        raise unpaired(mask_folder, images, masks)
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
    folders = {name: folder / "masks" / name for name in classes}  # a class may be absent from a level
    masks = {name: files(path, refuse) if path.is_dir() else {} for name, path in folders.items()}
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


def files(folder: Path, refuse: Refuse = stop, layout: str = _LAYOUT) -> dict[str, Path]:
    """The image files of a folder by their names without endings.

    Raises:
        DataError: no such folder; `layout` says what it should be.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; {layout}{_what_is_there(folder) if layout is _LAYOUT else ''}")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or path.is_dir():
            continue
        stem = stem_of(path.name)
        if stem in found:
            refuse(DataError(f"{path}: has the same name as {found[stem].name}; rename or remove one of them"))
            continue
        found[stem] = path
    return found


def _what_is_there(missing: Path) -> str:
    """Where the images of a folder that is missing may be: in the folder above, or under other names beside it."""
    root = missing.parent
    if (root.parent / "images").is_dir() and (root.parent / "masks").is_dir():
        return f"; did you mean folder:{root.parent}?"
    try:
        beside = sorted(path.name for path in root.iterdir() if path.name not in ("images", "masks") and path.is_dir())
    except OSError:
        return ""
    return f"; there are {', '.join(f'{name}/' for name in beside[:4])} to be renamed" if 0 < len(beside) <= 4 else ""


def count_channels(items: Sequence[Item]) -> int:
    """The channels that all images have in common: 1 where all are grey, 3 where some are in colour, else N.

    Raises:
        DataError: a multispectral image among others.
    """
    found: dict[int, list[Item]] = {}
    for item in items:
        try:
            found.setdefault(channel_count(item.image), []).append(item)
        except DataError:
            continue  # reading the image itself will say what is wrong with it
    if set(found) <= {1, 3}:
        return max(found, default=3)
    order = sorted(found, key=lambda channels: len(found[channels]))
    rare, common = order[0], order[-1]
    if len(found) > 1:
        odd, usual = found[rare][0].image, found[common][0].image
        raise DataError(f"{odd}: has {rare} channels, but {usual.name} has {common}; all images must have the same "
                        "number; convert them, or remove those that differ")  # fmt: skip
    return common
