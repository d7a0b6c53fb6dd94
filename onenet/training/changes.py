"""What has changed since a run was begun, in words: keys of its recipe, files of its data and how they are read.

A run is resumed as it was begun. Only what says where and how fast it computes, or where its files are, may change.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from onenet.config import Config, load_config
from onenet.data import Dataset, Item, VolumeDataset
from onenet.data.sample import shown_value
from onenet.images import IGNORED

# The machine's keys. `precision` is one: weights and optimiser are float32 in each, and "auto" follows the device.
# `data.root` may move, as the files are compared; `skip_unreadable` is what the message about a damaged file offers.
FREE = frozenset({
    "train.workers", "train.device", "train.devices", "train.nodes", "train.precision", "train.examples",
    "train.tensorboard", "data.cache", "data.root", "data.skip_unreadable",
})  # fmt: skip

# split -> name -> [bytes, digest] of the image and of its masks; [] for any
Files = dict[str, dict[str, list[Any]]]
Reading = dict[str, Any]  # see `reading_of`

_SHOWN = 3
_WHOLE, _PARTS, _PART = 1 << 20, 16, 1 << 16  # an image above so many bytes is compared by so many parts of so many
_WORDS = {
    "background": "background", "encoding": "mask encoding", "in_channels": "channels", "value_range": "value range",
    "overlapping": "overlapping",
}  # fmt: skip


def changed_keys(begun: Mapping[str, Mapping[str, Any]], now: Config) -> list[str]:
    """The keys whose values differ, as "train.batch 8 -> 4"; those of the machine are left out.

    Keys that did not exist when the run was begun had their default.
    """
    defaults = load_config().to_dict()
    then = {table: {**(defaults[table] if table != "model" else {}), **values} for table, values in begun.items()}
    return [
        f"{key} {_shown(old)} -> {_shown(new)}"
        for key, old, new in _pairs(then, now.anchored().to_dict())
        if old != new and key not in FREE
    ]


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for table in dict.fromkeys([*first, *second]):
        here, there = first.get(table, {}), second.get(table, {})
        for key in dict.fromkeys([*here, *there]):
            yield f"{table}.{key}", here.get(key), there.get(key)


def _shown(value: Any) -> str:
    return "(none)" if value is None else str(value)


def data_of(dataset: Dataset) -> dict[str, Any]:
    """What a checkpoint holds of the data: the marks of its files, and how they are read."""
    return {"data": files_of(dataset), "reading": reading_of(dataset)}


def changed_data(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of `data_of` is otherwise now, in words; what an earlier version did not keep in `begun` is not compared."""
    changes = changed_reading(begun["reading"], now["reading"]) if "reading" in begun else []
    return changes + (changed_files(begun["data"], now["data"]) if "data" in begun else [])


def reading_of(dataset: Dataset) -> Reading:
    """Which classes there are and how the files are read, in plain values for a checkpoint."""
    return {
        "table": dataset.table.name if dataset.table else "",
        "classes": list(dataset.classes),
        "labels": {int(value): int(index) for value, index in dataset.labels.items()},
        "background": dataset.background,
        "encoding": dataset.encoding,
        "in_channels": dataset.in_channels,
        "value_range": list(dataset.value_range),
        "overlapping": dataset.overlapping,
        "preparation": dataset.preparation.to_card() if isinstance(dataset, VolumeDataset) else {},
    }


def changed_reading(begun: Reading, now: Reading) -> list[str]:
    """What is read otherwise, as "classes (classes.txt): 1 cat -> dog, 2 dog -> cat"."""
    table = now["table"] or begun["table"]
    where = f" ({table})" if table else ""
    changes = []
    if begun["classes"] != now["classes"]:
        changes.append(f"classes{where}: {_renamed(begun['classes'], now['classes'])}")
    elif begun["labels"] != now["labels"]:
        values = sorted({*begun["labels"], *now["labels"]})
        pairs = [(value, _class_of(value, begun), _class_of(value, now)) for value in values]
        found = [f"{shown_value(v, now['encoding'], bare=True)} {a} -> {b}" for v, a, b in pairs if a != b]
        changes.append(f"mask values{where}: {_first(found)}")
    prepared = begun.get("preparation") or now["preparation"]  # earlier versions did not keep it
    return [
        *changes,
        *(f"{w} {_shown(begun[key])} -> {_shown(now[key])}" for key, w in _WORDS.items() if begun[key] != now[key]),
        *(f"{key} of volumes {old} -> {now['preparation'].get(key)}" for key, old in prepared.items()
          if old != now["preparation"].get(key)),
    ]  # fmt: skip


