"""Images of any size, tile by tile, with the logits that the whole image would have had.

    image, padded once to the stride by the networks' own rule (bottom and right, mirrored)
      | cut into blocks of whole strides
      | each with as much around it as the network looks (Halo): its window, clipped to the padded image
    runner -> logits of the window -> those of the block

A window is never padded itself, so that the zeros which convolutions put around an image stand where they stood. All
windows have one shape: at a border they are moved inwards.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onenet.deploy.runner import Halo, Runner
from onenet.errors import ConfigError
from onenet.images import padded_to, reflected

WHOLE = 2048 * 2048  # pixels: images up to this are computed in one piece
SIDE = 256  # of a block, unless something else is asked for
_LOW = 64, 1024  # a block where nothing is repeated: the lower, the less of the image is held at a time
_WIDER, _WIDEST = 4, 768  # blocks are 4 times as long as the network looks, since what lies around them is repeated

Interval = tuple[int, int]
Pixels = NDArray[np.uint8] | NDArray[np.float32]
Finish = Callable[[NDArray], NDArray]


@runtime_checkable
class Rows(Protocol):
    """An image that is read once, from top to bottom."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        ...

    def read(self, count: int) -> Pixels:
        """The next `count` rows (count, w, c), uint8 or float32 in [0, 1]."""
        ...

    def again(self) -> "Rows":
        """The same image from its top."""
        ...


class ArrayRows:
    """An image (h, w, c) in memory, row by row."""

    def __init__(self, image: Pixels) -> None:
        self.size = image.shape[0], image.shape[1]
        self._image, self._next = image, 0

    def read(self, count: int) -> Pixels:
        self._next += count
        return self._image[self._next - count : self._next]

    def again(self) -> "ArrayRows":
        return ArrayRows(self._image)


@dataclass(frozen=True)
class Span:
    """One block of an axis, and the window that it is computed from: [first, one past last) of the padded axis."""

    block: Interval
    window: Interval


def spans(length: int, side: int, before: int, after: int) -> list[Span]:
    """An axis cut into blocks of `side`, with `before` and `after` around them; the windows are equally long."""
    reach = min(before + side + after, length)
    starts = range(0, length, side)
    windows = [min(max(start - before, 0), length - reach) for start in starts]
    return [
        Span((start, min(start + side, length)), (window, window + reach))
        for start, window in zip(starts, windows, strict=True)
    ]


def block_size(halo: Halo, stride: int, side: int | None = None) -> tuple[int, int]:
    """Height and width of blocks: what is asked for, or a usual size, in multiples of the stride.

    Raises:
        ConfigError: a side below 1.
    """
    if side is not None and side < 1:
        raise ConfigError(f"a tile of {side} pixels: must be at least 1")
    looks = max(halo.top, halo.bottom, 0 if halo.whole_rows else max(halo.left, halo.right))
    usual = (max(SIDE, min(_WIDER * looks, _WIDEST)),) * 2 if looks else _LOW
    height, width = (side, side) if side else usual
    return padded_to(height, stride), padded_to(width, stride)


