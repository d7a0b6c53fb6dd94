"""PNG written row by row, read back with Pillow."""

import numpy as np
import pytest
from PIL import Image

from onenet.errors import OneNetError
from onenet.images import read_image, read_mask
from onenet.images.png import png_rows

RANDOM = np.random.default_rng(0)


def colours(count):
    return [tuple(map(int, RANDOM.integers(0, 256, 3))) for _ in range(count)]


@pytest.mark.parametrize(("count", "mode"), [(2, "P"), (3, "P"), (5, "P"), (17, "P"), (254, "P"), (256, "P")])
@pytest.mark.parametrize("width", [1, 7, 8, 33])
def test_indices_and_their_colours_come_back(tmp_path, count, mode, width):
    mask, palette = RANDOM.integers(0, count, (21, width), dtype=np.uint8), colours(count)
    with png_rows(tmp_path / "mask.png", mask.shape, colours=palette) as png:
        for first in range(0, 21, 4):
            png.write(mask[first : first + 4])
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == mode
        assert np.array_equal(np.asarray(image.convert("RGB")), np.array(palette, dtype=np.uint8)[mask])
    assert np.array_equal(read_mask(tmp_path / "mask.png"), mask)


@pytest.mark.parametrize("channels", [1, 3])
def test_greys_and_colours_come_back(tmp_path, channels):
    image = RANDOM.integers(0, 256, (50, 31, channels), dtype=np.uint8)
    rows = image if channels == 3 else image[..., 0]
    with png_rows(tmp_path / "image.png", (50, 31), channels) as png:
        for first, last in ((0, 1), (1, 1), (1, 40), (40, 50)):
            png.write(rows[first:last])
    assert np.array_equal(read_image(tmp_path / "image.png", channels), image)


def test_a_long_file_has_several_pieces(tmp_path):
    noise = RANDOM.integers(0, 256, (600, 700, 3), dtype=np.uint8)
    with png_rows(tmp_path / "noise.png", (600, 700), 3) as png:
        for first in range(0, 600, 50):
            png.write(noise[first : first + 50])
    assert (tmp_path / "noise.png").read_bytes().count(b"IDAT") > 2
    assert np.array_equal(read_image(tmp_path / "noise.png", 3), noise)


@pytest.mark.parametrize("rows", [3, 0])
def test_a_file_that_is_not_finished_does_not_appear(tmp_path, rows):
    with pytest.raises(ZeroDivisionError), png_rows(tmp_path / "mask.png", (9, 9), colours=colours(2)) as png:
        png.write(np.zeros((rows, 9), dtype=np.uint8))
        raise ZeroDivisionError
    missing = pytest.raises(AssertionError, match=f"{9 - rows} rows are missing")
    with missing, png_rows(tmp_path / "mask.png", (9, 9)) as png:
        png.write(np.zeros((rows, 9), dtype=np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OneNetError, match=r"mask\.png: cannot be written"),
        png_rows(tmp_path / "file/mask.png", (1, 1)),
    ):
        pass
