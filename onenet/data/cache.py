"""The pictures that training reads: from their files each time, or decoded once and kept in one block of memory."""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onenet.data.sample import Dataset, Item
from onenet.data.transforms import Picture, Pixels
from onenet.data.variation import Augmentation
from onenet.errors import DataError
from onenet.images import resize

_ALIGNED = 16  # bytes


class Files:
    """The pictures of `items`, read whenever one is wanted.

    Args:
        dataset: that the items are of.
        items: their files.
        skip: an item that cannot be read is replaced by the next one that can, and recorded.

    Attributes:
        unreadable: what was wrong with the items that could not be read, by index.
    """

    def __init__(self, dataset: Dataset, items: Sequence[Item], skip: bool) -> None:
        self.dataset, self.items, self.skip = dataset, items, skip
        self.unreadable: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Picture:
        """Read the picture of an item, or of the first readable one after it.

        Raises:
            DataError: it cannot be read; with `skip`: none can.
        """
        for place in range(index, index + len(self)):
            picture = self.try_read(place % len(self))
            if picture is not None:
                return picture
        raise self.nothing_readable()

    def try_read(self, index: int) -> Picture | None:
        """None where the item is skipped."""
        if index in self.unreadable:
            return None
        try:
            sample = self.dataset.read(self.items[index])
        except DataError as error:
            if not self.skip:
                raise
            self.unreadable[index] = str(error)
            return None
        return Picture(sample.image, sample.mask, sample.mask.shape)

    def nothing_readable(self) -> DataError:
        """The error where every item was skipped."""
        reason = self.unreadable[min(self.unreadable)]
        return DataError(f"none of the {len(self)} training images can be read, the first: {reason}")


@dataclass(frozen=True)
class Place:
    """Where a picture lies in a block of bytes: image first, mask behind it."""

    start: int
    image: tuple[int, ...]
    dtype: str
    mask: tuple[int, ...]
    shape: tuple[int, int]

    @property
    def image_bytes(self) -> int:
        return math.prod(self.image) * np.dtype(self.dtype).itemsize

    @property
    def end(self) -> int:
        return self.start + self.image_bytes + math.prod(self.mask)

    def views(self, block: NDArray[np.uint8]) -> tuple[NDArray, NDArray[np.uint8]]:
        """Image and mask as they lie in the block; writing into them fills it."""
        middle = self.start + self.image_bytes
        image = block[self.start : middle].view(self.dtype).reshape(self.image)
        return image, block[middle : self.end].reshape(self.mask)


def decode_all(files: Files, augmentation: Augmentation) -> list[Picture | None]:
    """Read every picture, no larger than training can use it; None where it is skipped.

    Raises:
        DataError: one cannot be read (with `files.skip`: none can), or the memory does not suffice.
    """

    def decode(index: int) -> Picture | None:
        picture = files.try_read(index)
        return None if picture is None else reduced(picture, augmentation)

    with ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1))) as pool:  # Pillow decodes outside the interpreter lock
        tasks = [pool.submit(decode, index) for index in range(len(files))]
        try:
            pictures = [task.result() for task in tasks]
        except MemoryError:
            raise DataError(f"{files.dataset.name}: {len(files)} decoded images do not fit into memory; "
                            "use data.cache=none") from None  # fmt: skip
        finally:
            for task in tasks:
                task.cancel()
    if not any(pictures):
        raise files.nothing_readable()
    return pictures


def reduced(picture: Picture, augmentation: Augmentation) -> Picture:
    """The picture at the size at which the nearest zoom shows it, where it is larger than that."""
    zoom = augmentation.largest_zoom(picture.shape)
    if zoom >= 1:
        return picture
    size = max(1, math.ceil(picture.shape[0] * zoom)), max(1, math.ceil(picture.shape[1] * zoom))
    image, mask = resize(picture.image, size), resize(picture.mask, size, "nearest")
    return dataclasses.replace(picture, image=image, mask=mask)


def readable_instead(pictures: Sequence[Picture | None]) -> list[int]:
    """Per item its own index, or that of the next one that could be read."""
    readable = np.array([index for index, picture in enumerate(pictures) if picture is not None])
    after = np.searchsorted(readable, np.arange(len(pictures))) % len(readable)
    return [int(index) for index in readable[after]]


def pack(
    pictures: list[Picture | None], allocate: Callable[[int], NDArray[np.uint8]]
) -> tuple[NDArray[np.uint8], list[Place]]:
    """Move pictures into one block of memory, a place per item; the list is emptied on the way, to need no more of it.

    Args:
        pictures: as `decode_all` gives them.
        allocate: makes a block of so many bytes.
    """
    places: dict[int, Place] = {}
    end = 0
    for index, picture in enumerate(pictures):
        if picture is not None:
            start = -(-end // _ALIGNED) * _ALIGNED
            image = picture.image
            places[index] = Place(start, image.shape, image.dtype.str, picture.mask.shape, picture.shape)
            end = places[index].end
    instead = readable_instead(pictures)
    block = allocate(end)
    for index, place in places.items():
        picture = pictures[index]
        assert picture is not None
        for view, pixels in zip(place.views(block), (picture.image, picture.mask), strict=True):
            view[...] = pixels
        pictures[index] = None
    return block, [places[index] for index in instead]


def describe_memory(count: int, amount: int, kept: str) -> str:
    """The line that tells a user what a cache costs."""
    return f"data.cache={kept}: {count} images take {amount / 2**20:,.0f} MiB"


def as_picture(place: Place, block: NDArray[np.uint8]) -> Picture:
    """A picture that lies in a block."""
    image, mask = place.views(block)
    pixels: Pixels = image
    return Picture(pixels, mask, place.shape)
