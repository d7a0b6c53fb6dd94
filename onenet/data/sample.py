"""The nouns of the data: an Item is a pair of files, a Sample is what is in them, a Dataset is all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.card import default_classes, default_colours
from onenet.errors import ConfigError, DataError, did_you_mean
from onenet.images import IGNORED, image_size, read_image, read_mask

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """An image file and its mask file."""

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Sample:
    """One image (h, w, c), uint8 or float32 in [0, 1], with its mask (h, w) uint8, 255 where nothing is counted.

    The mask holds class indices, or bit codes where classes overlap.
    """

    name: str
    image: NDArray[np.uint8] | NDArray[np.float32]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class Dataset:
    """Images with masks, split into train, val and test.

    Attributes:
        name: of the data, without its path.
        items: per split, in a fixed order.
        classes, colours, background: as in the card.
        in_channels: 1 or 3.
        labels: mask value on disk -> class index; 255 for values that are not counted.
        notes: what a user should be told, a line each.
        value_range: pixel values that become 0 and 1; (0, 0) for the whole range of 8 or 16 bits.
        overlapping: classes may overlap: masks are bit codes, bit i set where class i is.
        skip_unreadable: leave out pairs that cannot be read instead of stopping.
    """

    name: str
    items: Mapping[str, tuple[Item, ...]]
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    background: int | None
    in_channels: int
    labels: Mapping[int, int]
    notes: tuple[str, ...] = ()
    value_range: tuple[float, float] = (0.0, 0.0)
    overlapping: bool = False
    skip_unreadable: bool = False

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def split(self, name: str) -> tuple[Item, ...]:
        """The items of "train", "val" or "test", or of "all".

        Raises:
            ConfigError: no such split.
            DataError: it is empty.
        """
        if name == "all":
            return tuple(item for split in SPLITS for item in self.items.get(split, ()))
        if name not in SPLITS:
            raise ConfigError(f"unknown split {name!r}: {did_you_mean(name, [*SPLITS, 'all'])}")
        if not self.items.get(name):
            raise DataError(f"{self.name}: the split {name} is empty; choose another with --split")
        return self.items[name]

    def read(self, item: Item) -> Sample:
        """Read a pair of files.

        Raises:
            DataError: a file is unreadable, the sizes differ, or a label is not one of `labels`.
        """
        image = read_image(item.image, self.in_channels)
        raw = read_mask(item.mask)
        _refuse_other_size(item, raw.shape, image.shape[:2])
        return Sample(item.name, image, self._to_classes(raw, item))

    def check_sizes(self, split: str) -> None:
        """Compare the sizes of all images and masks of a split, from their headers alone: quick for any number.

        Raises:
            DataError: a file cannot be opened, or a mask is not as large as its image.
        """
        for item in self.items[split]:
            _refuse_other_size(item, image_size(item.mask), image_size(item.image))

    def samples(self, split: str) -> Iterator[Sample]:
        """Read the images of a split one after the other."""
        return (self.read(item) for item in self.split(split))

    def _to_classes(self, raw: NDArray[np.integer], item: Item) -> NDArray[np.uint8]:
        values = np.flatnonzero(np.bincount(raw.ravel())) if raw.dtype == np.uint8 else np.unique(raw)  # fast, general
        wrong = [int(value) for value in values if int(value) not in self.labels]
        if wrong:
            known = ", ".join(map(str, sorted(self.labels)))
            raise DataError(f"{item.mask}: the mask holds the value {wrong[0]}, but the labels are {known}")
        table = np.full(int(values.max()) + 1, IGNORED, dtype=np.uint8)
        for value in values:
            table[value] = self.labels[int(value)]
        return table[raw]


def _refuse_other_size(item: Item, mask: tuple[int, ...], image: tuple[int, ...]) -> None:
    if mask != image:
        sizes = f"{mask[0]}x{mask[1]}, but its image is {image[0]}x{image[1]} (height x width)"
        raise DataError(f"{item.mask}: the mask is {sizes}; make them the same size")


def describe_classes(count: int, names: Sequence[str], background: int | None) -> dict[str, Any]:
    """The `classes`, `colours` and `background` of a Dataset, from what the configuration says.

    Raises:
        ConfigError: there are not as many names as classes, or the background is none of them.
    """
    if names and len(names) != count:
        raise ConfigError(f"data.class_names has {len(names)} names, but the masks have {count} classes")
    if background is not None and background >= count:
        raise ConfigError(f"data.background={background}: there are {count} classes, counted from 0; use -1 for none")
    classes = tuple(names) or default_classes(count, background)
    return {"classes": classes, "colours": default_colours(count, background), "background": background}


def split_items(items: Sequence[Item], val: float, test: float, seed: int) -> dict[str, tuple[Item, ...]]:
    """Split at random, reproducibly: shares `val` and `test`, but at least one image each where the share is not 0.

    Raises:
        DataError: too few images for that.
    """
    order = [items[i] for i in np.random.default_rng(seed).permutation(len(items))]
    counts = [max(1, round(share * len(items))) if share else 0 for share in (val, test)]
    if len(items) - sum(counts) < 1:
        needed = 1 + sum(share > 0 for share in (val, test))
        where = items[0].image.parent if items else "the folder"
        raise DataError(f"{where}: {len(items)} image(s) with a mask, but at least {needed} are needed to train, "
                        "validate and test on different ones")  # fmt: skip
    kept = {"train": order[sum(counts) :], "val": order[: counts[0]], "test": order[counts[0] : sum(counts)]}
    return {name: tuple(sorted(part, key=lambda item: item.name)) for name, part in kept.items()}
