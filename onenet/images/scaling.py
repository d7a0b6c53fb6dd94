"""Images scaled as they come in, from top to bottom: what `resize` makes of the whole image, to a grey level."""

import math

import numpy as np
from numpy.typing import NDArray

from onenet.images.geometry import resize

_MOST = 64  # rows that are made at a time


class RowScaler:
    """Takes an image's rows and gives those of the scaled image that can be told by then (bilinear, antialiased).

    Args:
        source, target: (height, width) of the image, and of what it shall become.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        self.source, self.target = source, target
        self._factor = source[0] / target[0]
        self._reach = math.ceil(max(self._factor, 1.0)) + 1  # rows that a scaled row looks up and down
        self._held: NDArray | None = None
        self._first = self._come = self._made = 0

    def push(self, rows: NDArray) -> NDArray:
        """The next rows (n, w, c) of the image in, the next ones (m, w', c) of the scaled image out; m can be 0."""
        self._come += len(rows)
        if self.source == self.target:
            return rows
        self._held = rows if self._held is None or not len(self._held) else np.concatenate([self._held, rows])
        whole = self._come == self.source[0]
        ready = self.target[0] if whole else max(int((self._come - self._reach) / self._factor), self._made)
        parts = [self._scaled(a, min(a + _MOST, ready)) for a in range(self._made, ready, _MOST)]
        self._made = ready
        self._forget(int(self._made * self._factor) - self._reach)
        return np.concatenate(parts) if parts else np.empty((0, self.target[1], rows.shape[2]), rows.dtype)

    def _scaled(self, first: int, last: int) -> NDArray:
        assert self._held is not None
        box = (0.0, first * self._factor - self._first, float(self.source[1]), last * self._factor - self._first)
        return resize(self._held, (last - first, self.target[1]), "bilinear", box)

    def _forget(self, first: int) -> None:
        assert self._held is not None
        unused = min(max(first - self._first, 0), len(self._held))
        self._held = self._held[unused:].copy()
        self._first += unused
