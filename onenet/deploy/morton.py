"""Morton (Z) order: the pixels of a square tile so that each quarter, and each quarter of a quarter, stands together.

 0  1  4  5
 2  3  6  7      the first four of a row of pixels in this order are what pixel-unshuffle by 2 stacks,
 8  9 12 13      the first sixteen what it stacks when it is done twice
10 11 14 15
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def morton_order(tile: int) -> NDArray[np.intp]:
    """Places (row * tile + column) of a tile's pixels in Morton order; `tile` is a power of two."""
    order = np.zeros((1, 1), dtype=np.intp)
    while order.shape[0] < tile:  # four copies of the quarter, in the order of reading
        count = order.size
        order = np.block([[order, order + count], [order + 2 * count, order + 3 * count]])
    return np.argsort(order, axis=None)


def to_rows(image: NDArray, tile: int) -> NDArray:
    """Pixels (h, w, c) as rows (h * w, c): tile after tile, in Morton order inside each; h and w are whole tiles."""
    height, width = image.shape[:2]
    strips = image.reshape(height // tile, tile * width, -1)
    return strips[:, _places(width, tile)].reshape(height * width, -1)


def from_rows(rows: NDArray, size: tuple[int, int], tile: int) -> NDArray:
    """The inverse of `to_rows`: an image (h, w, c) of `size` = (h, w)."""
    height, width = size
    strips = np.empty((height // tile, tile * width, rows.shape[1]), rows.dtype)
    strips[:, _places(width, tile)] = rows.reshape(strips.shape)
    return strips.reshape(height, width, -1)


@lru_cache(maxsize=8)
def _places(width: int, tile: int) -> NDArray[np.intp]:
    """Where the rows of one strip of tiles stand in it."""
    row, column = np.divmod(morton_order(tile), tile)
    tiles = np.arange(width // tile)[:, None] * tile
    return (row * width + column + tiles).ravel()
