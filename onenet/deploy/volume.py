"""A volume -> its mask: slice by slice as images, put together again, on the volume's own grid.

The card says how slices are cut, resampled and brought to [0, 1], as they were in training.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet import images
from onenet.deploy.segmenter import Segmenter, chosen, coded, sigmoid, softmax
from onenet.errors import ConfigError, ShapeError
from onenet.volumes import (
    Volume,
    canonical,
    check_finite,
    from_canonical,
    from_slices,
    normalise,
    resample_in_plane,
    resampled_size,
    slices,
)
from onenet.volumes.components import postprocess

_PIXELS = 128 * 128  # of a batch: more make no runtime faster, and INT8 slower, whose numbers then leave the cache

OnSlices = Callable[[int, int], None]


def segment_volume(
    segmenter: Segmenter,
    volume: Volume,
    steps: Mapping[str, Sequence[int]] | None = None,
    on_slices: OnSlices = lambda done, total: None,
) -> NDArray[np.uint8]:
    """The mask (x, y, z) of a volume in its own axes: class indices, or bit codes where classes overlap.

    Args:
        segmenter: of a model that was trained on volumes.
        volume: as it was read.
        steps: of `onenet.volumes.components.postprocess`; None: those of the card.
        on_slices: is told how many slices are done, and how many there are.

    Raises:
        ConfigError: the model was trained on images.
        DataError: the volume has voxels that are no numbers.
        ShapeError: the volume has other channels than the model.
    """
    card = segmenter.card
    if not card.volume:
        raise ConfigError(f"{volume.file}: is a volume, but the model was trained on images; take a model of volumes")
    check_finite(volume)
    turned = canonical(volume)
    axis, seen = int(card.volume["axis"]), 2 * int(card.volume.get("neighbours", 0)) + 1
    array = turned.array if turned.array.ndim == 4 else turned.array[..., None]
    if array.shape[3] * seen != card.in_channels:
        raise ShapeError(f"{volume.file}: has {array.shape[3]} channel(s), but the model takes "
                         f"{card.in_channels // seen}; give it the channels that it was trained with")  # fmt: skip
    stack = slices(normalise(array, card.volume["intensity"]), axis)  # n h w c
    own, size = stack.shape[1:3], network_size(segmenter, turned)
    found = np.empty(stack.shape[:3], dtype=np.uint8)
    many = min(len(stack), max(1, _PIXELS // (size[0] * size[1])))
    for first in range(0, len(stack), many):
        start = min(first, len(stack) - many)  # the last batch is as large as the others: some compile for each size
        logits = _logits(segmenter, stack, range(start, start + many), size, seen // 2)
        for index, each in enumerate(logits, start):
            found[index] = decided(each, own, card.overlapping)
        on_slices(start + many, len(stack))
    mask = from_slices(found, axis)
    steps = card.volume.get("postprocess", {}) if steps is None else steps
    return from_canonical(postprocess(mask, steps, card.background, card.overlapping), volume)


def network_size(segmenter: Segmenter, turned: Volume) -> tuple[int, int]:
    """Rows and columns at which the network sees the slices of a volume in canonical orientation."""
    card = segmenter.card
    axis = int(card.volume["axis"])
    column, row = (other for other in range(3) if other != axis)  # rows follow the later axis, see volumes.slices
    size = (turned.array.shape[row], turned.array.shape[column])
    if target := card.volume.get("spacing"):
        first, second = (float(mm) for mm in target)  # of the other two axes in their order
        size = resampled_size(size, (turned.spacing[row], turned.spacing[column]), (second, first))
    return images.scaled_size(size, card.size) if card.fit == "cover" else size


def decided(logits: NDArray[np.float32], size: tuple[int, int], overlapping: bool) -> NDArray[np.uint8]:
    """Classes or bit codes (h, w) at `size` of logits (k, h', w'): it is the probabilities that are resampled."""
    if logits.shape[1:] == size:
        return coded(logits) if overlapping else chosen(logits)
    probability = sigmoid(logits) if overlapping else softmax(logits)
    probability = resample_in_plane(probability, size)
    return coded(probability - np.float32(0.5)) if overlapping else chosen(probability)


def _logits(
    segmenter: Segmenter, stack: NDArray[np.float32], places: range, size: tuple[int, int], neighbours: int
) -> Any:
    """Logits (k, h, w) of slices, one by one where they are large, else as one batch."""
    wanted = np.arange(places.start - neighbours, places.stop + neighbours).clip(0, len(stack) - 1)
    seen = resample_in_plane(stack[wanted], size).clip(0, 1)  # b h w c
    parts = [seen[shift : shift + len(places)] for shift in range(2 * neighbours + 1)]
    batch = np.concatenate(parts, axis=-1)
    if segmenter.cuts(size):
        return (segmenter.logits(image) for image in batch)
    return segmenter.runner.run(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