def _renamed(before: Sequence[str], after: Sequence[str]) -> str:
    if len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return _first([f"{index} {old} -> {new}" for index, (old, new) in pairs if old != new])
    added, removed = ([name for name in one if name not in other] for one, other in ((after, before), (before, after)))
    kinds = [f"{_first(names)} {kind}" for names, kind in ((added, "added"), (removed, "removed")) if names]
    return f"{len(before)} -> {len(after)}" + (f" ({', '.join(kinds)})" if kinds else "")


def _class_of(value: int, reading: Reading) -> str:
    index = reading["labels"].get(value)
    return "no class" if index is None else "not counted" if index == IGNORED else reading["classes"][index]


def files_of(dataset: Dataset) -> Files:
    """Size and digest of every file; -1 and "" of a file that is not there."""
    with ThreadPoolExecutor(4) as pool:  # files are read, and digests made, outside the interpreter lock
        return {
            split: {item.name: marks for item, marks in zip(items, pool.map(_marks, items), strict=True)}
            for split, items in _sources(dataset).items()
        }


def _sources(dataset: Dataset) -> dict[str, tuple[Item, ...]]:
    """The pairs of files per split: of slices of volumes each file once."""
    return {split: dataset.sources(split) if items else () for split, items in dataset.items.items()}


def _marks(item: Item) -> list[Any]:
    meaning = f"{sorted((item.labels or {}).items())} {[layer is not None for layer in item.layers]}".encode()
    masks = paths_of(item)[len(item.images) :]
    return [*(_mark(image, _WHOLE) for image in item.images), *(_mark(mask, None, meaning) for mask in masks)]


def _mark(path: Path, most: int | None, meaning: bytes = b"") -> list[Any]:
    """Size and digest of a file: of its whole content, or of parts of it where it has more than `most` bytes."""
    digest = hashlib.blake2b(meaning, digest_size=8)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if most is None or size <= most:
                while block := file.read(_WHOLE):
                    digest.update(block)
            else:
                for part in range(_PARTS):  # the first bytes, the last ones, and some between
                    file.seek((size - _PART) * part // (_PARTS - 1))
                    digest.update(file.read(_PART))
    except OSError:
        return [-1, ""]
    return [size, digest.hexdigest()]


def paths_of(item: Item) -> list[Path]:
    """The files of an item: those of the image, the mask, and those of further classes where they overlap."""
    return [*item.images, item.mask, *(path for path in item.layers if path is not None and path != item.mask)]


def changed_files(begun: Files, now: Files) -> list[str]:
    """What was added, removed or changed in which split, with the first names: "train: 2 images added (a, b)".

    Of a `begun` from before there were digests, sizes are compared.
    """
    changes = []
    for split in dict.fromkeys([*begun, *now]):
        before, after = begun.get(split, {}), now.get(split, {})
        kinds = {
            "added": [name for name in after if name not in before],
            "removed": [name for name in before if name not in after],
            "changed": [name for name in after if before.get(name) and not _same(before[name], after[name])],
        }
        found = [f"{_images(names)} {kind} ({_first(names)})" for kind, names in kinds.items() if names]
        if found:
            changes.append(f"{split}: {', '.join(found)}")
    return changes


def _same(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether these are the marks of the same files; earlier versions kept sizes alone."""
    return len(before) == len(after) and all(old in (new, new[0]) for old, new in zip(before, after, strict=True))


def _images(names: list[str]) -> str:
    return f"{len(names)} image{'s' if len(names) > 1 else ''}"


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def expecting_mended(begun: Files, dataset: Dataset, message: str) -> Files:
    """The same with any content for the image whose file `message` names: mended, it will have another one."""
    named = {
        (split, item.name)
        for split, items in _sources(dataset).items()
        for item in items
        if any(str(path) in message for path in paths_of(item))
    }
    return {
        split: {name: [] if (split, name) in named else sizes for name, sizes in files.items()}
        for split, files in begun.items()
    }
