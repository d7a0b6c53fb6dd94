"""Which pairs of files a data set has, for a check: what does not fit is collected, and the rest is looked at too."""

from collections.abc import Mapping
from pathlib import Path

from onenet.config import DataConfig
from onenet.data.camvid import find_camvid
from onenet.data.findings import Finding
from onenet.data.folder import LEVELS, find_items, match, pairs
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
        refused.append(error)
    texts = dict.fromkeys(map(str, refused))
    return items, notes, [Finding("files", text, text.partition(": ")[0]) for text in texts]


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
