"""The overlay of an image whose rows and whose mask's rows come in strips."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from onenet import images
from onenet.card import Card
from onenet.images.scaling import RowScaler

_FULL, _REDUCED = 8192, 2048  # pixels of the longer side: up to the first it keeps its size, else it has the second
_STRIP = 32  # rows that are drawn at a time


def overlay_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size at which an image's overlay is written: its own, or a smaller one where it is very large."""
    longer = max(size)
    if longer <= _FULL:
        return size
    height, width = (max(1, round(side * _REDUCED / longer)) for side in size)
    return height, width


class Overlay:
    """Draws an image's overlay as its rows and those of its mask come in, which need not be at the same time.

    Args:
        write: is given the drawn rows (n, w, 3), from top to bottom.
        source, size: (height, width) of the image, and of the overlay.
        card: classes and colours.
    """

    def __init__(
        self,
        write: Callable[[NDArray[np.uint8]], None],
        source: tuple[int, int],
        size: tuple[int, int],
        card: Card,
    ) -> None:
        self._write, self._card, self._scaler = write, card, RowScaler(source, size)
        picked = [(np.arange(new) * 2 + 1) * old // (2 * new) for old, new in zip(source, size, strict=True)]
        self._rows, self._columns = picked  # the mask's rows and columns that are shown
        self._come = 0
        self._image, self._mask = _Waiting(), _Waiting()
        self._above = 0  # rows that wait only to be seen from below: 0 or 1

    def add_image(self, rows: NDArray) -> None:
        """The next rows (n, w, c) of the image."""
        self._image.add(images.shown(self._scaler.push(rows)))
        self._draw()

    def add_mask(self, rows: NDArray[np.uint8]) -> None:
        """The next rows (n, w) of the mask."""
        first, last = np.searchsorted(self._rows, [self._come, self._come + len(rows)])
        self._mask.add(rows[self._rows[first:last] - self._come][:, self._columns])
        self._come += len(rows)
        self._draw()

    def finish(self) -> None:
        """Draw what is left, the last row of all."""
        self._draw(last=True)

    def _draw(self, last: bool = False) -> None:
        """Draw the rows whose neighbours have come too, since outlines depend on them."""
        while True:
            count = min(self._image.count, self._mask.count)
            ready = min(count - self._above - (0 if last and count <= _STRIP else 1), _STRIP)
            if ready < 1:
                return
            below = min(self._above + ready + 1, count)
            drawn = self._drawn(self._image.first(below), self._mask.first(below))
            self._write(drawn[self._above : self._above + ready])
            used = self._above + ready - 1  # the last drawn row stays, to be seen from below
            self._image.drop(used)
            self._mask.drop(used)
            self._above = 1

    def _drawn(self, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        card = self._card
        if card.overlapping:
            return images.overlay_code(image, mask, card.colours)
        return images.overlay(image, mask, card.colours, card.background)


class _Waiting:
    """Rows that have come and have not been drawn."""

    def __init__(self) -> None:
        self._parts: list[NDArray] = []
        self.count = 0

    def add(self, rows: NDArray) -> None:
        if len(rows):
            self._parts.append(rows)
            self.count += len(rows)

    def first(self, count: int) -> NDArray:
        taken: list[NDArray] = []
        for part in self._parts:
            taken.append(part[: count - sum(map(len, taken))])
        return np.concatenate(taken)

    def drop(self, count: int) -> None:
        self.count -= count
        while count and len(self._parts[0]) <= count:
            count -= len(self._parts.pop(0))
        if count:
            self._parts[0] = self._parts[0][count:]