class Tiler:
    """Computes images of any size in tiles.

    Args:
        runner: what computes the network.
        side: of a tile without what lies around it, rounded up to the stride; None for a usual one.
        workers: tiles that are computed at a time; 1 where the runner keeps all cores busy by itself.

    Raises:
        ExportError: the network looks at the whole image, so that tiles would differ from it.
    """

    def __init__(self, runner: Runner, side: int | None = None, workers: int = 1) -> None:
        self.runner, self.stride, self.workers = runner, runner.stride, workers
        halo = runner.halo()
        top, bottom, left, right = (
            padded_to(pixels, self.stride) for pixels in (halo.top, halo.bottom, halo.left, halo.right)
        )
        self.halo = Halo(top, bottom, left, right, halo.whole_rows)
        self.block = block_size(self.halo, self.stride, side)

    def logits(self, image: Pixels) -> NDArray[np.floating] | NDArray[np.integer]:
        """Logits (k, h, w) of an image (h, w, c), in the precision in which the runner gives them."""
        return np.concatenate(list(self.strips(ArrayRows(image), lambda logits: logits)), axis=1)

    def strips(self, rows: Rows, finish: Finish) -> Iterator[NDArray]:
        """Results of an image from top to bottom, strip by strip.

        Args:
            rows: the image.
            finish: logits (k, h, w) of a block to what is kept of them, (..., h, w): their mask, for example.

        Yields:
            (..., h, w) for strips of the image's whole width (of half of it where the network leaves its logits so).
        """
        height, width = rows.size
        down, across = self._plan(height, width)
        band = _Band(rows, self.stride)
        with ThreadPoolExecutor(self.workers, "onenet-tiles") as pool:
            for row in down:
                pixels = band.window(row.window)
                compute = partial(self._one, pixels, row, finish)
                pieces = (map if self.workers == 1 else pool.map)(compute, across)
                strip = np.concatenate(list(pieces), axis=-1)
                factor = (row.block[1] - row.block[0]) // strip.shape[-2]
                kept = -(-(min(row.block[1], height) - row.block[0]) // factor)
                yield strip[..., :kept, : -(-width // factor)]

    def windows(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of what the runner is given at a time for images of `size`."""
        down, across = self._plan(*size)
        return down[0].window[1] - down[0].window[0], across[0].window[1] - across[0].window[0]

    def _plan(self, height: int, width: int) -> tuple[list[Span], list[Span]]:
        h, w = padded_to(height, self.stride), padded_to(width, self.stride)
        down = spans(h, self.block[0], self.halo.top, self.halo.bottom)
        if self.halo.whole_rows:
            return down, [Span((0, w), (0, w))]
        return down, spans(w, self.block[1], self.halo.left, self.halo.right)

    def _one(self, pixels: Pixels, row: Span, finish: Finish, column: Span) -> NDArray:
        """What is kept of one tile; `pixels` are the rows of its window."""
        batch = as_batch(pixels[:, slice(*column.window)])
        logits = self.runner.run(batch)[0]
        factor = batch.shape[2] // logits.shape[1]
        (top, bottom), (left, right) = (
            [(place - span.window[0]) // factor for place in span.block] for span in (row, column)
        )
        return finish(logits[:, top:bottom, left:right])


def as_batch(image: Pixels) -> NDArray[np.float32]:
    """An image (h, w, c) as what networks take, (1, c, h, w) float32 in [0, 1]."""
    batch = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
    return batch / np.float32(255) if image.dtype == np.uint8 else batch


class _Band:
    """The rows that are needed of an image, padded to the stride, and no others."""

    def __init__(self, rows: Rows, stride: int) -> None:
        self._rows, (self._height, width) = rows, rows.size
        self._padded = padded_to(self._height, stride)
        self._places = reflected(self._height, self._padded)
        self._columns = reflected(width, padded_to(width, stride))
        self._mirrored = int(
            self._places[self._height :].min(initial=self._height)
        )  # the first row that is shown twice
        self._held, self._first, self._next = self._columns_padded(rows.read(0)), 0, 0

    def window(self, window: Interval) -> Pixels:
        """Rows [first, one past last) of the padded image, whole padded rows; windows may not go back."""
        places = self._places[slice(*window)]
        first, last = min(int(places.min()), self._mirrored), int(places.max()) + 1
        self._held, self._first = self._held[first - self._first :], first
        if last > self._next:
            new = self._columns_padded(self._rows.read(last - self._next))
            self._held, self._next = np.concatenate([self._held, new]) if len(self._held) else new, last
        start = window[0] - first
        return self._held[start : start + len(places)] if window[1] <= self._height else self._held[places - first]

    def _columns_padded(self, rows: Pixels) -> Pixels:
        return rows if len(self._columns) == rows.shape[1] else rows[:, self._columns]
