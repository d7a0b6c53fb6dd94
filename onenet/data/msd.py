"""The Medical Segmentation Decathlon (Antonelli et al. 2022) as it is distributed, and any data of that layout.

ROOT/dataset.json   ROOT/imagesTr/CASE.nii.gz   ROOT/labelsTr/CASE.nii.gz

A volume and its mask have one name, or dataset.json lists them as a pair of "training": {"image": ..., "label": ...}.
Volumes have three axes, or four with the channels last. imagesTs/ has no published masks: the test cases are a share of
the training cases, unless there is a labelsTs/.
"""

from collections.abc import Mapping
from pathlib import Path

from onenet.config import DataConfig
from onenet.data.cases import Case, FoundCases, Refuse, match_cases, volume_files
from onenet.data.dataset_json import (
    FILE,
    channel_names,
    labels_of,
    masks_of_other_names,
    named_in_vain,
    read_dataset_json,
)
from onenet.data.folder import stop
from onenet.data.sample import split_items
from onenet.errors import DataError

_LAYOUT = "msd wants dataset.json, imagesTr/ and labelsTr/"


def find_msd(config: DataConfig, refuse: Refuse = stop) -> FoundCases:
    """The cases, split; what does not fit is handed to `refuse` and left out.

    Raises:
        DataError: there is nothing to begin with.
        ConfigError: keys of [data] contradict the labels.
    """
    root = Path(config.root)
    found = read_dataset_json(root)
    labels, overlapping = labels_of(found, config, root / FILE)
    cases = _paired(root, "Tr", refuse, masks_of_other_names(found))
    test = _paired(root, "Ts", refuse, {}) if (root / "labelsTs").is_dir() else ()
    split = split_cases(cases, test, config)
    notes = (*labels.notes, *named_in_vain(found, cases))
    return FoundCases(split, labels, channel_names(found, root / FILE), overlapping, notes)


def split_cases(cases: tuple[Case, ...], test: tuple[Case, ...], config: DataConfig) -> dict[str, tuple[Case, ...]]:
    """Cases, never slices, kept for validation and test; the data's own test cases take the place of a share."""
    share = 0.0 if test else config.test
    split = split_items(cases, config.val, share, config.split_seed, config.folds, config.fold)
    return {**split, "test": test or split["test"]}


def _paired(root: Path, which: str, refuse: Refuse, other_names: Mapping[str, str]) -> tuple[Case, ...]:
    images = volume_files(root / f"images{which}", refuse, _LAYOUT)
    masks = volume_files(root / f"labels{which}", refuse, _LAYOUT)
    others: dict[str, str] = {}
    for image, mask in other_names.items():
        if image not in images or image in masks or mask in images or mask not in masks:
            continue  # its own mask is there, or this one is another volume's own
        if mask in others:
            listed = f"lists {masks[mask].name} as the mask of {others[mask]} and of {image}"
            refuse(DataError(f"{root / FILE}: {listed}; mend the list"))
            continue
        others[mask] = image
    masks = {others.get(name, name): path for name, path in masks.items()}
    return match_cases(images, masks, root / f"labels{which}", refuse)
