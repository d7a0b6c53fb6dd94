"""A volume and its mask on one page: slices side by side, the mask tinted and outlined."""

import math

import numpy as np
from numpy.typing import NDArray

from onenet import images
from onenet.card import Card
from onenet.volumes import Volume, canonical, normalise, slices

_TILES, _SIDE = 12, 224  # how many slices at most, and their longer side in pixels


def montage(volume: Volume, mask: NDArray[np.uint8], card: Card) -> NDArray[np.uint8]:
    """Slices (h, w, 3) of a volume with its mask (x, y, z), evenly spread over the part in which there is something.

    Millimetres are as long downwards as across; of several channels the first is shown.
    """
    axis = int(card.volume["axis"])
    turned = canonical(volume)
    array = turned.array if turned.array.ndim == 3 else turned.array[..., 0]
    labels = slices(canonical(Volume(mask, volume.affine, volume.file)).array, axis)
    grey = slices(normalise(array, card.volume["intensity"]), axis)
    nothing = 0 if card.overlapping or card.background is None else card.background
    there = np.flatnonzero((labels != nothing).any(axis=(1, 2)))
    first, last = (there[0], there[-1]) if len(there) else (0, len(labels) - 1)
    shown = np.unique(np.linspace(first, last, min(_TILES, last - first + 1)).round().astype(int))
    column, row = (turned.spacing[other] for other in range(3) if other != axis)
    height, width = labels.shape[1] * row, labels.shape[2] * column
    scale = _SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    tiles = [_tile(grey[index], labels[index], size, card) for index in shown]
    columns = math.ceil(math.sqrt(len(tiles) * size[0] / size[1]))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)])


def _tile(grey: NDArray[np.float32], labels: NDArray[np.uint8], size: tuple[int, int], card: Card) -> NDArray[np.uint8]:
    image = images.resize(np.ascontiguousarray(grey)[..., None], size, "bilinear")
    mask = images.resize(np.ascontiguousarray(labels), size, "nearest")
    if card.overlapping:
        return images.overlay_code(image, mask, card.colours, 0.25)
    return images.overlay(image, mask, card.colours, card.background, 0.25)
