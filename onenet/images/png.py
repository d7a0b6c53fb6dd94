"""PNG files written row by row, so that an image need never be whole in memory (PNG, third edition, W3C 2025)."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from onenet.images.writing import atomic_write

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE = 0, 2, 3  # colour types
_UP = 2  # the filter that writes differences to the row above
_PIECE = 1 << 18  # bytes of compressed data in one chunk


class PngRows:
    """An open PNG file that takes its rows from top to bottom; made by `png_rows`."""

    def __init__(
        self, file: IO[bytes], size: tuple[int, int], channels: int, colours: Sequence[tuple[int, int, int]]
    ) -> None:
        height, self._width = size
        self._file, self._left, self._channels = file, height, channels
        self._bits = next(bits for bits in (1, 2, 4, 8) if len(colours) <= 1 << bits) if colours else 8
        self._deflate, self._waiting = zlib.compressobj(6), b""
        self._above = np.zeros((1, 3 * self._width), dtype=np.uint8)
        file.write(_SIGNATURE)
        kind = _PALETTE if colours else _GREY if channels == 1 else _RGB
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", self._width, height, self._bits, kind, 0, 0, 0))
        if colours:
            self._chunk(b"PLTE", np.asarray(colours, dtype=np.uint8).tobytes())

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Append rows: (n, w) of greys or of indices into the palette, (n, w, 3) of colours."""
        assert rows.shape[1] == self._width and len(rows) <= self._left, "rows that do not fit the file's size"
        if not len(rows):
            return
        self._left -= len(rows)
        if self._channels == 1:
            lines, kind = packed(rows, self._bits), 0
        else:
            lines, kind = rows.reshape(len(rows), 3 * self._width), _UP
            above = np.concatenate([self._above, lines])
            self._above, lines = above[-1:].copy(), lines - above[:-1]
        filtered = np.empty((len(lines), 1 + lines.shape[1]), dtype=np.uint8)
        filtered[:, 0], filtered[:, 1:] = kind, lines
        self._waiting += self._deflate.compress(filtered.data)
        if len(self._waiting) >= _PIECE:
            self._chunk(b"IDAT", self._waiting)
            self._waiting = b""

    def close(self) -> None:
        """Write what remains; all rows must have come."""
        assert self._left == 0, f"{self._left} rows are missing"
        self._chunk(b"IDAT", self._waiting + self._deflate.flush())
        self._chunk(b"IEND", b"")

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


@contextmanager
def png_rows(
    path: str | Path, size: tuple[int, int], channels: int = 1, colours: Sequence[tuple[int, int, int]] = ()
) -> Iterator[PngRows]:
    """A PNG file of `size` = (height, width) that appears when its last row has been written, or not at all.

    Args:
        path: where it appears.
        size: (height, width).
        channels: 1 for greys or indices, 3 for colours.
        colours: the palette, (r, g, b) for each index; none for an image of greys.

    Raises:
        OneNetError: it cannot be written.
    """
    with atomic_write(path) as file:
        rows = PngRows(file, size, channels, colours)
        yield rows
        rows.close()


def packed(indices: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Indices (n, w) of 1, 2, 4 or 8 bits as bytes, the first pixel in the highest bits, rows filled up."""
    if bits == 8:
        return indices
    count = 8 // bits
    height, width = indices.shape
    spread = np.zeros((height, -(-width // count), count), dtype=np.uint8)
    spread.reshape(height, -1)[:, :width] = indices
    line = np.zeros(spread.shape[:2], dtype=np.uint8)
    for place in range(count):
        line |= spread[..., place] << np.uint8(8 - bits * (place + 1))
    return line
