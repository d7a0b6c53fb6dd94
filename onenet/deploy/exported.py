"""Exported graphs as runners: images in, logits out, whatever the graph itself takes and gives."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.deploy.description import Description
from onenet.deploy.morton import from_rows, to_rows
from onenet.deploy.runner import Halo
from onenet.deploy.runtime import Session
from onenet.errors import DataError, ExportError
from onenet.images import padded_to, reflected

BLOCK = 4096  # rows of the flat form that are computed at a time: their activations stay in the cache

PROBABILITIES = ("sigmoid", "softmax")  # what a graph may give instead of logits

_CERTAIN = 30.0  # the logit of the class that was decided, where a graph gives nothing but decisions


class ImageRunner:
    """A graph of images: padded to whole strides before, cropped after, by the rule of the network itself."""

    def __init__(
        self, session: Session, card: Card, description: Description, find_halo: Callable[[], Halo] | None = None
    ) -> None:
        self.session, self.card, self.description = session, card, description
        self.stride, self._halo, self._find_halo = card.stride, description.halo, find_halo
        self.decided = description.output == "classes"

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        h, w = images.shape[2:]
        padded = pad_to_stride(images, self.stride)
        if self.description.input == "bytes":
            padded = (padded * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
        values = self.session(np.ascontiguousarray(padded))
        if self.decided:
            values = as_logits(values, self.card)
        elif self.description.output in PROBABILITIES:
            values = from_probabilities(values, self.description.output)
        if values.shape[1] == 1 and self.card.num_classes == 2:  # one logit, of what is not background
            values = np.concatenate([np.zeros_like(values), values], axis=1)
        factor, left = divmod(padded_to(h, self.stride), values.shape[2])  # 2 where logits are left at half size
        if left or factor * values.shape[3] != padded_to(w, self.stride):
            size = f"{values.shape[2]}x{values.shape[3]}"
            raise DataError(f"the model gives logits of {size} for an image of {padded_to(h, self.stride)}x"
                            f"{padded_to(w, self.stride)}; their sizes must be equal, or a whole fraction")  # fmt: skip
        return values[:, :, : -(-h // factor), : -(-w // factor)]

    def halo(self) -> Halo:
        if self._halo is None:
            if self._find_halo is None:
                raise ExportError("how far this graph looks is not known")
            self._halo = self._find_halo()
        return self._halo


class FlatRunner:
    """A graph of rows: the pixels of whole tiles in Morton order, block by block, the blocks on all cores."""

    def __init__(self, session: Session, card: Card, description: Description, threads: int) -> None:
        self.session, self.card, self.description = session, card, description
        self.stride, self.tile = card.stride, description.tile
        self.block = block_rows(self.tile)
        self._threads = ThreadPoolExecutor(threads, "onenet-rows") if threads > 1 else None

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        h, w = images.shape[2:]
        padded = pad_to_stride(images, self.stride)
        size = padded.shape[2], padded.shape[3]
        logits = [self._one(image.transpose(1, 2, 0), size) for image in padded]
        factor = size[0] // logits[0].shape[1]
        return np.stack([planes[:, : -(-h // factor), : -(-w // factor)] for planes in logits])

    def halo(self) -> Halo:
        return Halo()

    def _one(self, image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        rows = to_rows(image, self.tile)
        starts = range(0, len(rows), self.block)
        compute = self._threads.map if self._threads and len(starts) > 1 else map
        values = np.concatenate(list(compute(lambda start: self._values(rows[start : start + self.block]), starts)))
        shrunk = 2 if len(values) < len(rows) else 1
        logits = from_rows(values, (size[0] // shrunk, size[1] // shrunk), self.tile // shrunk)
        return logits.transpose(2, 0, 1)

    def _values(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of at most a block of rows; a shorter one is filled up, so that all have one shape."""
        missing = self.block - len(rows)
        if missing == 0:
            return self.session(rows)
        values = self.session(np.concatenate([rows, np.zeros((missing, rows.shape[1]), rows.dtype)]))
        return values[: len(values) * len(rows) // self.block]


def block_rows(tile: int) -> int:
    """Rows of the flat form that are computed at a time: whole tiles, at least one."""
    return max(1, BLOCK // tile**2) * tile**2


def pad_to_stride(images: NDArray, stride: int) -> NDArray:
    """Images (b, c, h, w) with mirrored rows and columns appended until both sizes are multiples of `stride`."""
    for axis in (2, 3):
        length = images.shape[axis]
        padded = padded_to(length, stride)
        if padded != length:
            images = images.take(reflected(length, padded), axis=axis)
    return images


def from_probabilities(values: NDArray[np.float32], made_by: str) -> NDArray[np.float32]:
    """Logits that a "sigmoid", of each class by itself, or a "softmax" over all of them, would turn into `values`."""
    least = np.float32(1e-7)
    sure = np.log(np.maximum(values, least))
    return sure - np.log(np.maximum(1 - values, least)) if made_by == "sigmoid" else sure


def as_logits(classes: NDArray[np.uint8], card: Card) -> NDArray[np.float32]:
    """Decisions (b, h, w) as logits (b, k, h, w) that are sure of them."""
    index = np.arange(card.num_classes, dtype=np.uint8)[:, None, None]
    there = (classes[:, None] >> index & 1 == 1) if card.overlapping else classes[:, None] == index
    return np.where(there, np.float32(_CERTAIN), np.float32(-_CERTAIN))
