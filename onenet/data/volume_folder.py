"""Anyone's own volumes: `images/` and `masks/` with equal file names, with or without train/, val/ and test/ above.

ROOT/images/CASE.nii.gz        ROOT/train/images/CASE.nii.gz
ROOT/masks/CASE.nii.gz         ROOT/train/masks/CASE.nii.gz  and so on for val and test

.nii.gz, .nii, .nrrd, .mha and .mhd. Classes are those of the masks' values, as in a folder of images.
"""

from pathlib import Path

import numpy as np

from onenet.config import DataConfig
from onenet.data.cases import Case, FoundCases, Refuse, match_cases, volume_files
from onenet.data.classes import find_class_table
from onenet.data.folder import LEVELS, fill_val, stop
from onenet.data.labels import Labels, class_table, labels_by
from onenet.data.msd import split_cases
from onenet.data.sample import SPLITS, Item
from onenet.data.volume_reading import read_values
from onenet.errors import DataError

_LOOKED_AT = 3  # masks that tell whether black and white is meant by two classes
_LAYOUT = "volumes wants images/ and masks/ with equal names"


def find_volumes(config: DataConfig, refuse: Refuse = stop) -> FoundCases:
    """The cases, split; what does not fit is handed to `refuse` and left out.

    Raises:
        DataError: there is nothing to begin with, or as `volume_labels`.
        ConfigError: keys of [data] contradict each other or the masks.
    """
    root = Path(config.root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; {_LAYOUT}")
    levels = {split: next((root / n for n in names if (root / n).is_dir()), None) for split, names in LEVELS.items()}
    if (root / "images").is_dir() or levels["train"] is None:
        cases = split_cases(_paired(root, refuse), (), config)
    else:
        cases = fill_val({split: _paired(level, refuse) if level else () for split, level in levels.items()}, config)
    everything = [case for split in SPLITS for case in cases[split]]
    labels = volume_labels(config, everything, refuse)
    return FoundCases(cases, labels, notes=labels.notes)


def volume_labels(config: DataConfig, cases: list[Case], refuse: Refuse = stop) -> Labels:
    """The classes: all masks are read for them, or a few where keys say how many there are.

    Raises:
        DataError: a mask cannot be read or holds values below 0 (where `data.skip_unreadable`: every one), or one
            holds a value that is no class.
        ConfigError: the keys contradict each other or the masks.
    """
    path = find_class_table(Path(config.root), config.class_table)
    table = class_table(config, path)
    count = config.num_classes or len(config.class_names)
    known = count if table is None else len(table.values)
    values: dict[int, Item] = {}
    errors: list[DataError] = []
    for case in cases[: _LOOKED_AT if known else None]:
        try:
            values |= dict.fromkeys(_values_in(case.mask), case)
        except DataError as error:
            if not config.skip_unreadable:
                raise
            errors.append(error)
    if table is None and set(values) != {0, 255}:
        values |= {value: cases[0] for value in range(count) if value not in values}
    if errors and not values and table is None:
        for bad in errors:
            refuse(bad)
        raise errors[0]
    return labels_by(values, config, table, path)


def _values_in(mask: Path) -> list[int]:
    values = [int(value) for value in np.unique(read_values(mask))]
    if values[0] < 0:
        raise DataError(f"{mask}: the mask holds the value {values[0]}; labels are 0 and above")
    return values


def _paired(level: Path, refuse: Refuse) -> tuple[Case, ...]:
    images = volume_files(level / "images", refuse, _LAYOUT)
    masks = volume_files(level / "masks", refuse, _LAYOUT)
    return match_cases(images, masks, level / "masks", refuse)
