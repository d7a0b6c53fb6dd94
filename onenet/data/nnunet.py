"""nnU-Net's layout (Isensee et al. 2021), version 2: a file per channel.

ROOT/dataset.json   ROOT/imagesTr/CASE_0000.nii.gz, CASE_0001.nii.gz, ...   ROOT/labelsTr/CASE.nii.gz

Where there is a labelsTs/, its cases are the test. Labels of several values (regions) overlap: a sigmoid for each.
"""

import re
from pathlib import Path

from onenet.config import DataConfig
from onenet.data.cases import Case, FoundCases, Refuse, volume_files
from onenet.data.dataset_json import FILE, channel_names, labels_of, read_dataset_json
from onenet.data.folder import stop
from onenet.data.msd import split_cases
from onenet.errors import DataError

_LAYOUT = "nnunet wants dataset.json, imagesTr/ with CASE_0000.nii.gz and labelsTr/ with CASE.nii.gz"
_CHANNEL = re.compile(r"(.+)_(\d{4})")


def find_nnunet(config: DataConfig, refuse: Refuse = stop) -> FoundCases:
    """The cases, split; what does not fit is handed to `refuse` and left out.

    Raises:
        DataError: there is nothing to begin with.
        ConfigError: keys of [data] contradict the labels.
    """
    root = Path(config.root)
    found = read_dataset_json(root)
    labels, overlapping = labels_of(found, config, root / FILE)
    channels = channel_names(found, root / FILE)
    cases = _paired(root, "Tr", len(channels), refuse)
    test = _paired(root, "Ts", len(channels), refuse) if (root / "labelsTs").is_dir() else ()
    return FoundCases(split_cases(cases, test, config), labels, channels, overlapping, labels.notes)


def _paired(root: Path, which: str, channels: int, refuse: Refuse) -> tuple[Case, ...]:
    images: dict[str, dict[int, Path]] = {}
    for stem, path in volume_files(root / f"images{which}", refuse, _LAYOUT).items():
        match = _CHANNEL.fullmatch(stem)
        if match is None:
            refuse(DataError(f"{path}: is not called CASE_0000 and so on, with its channel's number; rename it, or use "
                             "msd:PATH for one file per case"))  # fmt: skip
        else:
            images.setdefault(match[1], {})[int(match[2])] = path
    masks = volume_files(root / f"labels{which}", refuse, _LAYOUT)
    cases = []
    for name in sorted({*images, *masks}):
        there = images.get(name, {})
        count = channels or max(map(len, images.values()), default=1)
        absent = [number for number in range(count) if number not in there]
        surplus = sorted(number for number in there if number >= count)
        if name not in masks:
            first = there[min(there)]
            refuse(DataError(f"{first}: the case has no mask; add {name} to labels{which}/, or remove it"))
        elif absent:
            refuse(DataError(f"{masks[name]}: the case has no channel {name}_{absent[0]:04d}; add it, or remove it"))
        elif surplus:
            refuse(DataError(f"{there[surplus[0]]}: is channel {surplus[0]} of its case, but the data has {count}, "
                             f"counted from 0; name it in {FILE} (channel_names), or remove it"))  # fmt: skip
        else:
            ordered = [there[number] for number in range(count)]
            cases.append(Case(name, ordered[0], masks[name], channels=tuple(ordered[1:])))
    if not cases:
        raise DataError(f"{root / f'labels{which}'}: no case has all its channels and a mask; {_LAYOUT}")
    return tuple(cases)
