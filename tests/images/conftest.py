"""What the tests of deep and many-channel files share."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def check() -> Callable[[Path, np.ndarray], None]:
    """`check(path, expected)`: header and pixels agree with what was written, upright, as (h, w, c)."""
    from onenet.images import channel_count, image_size, read_image

    def compare(path: Path, expected: np.ndarray) -> None:
        assert image_size(path) == expected.shape[:2]
        assert channel_count(path) == expected.shape[2]
        found = read_image(path, expected.shape[2])
        white = 65535 if expected.dtype == np.uint16 else 1
        assert found.dtype == (np.uint8 if expected.dtype == np.uint8 else np.float32)
        assert np.allclose(found, expected.astype(np.float64) / white, atol=1e-6)

    return compare


@pytest.fixture(scope="session")
def png() -> Callable[[np.ndarray], bytes]:
    """`png(pixels)`: a PNG of 16 bits, written by its specification, for Pillow writes none in colour."""

    def write(pixels: np.ndarray) -> bytes:
        height, width, channels = pixels.shape
        header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        packed = [struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
                  for kind, body in chunks]  # fmt: skip
        return b"\x89PNG\r\n\x1a\n" + b"".join(packed)

    return write
