"""The nouns of the data: an Item is a pair of files, a Sample is what is in them, a Dataset is all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from onenet.errors import ConfigError, DataError, did_you_mean
from onenet.images import image_size, lossy, read_image, read_mask

SPLITS = ("train", "val", "test")
T = TypeVar("T", bound="Item")

_MOST_SHOWN = 12


@dataclass(frozen=True)
class Item:
    """An image file and its mask file.

    Attributes:
        labels: raw mask value -> class index of this image alone, where a format needs it (a pet's breed).
        layers: of overlapping classes, a file per class, or None where the class is not in the image; `mask` is then
            the first of them.
    """

    name: str
    image: Path
    mask: Path
    labels: Mapping[int, int] | None = field(default=None, compare=False)
    layers: tuple[Path | None, ...] = ()

    @property
    def images(self) -> tuple[Path, ...]:
        """All files of the image: one, but for volumes with a file per channel."""
        return (self.image,)


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
        in_channels: 1 for grey, 3 for colour, or as many as TIFF and NPY files have.
        labels: mask value on disk -> class index; 255 for values that are not counted.
        encoding: of the mask files, see `onenet.images.read_mask`.
        notes: what a user should be told, a line each.
        absent: classes of which there is no image, as breeds in a part of Oxford Pet.
        value_range: pixel values that become 0 and 1; (0, 0) for the whole range of 8 or 16 bits.
        overlapping: classes may overlap: masks are bit codes, bit i set where class i is.
        skip_unreadable: leave out pairs that cannot be read instead of stopping.
        table: the file that says which classes there are, where one does.
    """

    name: str
    items: Mapping[str, tuple[Item, ...]]
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    background: int | None
    in_channels: int
    labels: Mapping[int, int]
    encoding: str = "index"
    notes: tuple[str, ...] = ()
    absent: tuple[int, ...] = ()
    value_range: tuple[float, float] = (0.0, 0.0)
    overlapping: bool = False
    skip_unreadable: bool = False
    table: Path | None = None

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def in_colour(self) -> bool:
        """Whether the channels are red, green and blue, whose saturation and hue may be varied."""
        return self.in_channels == 3

    def split(self, name: str) -> tuple[Item, ...]:
        """The items of "train", "val" or "test", or of "all".

        Raises:
            ConfigError: no such split.
            DataError: it is empty.
        """
        if name == "all":
            items = {id(item): item for split in SPLITS for item in self.items.get(split, ())}
            return tuple(items.values())  # once each, also those that are trained on and in "val", too
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
        image = read_image(item.image, self.in_channels, self.value_range)
        mask = self.read_mask(item)
        _refuse_other_size(item.mask, mask.shape, image.shape[:2])
        return Sample(item.name, image, mask)

    def read_mask(self, item: Item) -> NDArray[np.uint8]:
        """Read a mask alone, as classes or, where they overlap, as bit codes.

        Raises:
            DataError: the file is unreadable, or a label is not one of `labels`.
        """
        if item.layers:
            return _read_layers(item.layers, self.encoding)
        raw = read_mask(item.mask, self.encoding)
        return to_classes(raw, item.labels or self.labels, item.mask, self.encoding)

    def check_sizes(self, split: str) -> None:
        """Compare the sizes of all images and masks of a split, from their headers alone: quick for any number.

        Raises:
            DataError: a file cannot be opened, or a mask is not as large as its image.
        """
        for item in self.items[split]:
            image = image_size(item.image)
            for mask in dict.fromkeys([item.mask, *filter(None, item.layers)]):
                _refuse_other_size(mask, image_size(mask), image)

    def sources(self, split: str) -> tuple[Item, ...]:
        """The pairs of files that the items of a split are of: the items themselves, but for slices of volumes."""
        return self.split(split)

    def with_foreground(self, items: Sequence[Item]) -> tuple[int, ...]:
        """Which of the items `train.foreground` draws from: none, for each image is drawn as often as the others."""
        return ()

    def telling(self, split: str, count: int) -> tuple[Item, ...]:
        """So many items of a split that are worth a look or a trial: the first ones."""
        return self.split(split)[:count]

    def samples(self, split: str) -> Iterator[Sample]:
        """Read the images of a split one after the other; unreadable ones are left out where `skip_unreadable`."""
        for item in self.split(split):
            try:
                yield self.read(item)
            except DataError:
                if not self.skip_unreadable:
                    raise


def to_classes(
    raw: NDArray[np.integer], labels: Mapping[int, int], file: Path, encoding: str = "index"
) -> NDArray[np.uint8]:
    """Raw mask values as class indices (h, w) uint8.

    Raises:
        DataError: a value is none of `labels`.
    """
    if raw.dtype == np.uint8:  # quick
        values = np.flatnonzero(np.bincount(raw.ravel()))
    else:
        values, places = np.unique(raw, return_inverse=True)
    wrong = [int(value) for value in values if int(value) not in labels]
    if wrong:
        known = ", ".join(shown_value(value, encoding, bare=True) for value in sorted(labels)[:_MOST_SHOWN])
        more = f", ... ({len(labels)} in all)" if len(labels) > _MOST_SHOWN else ""
        raise DataError(f"{file}: the mask holds {shown_value(wrong[0], encoding)}, but the labels are {known}{more}; "
                        "mend or remove the mask")  # fmt: skip
    classes = np.array([labels[int(value)] for value in values], dtype=np.uint8)
    if raw.dtype != np.uint8:
        return classes[places].reshape(raw.shape)
    table = np.zeros(256, dtype=np.uint8)
    table[values] = classes
    return table[raw]


def shown_value(value: int, encoding: str, bare: bool = False) -> str:
    """A raw mask value for a message: "#ff0000" or "the value 4"."""
    return f"#{value:06x}" if encoding == "colour" else str(value) if bare else f"the value {value}"


def _read_layers(layers: Sequence[Path | None], encoding: str) -> NDArray[np.uint8]:
    """Masks of overlapping classes as bit codes; pixels are {0, 1} or {0, 255}."""
    code: NDArray[np.uint8] | None = None
    for bit, file in enumerate(layers):
        if file is None:
            continue
        raw = read_mask(file, encoding)
        there = raw != 0
        strange = raw[there & (raw != raw.max())]
        if strange.size or raw.max() not in (0, 1, 255):
            value = int(strange[0] if strange.size else raw.max())
            advice = "save masks as PNG, JPEG changes them" if lossy(file) else "save it without grey and other labels"
            raise DataError(f"{file}: holds the value {value}, but the mask of one class holds 0 and 255; {advice}")
        if code is None:
            code = np.zeros(there.shape, dtype=np.uint8)
        if there.shape != code.shape:
            raise DataError(f"{file}: is {there.shape[0]}x{there.shape[1]}, but the masks of the other classes are "
                            f"{code.shape[0]}x{code.shape[1]} (height x width); make them the same size")  # fmt: skip
        code |= there.astype(np.uint8) << np.uint8(bit)
    assert code is not None
    return code


def _refuse_other_size(file: Path, mask: tuple[int, ...], image: tuple[int, ...]) -> None:
    if mask != image:
        sizes = f"{mask[0]}x{mask[1]}, but its image is {image[0]}x{image[1]} (height x width)"
        raise DataError(f"{file}: the mask is {sizes}; make them the same size")


def split_items(
    items: Sequence[T], val: float, test: float, seed: int, folds: int = 0, fold: int = 0
) -> dict[str, tuple[T, ...]]:
    """Split at random, reproducibly: shares `val` and `test`, but at least one image each where the share is not 0.

    With `folds` what the test leaves is cut into as many parts of nearly one size, and `fold` (0, 1, ...) is which of
    them validates; the test is the same for every fold.

    Raises:
        ConfigError: there is no such fold, or the shares leave nothing to train on.
        DataError: too few images for that.
    """
    order = [items[i] for i in np.random.default_rng(seed).permutation(len(items))]
    counts = [max(1, round(share * len(items))) if share else 0 for share in (val, test)]
    if folds:
        return _folded(order, counts[1], folds, fold)
    if len(items) - sum(counts) < 1:
        needed = 1 + sum(share > 0 for share in (val, test))
        if len(items) >= needed:
            raise ConfigError(f"data.val={val:g} and data.test={test:g} leave none of {len(items)} images to train on; "
                              "lower them")  # fmt: skip
        uses = "train, validate and test" if needed == 3 else "train and score"
        fewer = "; with data.test=0 two are enough" if val and test else ""
        raise DataError(f"{_where(items)}: {len(items)} image(s) with a mask, but at least {needed} are needed to "
                        f"{uses} on different ones{fewer}")  # fmt: skip
    return _by_name(order[sum(counts) :], order[: counts[0]], order[counts[0] : sum(counts)])


def _folded(order: Sequence[T], test: int, folds: int, fold: int) -> dict[str, tuple[T, ...]]:
    if folds < 2 or fold >= folds:
        raise ConfigError(f"data.folds={folds} and data.fold={fold}: take two folds or more, and one of them, 0 to "
                          f"{max(folds - 1, 1)}")  # fmt: skip
    rest = order[test:]
    if len(rest) < folds:
        raise DataError(f"{_where(order)}: {len(rest)} image(s) to train and validate on cannot make {folds} folds; "
                        "set data.folds lower")  # fmt: skip
    val = rest[fold::folds]
    return _by_name([item for place, item in enumerate(rest) if place % folds != fold], val, order[:test])


def _where(items: Sequence[T]) -> str:
    return str(items[0].image.parent) if items else "the folder"


def _by_name(train: Sequence[T], val: Sequence[T], test: Sequence[T]) -> dict[str, tuple[T, ...]]:
    parts = {"train": train, "val": val, "test": test}
    return {name: tuple(sorted(part, key=lambda item: item.name)) for name, part in parts.items()}
