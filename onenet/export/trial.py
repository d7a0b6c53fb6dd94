"""Real images on which an exported file must prove itself, and on which INT8 is calibrated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onenet import images
from onenet.card import Card
from onenet.config import parse_spec
from onenet.data import Dataset, open_dataset
from onenet.deploy.exported import pad_to_stride
from onenet.deploy.morton import to_rows
from onenet.errors import DataError

LEAST = 8  # images that a file is compared on
_MOST, _LONGEST = 12, 384  # so that comparing takes seconds

# Packaged photos and microscope images, for files exported without data of their own.
_PACKAGED = ("pet-small:samples:oxford_pet", "folder:samples:nuclei")

Image = NDArray[np.float32]  # 1 c h w in [0, 1], at the size at which the network works


@dataclass(frozen=True)
class Trial:
    """Images of several sizes, odd ones among them, and what they are."""

    images: tuple[Image, ...]
    source: str

    def of_bytes(self) -> "Trial":
        """The same images as a file gets them that takes bytes: in steps of 1/255."""
        return replace(self, images=tuple(np.round(image * 255) / np.float32(255) for image in self.images))


def trial_images(card: Card, dataset: Dataset | None = None) -> Trial:
    """At least 8 images for a network: of a data set, else packaged ones, else smooth noise.

    Raises:
        DataError: an image of the data set cannot be read, or none where bad ones may be left out.
    """
    if dataset is not None:
        split, found = _first_readable(dataset)
        parts = f"parts of {len(found)} " if len(found) < LEAST else ""
        source = f"{parts}{split} {'image' if len(found) == 1 else 'images'} of {dataset.name}"
    elif card.in_channels in (1, 3):
        sets = [open_dataset(replace(parse_spec(spec), in_channels=card.in_channels)) for spec in _PACKAGED]
        found = [image for one in sets for image in _spread(one, "train", LEAST // 2 + 1)]
        source = "packaged photos and microscope images"
    else:
        random = np.random.default_rng(0)
        found = [_smooth_noise(random, card.in_channels) for _ in range(LEAST)]
        source = f"smooth noise, since no packaged images have {card.in_channels} channels"
    prepared = [prepared_image(image, card) for image in found]
    varied = [_cut(prepared[index % len(prepared)], index) for index in range(max(LEAST, len(prepared)))]
    return Trial(tuple(varied), source)


def calibration_windows(card: Card, dataset: Dataset, count: int = 32, side: int = 256) -> list[Image]:
    """Windows of whole strides from training images, at the scale at which the network works.

    Raises:
        DataError: an image cannot be read, or none where bad ones may be left out.
    """
    side = images.padded_to(side, card.stride)
    windows = []
    for index, image in enumerate(_spread(dataset, "train", count)):
        prepared = prepared_image(image, card)
        h, w = prepared.shape[2:]
        top, left = (index * 37 % max(1, h - side + 1)), (index * 61 % max(1, w - side + 1))
        windows.append(pad_to_stride(prepared[:, :, top : top + side, left : left + side], card.stride))
    if not windows:
        raise _nothing_readable(dataset)
    return windows


def as_rows(image: Image, tile: int) -> NDArray[np.float32]:
    """An image of whole tiles as the rows that the flat form takes."""
    return np.ascontiguousarray(to_rows(image[0].transpose(1, 2, 0), tile))


def prepared_image(image: NDArray, card: Card) -> Image:
    """An image (h, w, c) as a network gets it."""
    if card.fit == "cover":
        image = images.resize(image, images.scaled_size(image.shape[:2], card.size), "bilinear")
    scaled = image.astype(np.float32) / np.float32(255) if image.dtype == np.uint8 else image
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def _first_readable(dataset: Dataset) -> tuple[str, list[NDArray]]:
    """The first split of which something can be read, and images of it."""
    for split in ("test", "val", "train"):
        if dataset.items.get(split) and (found := list(_spread(dataset, split, _MOST))):
            return split, found
    raise _nothing_readable(dataset)


def _nothing_readable(dataset: Dataset) -> DataError:
    return DataError(f"{dataset.name}: none of its images that were tried can be read; see onenet data check")


def _spread(dataset: Dataset, split: str, count: int) -> Iterator[NDArray]:
    """Images from all over a split."""
    items: Sequence = dataset.split(split)
    for place in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)):
        try:
            yield dataset.read(items[place]).image
        except DataError:
            if not dataset.skip_unreadable:
                raise


def _cut(image: Image, index: int) -> Image:
    """A part of an image, of another size each time."""
    h, w = image.shape[2:]
    return image[:, :, : max(1, min(h, _LONGEST) - 5 * (index % 4)), : max(1, min(w, _LONGEST) - 7 * (index % 3))]


def _smooth_noise(random: np.random.Generator, channels: int) -> NDArray[np.float32]:
    coarse = random.random((12, 16, channels), dtype=np.float32)
    return images.resize(coarse, (192, 256), "bilinear").clip(0, 1)
