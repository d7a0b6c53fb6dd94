"""How far a score could have come out otherwise with other images of the same kind: the bootstrap over images.

Efron 1979: draw as many images as there are, with replacement, sum their pixel counts and compute the score; do that
many times; the middle 95 % of what comes out is the interval. It tells of the choice of test images, not of the choice
of training images or of the seed.
"""

import numpy as np
from numpy.typing import NDArray

from onenet.metrics.confusion import iou_of

RESAMPLES = 1000
LEVEL = 0.95
_AT_ONCE = 50  # resamples, so that thousands of images need little memory


def iou_intervals(
    sizes: NDArray[np.int64], background: int | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """The interval (low, high) of `mean_iou` and of `foreground_iou`; none for fewer than two images.

    Args:
        sizes: (n, 3, k) of every image, as `confusion.areas` gives them: all that an IoU needs of a matrix.
        background: the class that `foreground_iou` leaves out.
    """
    if len(sizes) < 2:
        return {}
    generator = np.random.default_rng(seed)
    means = [
        _means(_resampled(sizes, min(_AT_ONCE, resamples - start), generator), background)
        for start in range(0, resamples, _AT_ONCE)
    ]
    edges = 100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2
    found = {}
    for name, values in zip(("mean_iou", "foreground_iou"), np.concatenate(means, axis=1), strict=True):
        values = values[~np.isnan(values)]
        if values.size:
            low, high = np.percentile(values, edges)
            found[name] = (float(low), float(high))
    return found


def mean_interval(values: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float] | None:
    """The interval (low, high) of the mean of one number per case, NaN left out; None for fewer than two numbers."""
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return None
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(known), np.full(len(known), 1 / len(known)), size=resamples)
    low, high = np.percentile(drawn @ known / len(known), (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2))
    return float(low), float(high)


def _resampled(sizes: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """The summed areas (count, 3, k) of as many resamples: how often each image is drawn, times its areas."""
    images = len(sizes)
    drawn = generator.multinomial(images, np.full(images, 1 / images), size=count).astype(np.float64)
    return (drawn @ sizes.reshape(images, -1).astype(np.float64)).reshape(count, *sizes.shape[1:])


def _means(sizes: NDArray[np.float64], background: int | None) -> NDArray[np.float64]:
    """Mean IoU over all classes and without the background, (2, count); NaN where no class occurs."""
    ious = iou_of(sizes)
    without = ious if background is None else np.delete(ious, background, axis=1)
    rows = []
    for values in (ious, without):
        known = ~np.isnan(values)
        count = known.sum(axis=1)
        total = np.where(known, values, 0).sum(axis=1)
        rows.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return np.stack(rows)
