"""PNG of 16 bits in colour, and PGM and PPM of more than 8 bits."""

import struct
import zlib

import numpy as np
import pytest

from onenet.errors import DataError
from onenet.images import channel_count, image_size, read_image, read_mask

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (6, 4, 5), dtype=np.uint16)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_of_16_bits_keeps_them_in_colour_too(tmp_path, check, png, channels):
    pixels = DEEP[..., :channels]
    (tmp_path / "deep.png").write_bytes(png(pixels))
    opaque = pixels[..., : 1 if channels < 3 else 3]
    check(tmp_path / "deep.png", opaque)
    found = read_image(png(pixels), opaque.shape[2], (0.0, 4095.0))
    assert np.allclose(found, np.minimum(opaque / 4095, 1), atol=1e-6)
    if channels == 4:
        assert np.allclose(read_image(png(pixels), 4), pixels / 65535, atol=1e-6)


def test_a_deep_png_comes_in_upright(tmp_path, check, png):
    exif = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 274, 3, 1, 6, 0)
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    whole = png(DEEP[..., :3])
    (tmp_path / "deep.png").write_bytes(whole[:33] + chunk + whole[33:])  # after the header
    check(tmp_path / "deep.png", np.rot90(DEEP[..., :3], -1))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_netpbm_image_of_12_bits_has_the_numbers_of_its_file(tmp_path, channels):
    pixels = DEEP[..., :channels] % 4096
    path = tmp_path / ("a.ppm" if channels == 3 else "a.pgm")
    head = f"P{6 if channels == 3 else 5}\n# a camera\n4 6\n4095\n".encode()
    path.write_bytes(head + pixels.astype(">u2").tobytes())
    assert image_size(path) == (6, 4) and channel_count(path) == channels
    assert np.allclose(read_image(path, channels, (0.0, 4095.0)), pixels / 4095, atol=1e-6)
    if channels == 1:
        assert read_mask(path).tolist() == pixels[..., 0].tolist()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="truncated"):
        read_image(path, channels)


@pytest.mark.parametrize("size", ["0 0", "0 5", "4 0"])
def test_a_netpbm_image_without_pixels_is_no_image(tmp_path, size):
    path = tmp_path / "a.pgm"
    path.write_bytes(f"P5 {size} 4095\n".encode())
    for read in (lambda file: read_image(file, 1), read_mask, image_size, channel_count):
        with pytest.raises(DataError, match=r"a\.pgm: "):
            read(path)
