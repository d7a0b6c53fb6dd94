"""Which pairs of files a data set has, for a check: what does not fit is collected, and the rest is looked at too."""

from collections.abc import Mapping
from pathlib import Path

from onenet.config import DataConfig
from onenet.data.camvid import find_camvid
from onenet.data.findings import Finding
from onenet.data.folder import LEVELS, files, find_items, match, pairs
from onenet.data.pet import find_pet
from onenet.data.sample import SPLITS, Item
from onenet.data.voc import find_root, find_voc
from onenet.errors import DataError

Items = Mapping[str, tuple[Item, ...]]


def find_pairs(config: DataConfig) -> tuple[Items, tuple[str, ...], list[Finding]]:
    """Items per split, notes, and what is wrong with files and lists.

    Where they cannot be split at all, whatever can be paired is the split "unsplit".
    """
    refused: list[DataError] = []
    naming = _naming(config)
    notes: tuple[str, ...] = ()
    try:
        if config.format == "folder":
            items, notes = find_items(config, refused.append)
        elif config.format == "voc":
            items, notes = find_voc(config, refused.append)
        else:
            items = (find_camvid if config.format == "camvid" else find_pet)(config, refused.append)
    except DataError as error:
        items = {"unsplit": _unsplit(config)}
        refused += [] if naming else [error]
    texts = dict.fromkeys(map(str, refused))
    found = [Finding("files", text, text.partition(": ")[0]) for text in texts]
    return items, notes, [*naming, *found]


def _unsplit(config: DataConfig) -> tuple[Item, ...]:
    root = Path(config.root)
    places = {
        "camvid": [(root / split, root / f"{split}annot") for split in SPLITS],
        "voc": [(folder / "JPEGImages", folder / "SegmentationClass") for folder in _voc_root(config)],
    }.get(config.format, [(root / "images", root / "annotations" / "trimaps")])
    found: list[Item] = []
    try:
        if config.format == "folder":
            levels = [root, *(root / name for names in LEVELS.values() for name in names)]
            for folder in (level for level in levels if (level / "images").is_dir()):
                found += pairs(folder, config, _leave_out)
        else:
            for images, masks in places:
                found += match(images, masks, _leave_out) if images.is_dir() else ()
    except DataError:
        pass  # it has been refused before, with its reason
    # A pet's breed comes from the lists: without them, its mask is read as pet-small's.
    return tuple(found)


def _voc_root(config: DataConfig) -> list[Path]:
    try:
        return [find_root(config)]
    except DataError:
        return []


def _leave_out(error: DataError) -> None:
    pass


def _naming(config: DataConfig) -> list[Finding]:
    """Masks called cat_mask.png beside cat.jpg: the commonest reason why nothing has a partner."""
    if config.format != "folder" or config.overlapping:
        return []
    root = Path(config.root)
    for folder in (root, *(root / name for names in LEVELS.values() for name in names)):
        try:
            images, masks = files(folder / "images", _leave_out), files(folder / "masks", _leave_out)
        except DataError:
            continue
        if not images or not masks or set(images) & set(masks):
            continue
        image = next(iter(images))
        mask = next((name for name in masks if image in name), None)
        if mask is None:
            continue
        before, after = mask.split(image, 1)
        was = masks[mask]
        if sum(f"{before}{name}{after}" in masks for name in images) * 2 >= len(images):
            return [Finding("files", f"{was}: masks are called {before}NAME{after}{was.suffix}; rename them to the "
                                     f"names of their images, this one to {image}{was.suffix}", str(was))]  # fmt: skip
    return []
