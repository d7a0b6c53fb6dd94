"""What has changed since a run was begun, in words: keys of its recipe, files of its data.

A run is resumed as it was begun. Only what says where and how fast it computes, or where its files are, may change.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onenet.config import Config
from onenet.data import Dataset, Item

# The machine's keys. `precision` is one: weights and optimiser are float32 in each, and "auto" follows the device.
# `data.root` may move, as the files are compared; `skip_unreadable` is what the message about a damaged file offers.
FREE = frozenset({
    "train.workers", "train.device", "train.devices", "train.nodes", "train.precision", "train.examples",
    "train.tensorboard", "data.cache", "data.root", "data.skip_unreadable",
})  # fmt: skip

Files = dict[str, dict[str, list[int]]]  # split -> name -> bytes of the image and of its masks; [] for any
_SHOWN = 3


def changed_keys(begun: Mapping[str, Mapping[str, Any]], now: Config) -> list[str]:
    """The keys whose values differ, as "train.batch 8 -> 4"; those of the machine are left out."""
    return [
        f"{key} {_shown(old)} -> {_shown(new)}"
        for key, old, new in _pairs(begun, now.to_dict())
        if old != new and key not in FREE
    ]


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for table in dict.fromkeys([*first, *second]):
        here, there = first.get(table, {}), second.get(table, {})
        for key in dict.fromkeys([*here, *there]):
            yield f"{table}.{key}", here.get(key), there.get(key)


def _shown(value: Any) -> str:
    return "(none)" if value is None else str(value)


def files_of(dataset: Dataset) -> Files:
    """The size in bytes of every file, from the file system alone; -1 of a file that is not there."""
    return {
        split: {item.name: [_bytes(path) for path in paths_of(item)] for item in items}
        for split, items in dataset.items.items()
    }


def paths_of(item: Item) -> list[Path]:
    """The files of an item: the image, the mask, and those of further classes where they overlap."""
    return [item.image, item.mask, *(path for path in item.layers if path is not None and path != item.mask)]


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def changed_files(begun: Files, now: Files) -> list[str]:
    """What was added, removed or changed in which split, with the first names: "train: 2 images added (a, b)"."""
    changes = []
    for split in dict.fromkeys([*begun, *now]):
        before, after = begun.get(split, {}), now.get(split, {})
        kinds = {
            "added": [name for name in after if name not in before],
            "removed": [name for name in before if name not in after],
            "changed": [name for name in after if before.get(name) and before[name] != after[name]],
        }
        found = [f"{_images(names)} {kind} ({_first(names)})" for kind, names in kinds.items() if names]
        if found:
            changes.append(f"{split}: {', '.join(found)}")
    return changes


def _images(names: list[str]) -> str:
    return f"{len(names)} image{'s' if len(names) > 1 else ''}"


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def expecting_mended(begun: Files, dataset: Dataset, message: str) -> Files:
    """The same with any size for the image whose file `message` names: mended, it will have another one."""
    named = {
        (split, item.name)
        for split, items in dataset.items.items()
        for item in items
        if any(str(path) in message for path in paths_of(item))
    }
    return {
        split: {name: [] if (split, name) in named else sizes for name, sizes in files.items()}
        for split, files in begun.items()
    }
