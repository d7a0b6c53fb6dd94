"""TIFF with more pages, bands or bits than a photo has."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from onenet.errors import DataError
from onenet.images import channel_count, read_image

RANDOM = np.random.default_rng(0)
FIVE = RANDOM.integers(0, 256, (6, 4, 5), dtype=np.uint8)
FRACTIONS = RANDOM.random((6, 4, 2)).astype(np.float32)
DEEP = RANDOM.integers(0, 65536, (6, 4, 5), dtype=np.uint16)


def saved(folder, pixels, name="image.tif", **options):
    path = folder / name
    tifffile.imwrite(path, pixels, **options)
    return path


@pytest.mark.parametrize("pixels", [FIVE, DEEP], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"byteorder": ">"}], ids=str)
def test_five_bands_are_five_channels(tmp_path, check, pixels, options):
    check(saved(tmp_path, pixels, photometric="minisblack", planarconfig="contig", **options), pixels)


def test_bands_may_be_stored_one_after_the_other(tmp_path, check):
    path = saved(tmp_path, DEEP.transpose(2, 0, 1), photometric="minisblack", planarconfig="separate")
    check(path, DEEP)


@pytest.mark.parametrize("pixels", [FIVE, DEEP, FRACTIONS], ids=["8 bits", "16 bits", "floats"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"bigtiff": True}], ids=str)
def test_bands_last_in_an_array_are_channels_although_tifffile_writes_rows_as_pages(tmp_path, check, pixels, options):
    tall = np.tile(pixels, (4, 5, 1))  # (24, 20, c): as 24 pages of 20 x c
    path = saved(tmp_path, tall, **options)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 24
    check(path, tall)
    check(saved(tmp_path, tall.transpose(2, 0, 1)), tall)  # bands first are pages as they are


def test_narrow_pages_of_which_nothing_is_noted_are_pages(tmp_path, check):
    pages = np.tile(FIVE, (4, 5, 1))
    check(saved(tmp_path, pages, metadata=None), pages.transpose(1, 2, 0))


def test_three_grey_pages_are_three_channels_and_not_the_first_page_thrice(tmp_path, check):
    path = saved(tmp_path, FIVE.transpose(2, 0, 1)[:3], photometric="minisblack")
    check(path, FIVE[..., :3])


def test_16_bit_colours_keep_their_16_bits(tmp_path, check):
    check(saved(tmp_path, DEEP[..., :3], photometric="rgb"), DEEP[..., :3])


def test_floats_between_0_and_1_are_taken_as_they_are(tmp_path, check):
    check(saved(tmp_path, FRACTIONS, photometric="minisblack", planarconfig="contig"), FRACTIONS)


def test_a_thumbnail_is_not_a_channel(tmp_path, check):
    with tifffile.TiffWriter(tmp_path / "image.tif") as file:
        file.write(DEEP[..., 0], photometric="minisblack")
        file.write(DEEP[::2, ::2, 0], photometric="minisblack", subfiletype=1)
    check(tmp_path / "image.tif", DEEP[..., :1])


def test_bands_of_which_nothing_is_said_are_no_transparency(tmp_path, check):
    """Red, green, blue and near infrared, as drones and satellites have them; and radar's two polarisations."""
    path = saved(tmp_path, FIVE[..., :4], photometric="rgb", extrasamples=["unspecified"])
    check(path, FIVE[..., :4])
    assert np.array_equal(read_image(path, 3), FIVE[..., :3])
    check(saved(tmp_path, FIVE[..., :2], photometric="minisblack", planarconfig="contig"), FIVE[..., :2])


@pytest.mark.parametrize("pixels", [FIVE, DEEP], ids=["8 bits", "16 bits"])
def test_transparency_is_no_channel_unless_it_is_asked_for(tmp_path, pixels):
    white = np.iinfo(pixels.dtype).max
    path = saved(tmp_path, pixels[..., :4], photometric="rgb", extrasamples=["unassalpha"])
    assert channel_count(path) == 3
    for channels in (3, 4):
        found = read_image(path, channels).astype(np.float64)
        assert np.allclose(found / found.max(), pixels[..., :channels] / pixels[..., :channels].max(), atol=1e-6)
    grey = pixels[..., :3] @ [0.299, 0.587, 0.114] / white  # ITU-R 601-2
    found = read_image(path, 1)[..., 0]
    assert np.allclose(found / (1 if found.dtype == np.float32 else 255), grey, atol=1e-6 if white > 255 else 1 / 255)


def test_pages_in_grey_are_no_photo_for_a_model_of_other_channels(tmp_path):
    path = saved(tmp_path, FIVE.transpose(2, 0, 1), photometric="minisblack")
    for channels in (1, 3):
        with pytest.raises(DataError, match=rf"image\.tif: has 5 channels, but the model takes {channels}"):
            read_image(path, channels)


