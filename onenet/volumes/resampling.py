"""Slices at another spacing. The first and the last pixel's outer edges stay where they are, whatever lies between."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Size = tuple[int, int]


def resampled_size(size: Size, spacing: tuple[float, float], target: tuple[float, float]) -> Size:
    """Rows and columns of slices whose pixels are to be `target` millimetres high and wide."""
    rows, columns = (max(1, round(n * mm / to)) for n, mm, to in zip(size, spacing, target, strict=True))
    return rows, columns


def resample_in_plane(images: NDArray[Any], size: Size, labels: bool = False) -> NDArray[Any]:
    """Slices (n, h, w[, c]) as (n, *size[, c]).

    Args:
        images: numbers; float32 comes out unless they are labels.
        size: rows and columns.
        labels: take the nearest pixel instead of interpolating linearly (shrinking, over all pixels that are met).
    """
    if images.shape[1:3] == size:
        return images if labels else images.astype(np.float32, copy=False)
    if labels:
        rows, columns = (_nearest(length, wanted) for length, wanted in zip(images.shape[1:3], size, strict=True))
        return images[:, rows][:, :, columns]
    found = np.empty((images.shape[0], *size, *images.shape[3:]), dtype=np.float32)
    for index in np.ndindex(images.shape[0], *images.shape[3:]):
        n, *channel = index
        plane = Image.fromarray(np.ascontiguousarray(images[(n, slice(None), slice(None), *channel)], np.float32))
        resized = plane.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        found[(n, slice(None), slice(None), *channel)] = np.asarray(resized)
    return found


def _nearest(length: int, wanted: int) -> NDArray[np.int64]:
    """For each pixel of a row of `wanted` the one of `length` in which its centre lies."""
    return ((np.arange(wanted) + 0.5) * (length / wanted)).astype(np.int64)
