"""dataset.json of the Medical Segmentation Decathlon and of nnU-Net: channels and labels of a set of volumes.

Decathlon   "modality": {"0": "MRI"}        "labels": {"0": "background", "1": "left atrium"}
nnU-Net     "channel_names": {"0": "CT"}    "labels": {"background": 0, "liver": [1, 2], "tumour": 2, "ignore": 3}

A label of several values is a region (https://github.com/MIC-DKFZ/nnUNet, documentation/region_based_training.md):
where there is one, classes overlap, the background is no class, and masks become bit codes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onenet.config import DataConfig
from onenet.data.cases import Case
from onenet.data.folder import MOST_OVERLAPPING
from onenet.data.labels import NO_BACKGROUND, Labels, background_of, describe_labels
from onenet.errors import ConfigError, DataError, describe_os_error
from onenet.images import IGNORED
from onenet.volumes import case_name

FILE = "dataset.json"
_IGNORE = "ignore"
_SHOWN = 3


def read_dataset_json(folder: Path) -> dict[str, Any]:
    """The object in `folder`/dataset.json.

    Raises:
        DataError: it is not there, cannot be read, or holds something else.
    """
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{folder}: holds no {FILE}; name the folder that does, or use volumes:PATH for images/ and "
                        "masks/") from None  # fmt: skip
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({describe_os_error(error)})") from None
    except ValueError as error:
        raise DataError(f"{path}: is no JSON ({error}); mend it") from None
    if not isinstance(found, dict) or not isinstance(found.get("labels"), dict) or not found["labels"]:
        raise DataError(f'{path}: holds no "labels"; add them, as in {{"labels": {{"0": "background", "1": "organ"}}}}')
    return found


def channel_names(found: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """Names of the channels in their order; () where nothing says them.

    Raises:
        DataError: they are not numbered from 0.
    """
    names = found.get("channel_names") or found.get("modality") or {}
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or {str(key) for key in names} != {str(n) for n in range(len(names))}:
        raise DataError(f'{path}: its channels must be numbered from 0, as in {{"0": "T1", "1": "T2"}}')
    return tuple(str(names[key]) for key in sorted(names, key=lambda key: int(key)))


def named_in_vain(found: Mapping[str, Any], cases: Sequence[Case]) -> tuple[str, ...]:
    """A note on training cases that are listed but not there, as in a copy of a part of the data."""
    entries = [one.get("image") if isinstance(one, dict) else one for one in _training(found)]
    there = {case.name for case in cases}
    absent = [name for one in entries if isinstance(one, str) and (name := case_name(one)) not in there]
    if not absent:
        return ()
    more = ", ..." if len(absent) > _SHOWN else ""
    return (f"{FILE} lists {len(entries)} training cases, of which {len(absent)} are not there: "
            f"{', '.join(absent[:_SHOWN])}{more}",)  # fmt: skip


def masks_of_other_names(found: Mapping[str, Any]) -> dict[str, str]:
    """Of the training cases that are listed with their masks: volume -> mask, by their names where they differ.

    Without folders and endings; the files are looked for where the layout has them.
    """
    listed = [one for one in _training(found) if isinstance(one, dict)]
    files = [(one.get("image"), one.get("label")) for one in listed]
    names = {case_name(a): case_name(b) for a, b in files if isinstance(a, str) and isinstance(b, str)}
    return {image: mask for image, mask in names.items() if image != mask}


def _training(found: Mapping[str, Any]) -> list[Any]:
    listed = found.get("training")
    return listed if isinstance(listed, list) else []


def labels_of(found: Mapping[str, Any], config: DataConfig, path: Path) -> tuple[Labels, bool]:
    """The classes, and whether they overlap.

    Raises:
        DataError: the labels make no sense.
        ConfigError: keys of [data] contradict them.
    """
    for key in ("class_values", "class_table"):
        if getattr(config, key):
            raise ConfigError(f"data.{key}: {path.name} says which value is which class; leave it out")
    by_name = _values_by_name(found["labels"], path)
    ignored = by_name.pop(next((name for name in by_name if name.lower() == _IGNORE), ""), ())
    mapping = dict.fromkeys(ignored, IGNORED)
    if config.ignore_index not in {value for values in by_name.values() for value in values}:
        mapping[config.ignore_index] = IGNORED
    if any(len(values) > 1 for values in by_name.values()):
        return _regions(by_name, mapping, config, path), True
    names = sorted(by_name, key=lambda name: by_name[name][0])
    mapping |= {by_name[name][0]: index for index, name in enumerate(names)}
    if len({by_name[name][0] for name in names} | {*ignored}) != len(names) + len(ignored):
        raise DataError(f"{path}: two labels have one value; give each its own")
    _refuse_count(len(names), config, path)
    return describe_labels(mapping, "index", len(names), config, names, background=_background(names, by_name)), False


def _background(names: list[str], by_name: Mapping[str, tuple[int, ...]]) -> int:
    named = background_of(names)
    return 0 if named == NO_BACKGROUND and by_name[names[0]] == (0,) else named


def _regions(
    by_name: Mapping[str, tuple[int, ...]], ignored: Mapping[int, int], config: DataConfig, path: Path
) -> Labels:
    names = [name for name, values in by_name.items() if values != (0,) and name.lower() != "background"]
    if len(names) > MOST_OVERLAPPING:
        raise DataError(
            f"{path}: has {len(names)} overlapping labels, but at most {MOST_OVERLAPPING} fit; leave some out"
        )
    codes: dict[int, int] = {0: 0}
    for values in by_name.values():
        codes |= dict.fromkeys(values, 0)
    for bit, name in enumerate(names):
        for value in by_name[name]:
            codes[value] |= 1 << bit
    _refuse_count(len(names), config, path)
    return describe_labels({**codes, **ignored}, "index", len(names), config, names, background=NO_BACKGROUND)


def _refuse_count(count: int, config: DataConfig, path: Path) -> None:
    if config.num_classes not in (0, count):
        raise ConfigError(f"data.num_classes={config.num_classes}, but {path} has {count} classes; leave it out")


def _values_by_name(labels: Mapping[str, Any], path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> values, from either of the two ways of writing it."""
    found: dict[str, tuple[int, ...]] = {}
    for key, value in labels.items():
        if isinstance(value, str):
            name, values = value, [key]
        else:
            name, values = key, value if isinstance(value, list) else [value]
        try:
            numbers = tuple(int(number) for number in values)
        except (TypeError, ValueError):
            raise DataError(f"{path}: the label {key!r} has the value {value!r}, which is no whole number") from None
        if not numbers or min(numbers) < 0:
            raise DataError(f"{path}: the label {name!r} has no value of 0 or above")
        if name in found:
            raise DataError(f"{path}: the label {name!r} stands there twice; each class needs its own name")
        found[name] = numbers
    return found
