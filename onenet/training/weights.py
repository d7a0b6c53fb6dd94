"""Weights for classes of unequal size, from the number of their pixels in the training masks."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from onenet.data.sample import Dataset, Item
from onenet.errors import DataError
from onenet.images import IGNORED


def class_frequencies(dataset: Dataset, items: Sequence[Item]) -> NDArray[np.int64]:
    """Counted pixels of each class in the masks of `items`; a pixel counts for every class that overlaps there.

    Only masks are read, by several threads.

    Raises:
        DataError: a mask cannot be read (those are left out where `dataset.skip_unreadable`), or none of their
            pixels is of any class.
    """

    def count(item: Item) -> NDArray[np.int64]:
        try:
            codes = np.bincount(dataset.read_mask(item).ravel(), minlength=IGNORED + 1)
        except DataError:
            if not dataset.skip_unreadable:
                raise
            return np.zeros(dataset.num_classes, np.int64)
        if not dataset.overlapping:
            return codes[: dataset.num_classes]
        code = np.arange(IGNORED)
        return np.array([codes[:IGNORED][(code >> bit) & 1 == 1].sum() for bit in range(dataset.num_classes)])

    with ThreadPoolExecutor() as threads:
        counts = sum(threads.map(count, items), start=np.zeros(dataset.num_classes, np.int64))
    if not counts.any():
        raise DataError(f"{dataset.name}: no pixel of the training masks is of any class; see `onenet data check`")
    return counts


def balance_weights(counts: Sequence[int] | NDArray[np.integer], kind: str) -> tuple[float, ...]:
    """One weight per class for the cross-entropy, from the number of its pixels.

    none      1 each.
    inverse   1 / frequency, scaled to a mean of 1 over the classes that occur. Median frequency balancing over all
              pixels is the same up to that scale, which a weighted mean does not see; the mean of 1 keeps the weights
              comparable with the other kinds. A class that never occurs has weight 0: there is nothing to learn it
              from, and 1 / 0 would leave no weight for the others.
    enet      1 / ln(1.02 + frequency), as published (Paszke et al. 2016, "ENet"): from 1.4 for a class that is
              everywhere to 50.5 for one that never occurs.
    """
    frequency = np.asarray(counts, np.float64) / max(1, np.sum(counts))
    if kind == "inverse":
        present = frequency > 0
        weights = np.divide(1, frequency, out=np.zeros_like(frequency), where=present)
        weights = weights / (weights[present].mean() if present.any() else 1)
    elif kind == "enet":
        weights = 1 / np.log(1.02 + frequency)
    else:
        weights = np.ones_like(frequency)
    return tuple(weights.tolist())