def test_of_two_pages_in_colour_a_model_of_photos_takes_the_first(tmp_path, check):
    pages = RANDOM.integers(0, 256, (2, 6, 4, 3), dtype=np.uint8)
    path = saved(tmp_path, pages, photometric="rgb")
    check(path, np.concatenate(list(pages), axis=2))
    assert np.array_equal(read_image(path, 3), pages[0])


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("pixels", [FIVE[..., 0], DEEP[..., 0], FRACTIONS[..., 0], FIVE[..., :3]], ids=str)
def test_compressed_pages_need_no_other_package(tmp_path, check, compression, pixels):
    pages = [Image.fromarray(pixels), Image.fromarray(pixels[::-1].copy())]
    path = tmp_path / "image.tif"
    pages[0].save(path, compression=compression, save_all=True, append_images=pages[1:])
    check(path, np.concatenate([page.reshape(6, 4, -1) for page in (pixels, pixels[::-1])], axis=2))


def test_a_compression_that_nothing_here_knows_is_named_with_the_package_that_does(tmp_path, monkeypatch):
    path = saved(tmp_path, DEEP, photometric="minisblack", planarconfig="contig")

    def decode(page):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", decode)
    with pytest.raises(DataError, match=r"image\.tif: .*LZW.*pip install imagecodecs") as refusal:
        read_image(path, 5)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("pixels", [FIVE[..., :3], DEEP], ids=["photo", "stack"])
def test_a_tiff_comes_in_upright(tmp_path, check, orientation, pixels):
    """EXIF 2.3, tag 274, by hand: 2 mirrored, 3 turned by half, 4 upside down, 5 transposed, 6 and 8 on a side."""
    turned = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.swapaxes(0, 1), 6: np.rot90(pixels, -1), 7: np.rot90(pixels, 2).swapaxes(0, 1), 8: np.rot90(pixels),
    }[orientation]  # fmt: skip
    photometric = "rgb" if pixels.shape[2] == 3 else "minisblack"
    tag = (274, "H", 1, orientation, True)
    check(saved(tmp_path, pixels, photometric=photometric, planarconfig="contig", extratags=[tag]), turned)


def test_a_damaged_tiff_is_named(tmp_path):
    path = saved(tmp_path, DEEP, photometric="minisblack", planarconfig="contig", compression="zlib")
    content = bytearray(path.read_bytes())
    content[-40:] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"image\.tif: ") as refusal:
        read_image(path, 5)
    assert "\n" not in str(refusal.value)


def test_a_header_that_promises_too_much_does_not_fill_the_memory(tmp_path):
    path = saved(tmp_path, DEEP[..., 0], photometric="minisblack", compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        places = [file.pages[0].tags[tag].valueoffset for tag in (256, 257)]
        assert all(file.pages[0].tags[tag].dtype in (3, 4) for tag in (256, 257))
    for place in places:
        struct.pack_into("<H", content, place, 12000)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"image\.tif: .*12000x12000"):
        read_image(path, 1)
    for place in places:
        struct.pack_into("<H", content, place, 60000)
    path.write_bytes(content)
    with pytest.raises(DataError, match="too large to be read at once; cut it into pieces"):
        read_image(path, 1)


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}, {"rowsperstrip": 7}], ids=str
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_may_be_stored_in_planes_tiles_and_strips(tmp_path, check, planes, options, dtype):
    pixels = RANDOM.integers(0, np.iinfo(dtype).max, (20, 24, 3), dtype=dtype)
    stored = pixels if planes == "contig" else pixels.transpose(2, 0, 1)
    check(saved(tmp_path, stored, photometric="rgb", planarconfig=planes, **options), pixels)


@pytest.mark.parametrize("pixels", [FIVE[..., :3], DEEP[..., :3]], ids=["8 bits", "16 bits"])
def test_a_page_that_says_which_pixels_count_is_not_a_channel(tmp_path, check, pixels):
    """As GDAL writes it beside satellite images."""
    with tifffile.TiffWriter(tmp_path / "image.tif") as file:
        file.write(pixels, photometric="rgb")
        file.write(pixels[..., 0] > 100, photometric="mask", subfiletype=4)
    check(tmp_path / "image.tif", pixels)


def test_a_compression_that_only_pillow_knows_needs_no_other_package(tmp_path, check, monkeypatch):
    path = saved(tmp_path, DEEP[..., 0], photometric="minisblack")

    def decode(page):
        raise ModuleNotFoundError("No module named 'compression'")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", decode)
    check(path, DEEP[..., :1])
