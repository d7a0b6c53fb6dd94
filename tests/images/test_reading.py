"""Pixels come in upright and unchanged, whatever the file; what is no image is named in one line."""

import gc
import io
import struct

import numpy as np
import pytest
from PIL import Image

from onenet.errors import DataError
from onenet.images import image_size, read_image, read_mask, to_channels

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (3, 5, 3), dtype=np.uint8)


def saved(folder, image, name="image.png", **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".ppm"])
def test_a_photo_is_read_as_it_was_written(tmp_path, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = saved(tmp_path, PHOTO, f"photo{suffix}", **options)
    assert np.array_equal(read_image(path, 3), PHOTO)
    assert np.array_equal(read_image(str(path), 3), PHOTO)
    assert np.array_equal(read_image(path.read_bytes(), 3), PHOTO)


@pytest.mark.parametrize("suffix", [".gif", ".jpg"])
def test_a_photo_in_a_lossy_format_is_read_nearly_so(tmp_path, suffix):
    plain = np.full((16, 16, 3), (200, 100, 50), dtype=np.uint8)
    found = read_image(saved(tmp_path, plain, f"photo{suffix}"), 3)
    assert np.abs(found.astype(int) - plain).max() <= 3


def test_a_grey_model_gets_one_channel_and_a_colour_model_three(tmp_path):
    grey = RANDOM.integers(0, 256, (4, 6), dtype=np.uint8)
    path = saved(tmp_path, grey)
    assert np.array_equal(read_image(path, 1), grey[..., None])
    assert np.array_equal(read_image(path, 3), np.dstack([grey] * 3))


def test_channels_that_no_image_file_has_are_refused_with_its_name(tmp_path):
    with pytest.raises(DataError, match=r"photo\.png: has 3 channels, but the model takes 4"):
        read_image(saved(tmp_path, PHOTO, "photo.png"), 4)


# What EXIF 2.3 says of tag 274: where the first stored row and the first stored column are seen.
ORIENTATIONS = {
    1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
    5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
}  # fmt: skip


def as_seen(stored, first_row, first_column):
    if first_row in ("left", "right"):
        stored, first_row, first_column = stored.swapaxes(0, 1), first_column, first_row
    stored = stored[::-1] if first_row == "bottom" else stored
    return stored[:, ::-1] if first_column == "right" else stored


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_photo_comes_in_upright(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path, PHOTO, f"photo{suffix}", exif=exif, **({"lossless": True} if suffix == ".webp" else {}))
    upright = as_seen(PHOTO, *ORIENTATIONS[orientation])
    assert np.array_equal(read_image(path, 3), upright)
    assert image_size(path) == upright.shape[:2]


def test_a_palette_image_is_read_in_its_colours(tmp_path):
    indices = np.array([[0, 1], [2, 1]], dtype=np.uint8)
    colours = [(10, 20, 30), (200, 100, 0), (0, 0, 255)]
    image = Image.fromarray(indices)
    image.putpalette(np.ravel(colours).tolist())
    assert read_image(saved(tmp_path, image), 3).tolist() == [[list(colours[i]) for i in row] for row in indices]


def test_a_palette_image_with_a_transparent_colour_is_read_in_its_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    image.putpalette([10, 20, 30, 200, 100, 0])
    path = saved(tmp_path, image, transparency=b"\x00\x80")
    assert read_image(path, 3).tolist() == [[[10, 20, 30], [200, 100, 0]]]


def test_16_bits_become_numbers_from_0_to_1_and_none_is_lost(tmp_path):
    deep = np.array([[0, 1, 257, 32896, 65534, 65535]], dtype=np.uint16)
    found = read_image(saved(tmp_path, deep), 1)
    assert found.dtype == np.float32 and found.shape == (1, 6, 1)
    assert (found[..., 0] * 65535).round().tolist() == deep.tolist()


@pytest.mark.parametrize("content", [[[0, 200, 257]], [[0, 257, 65535]]])
def test_the_scale_of_16_bits_does_not_depend_on_the_photo(tmp_path, content):
    deep = np.array(content, dtype=np.uint16)
    found = read_image(saved(tmp_path, deep, "deep.tif"), 1)[0, :, 0]
    assert np.allclose(found, deep[0] / 65535, atol=1e-7)
    big_endian = Image.frombytes("I;16B", (3, 1), deep.astype(">u2").tobytes())
    assert to_channels(big_endian, 1, "the image")[0, :, 0].tolist() == found.tolist()


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ([0, 100, 255], [0, 100 / 255, 1]),
        ([-5, 257, 65535], [0, 257 / 65535, 1]),
        ([0, 256, 70000], [0, 256 / 65535, 1]),
    ],
)
def test_32_bits_hold_8_or_16(values, seen):
    found = to_channels(Image.fromarray(np.array([values], dtype=np.int32)), 1, "the image")
    assert np.allclose(found[0, :, 0], seen, atol=1e-7)


def test_a_float_image_between_0_and_1_is_not_read_as_black(tmp_path):
    bright = np.array([[0.0, 0.5, 1.0]], dtype=np.float32)
    found = read_image(saved(tmp_path, bright, "float.tif"), 1)[0, :, 0]
    assert found.tolist() == [0, 0.5, 1]


def test_1_bit_becomes_black_and_white(tmp_path):
    bits = Image.fromarray(np.array([[True, False]]))
    assert bits.mode == "1"
    assert read_image(saved(tmp_path, bits), 1)[..., 0].tolist() == [[255, 0]]


def test_alpha_is_dropped_and_the_colours_stay(tmp_path):
    alpha = RANDOM.integers(0, 256, (3, 5, 1), dtype=np.uint8)
    assert np.array_equal(read_image(saved(tmp_path, np.dstack([PHOTO, alpha])), 3), PHOTO)


def test_grey_with_alpha_is_read_as_grey(tmp_path):
    pair = np.array([[[10, 0], [200, 255]]], dtype=np.uint8)
    path = saved(tmp_path, pair)
    with Image.open(path) as image:
        assert image.mode == "LA"
    assert read_image(path, 1)[..., 0].tolist() == [[10, 200]]
    assert read_image(path, 3)[..., 2].tolist() == [[10, 200]]


def test_cmyk_is_read_as_rgb(tmp_path):
    inks = np.zeros((16, 16, 4), dtype=np.uint8)
    inks[..., 0] = 255  # all cyan
    path = saved(tmp_path, Image.fromarray(inks, mode="CMYK"), "print.jpg", quality=100)
    assert np.abs(read_image(path, 3).astype(int) - (0, 255, 255)).max() <= 3


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp"])
def test_of_several_pages_the_first_is_read_and_the_file_is_closed(tmp_path, suffix):
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("black", "white")]
    path = tmp_path / f"pages{suffix}"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert not read_image(path, 3).any()
    gc.collect()  # a file that was left open would warn now, and warnings are errors


def test_a_picture_from_memory_is_turned_upright_too():
    image = Image.fromarray(PHOTO)
    image.getexif()[274] = 6
    assert np.array_equal(to_channels(image, 3, "the image"), as_seen(PHOTO, *ORIENTATIONS[6]))


# --- files that are not images


def broken_files():
    buffer = io.BytesIO()
    Image.fromarray(RANDOM.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
    png = buffer.getvalue()
    return {
        "empty": (b"", "is empty"),
        "truncated": (png[: len(png) // 2], "damaged"),
        "text": (b"this is not an image\n", "not an image"),
        "header-only": (png[:8], "image"),
    }


@pytest.mark.parametrize("kind", broken_files())
@pytest.mark.parametrize("read", [lambda path: read_image(path, 3), read_mask])
def test_a_file_that_is_no_image_is_named_in_one_line(tmp_path, kind, read):
    content, complaint = broken_files()[kind]
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint) as refusal:
        read(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert str(refusal.value).count(str(path)) == 1
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("read", [lambda path: read_image(path, 3), read_mask, image_size])
def test_a_missing_file_and_a_folder_are_named(tmp_path, read):
    with pytest.raises(DataError, match=r"gone\.png"):
        read(tmp_path / "gone.png")
    with pytest.raises(DataError, match="a-folder"):
        (tmp_path / "a-folder").mkdir()
        read(tmp_path / "a-folder")


def test_damaged_bytes_are_refused_too():
    with pytest.raises(DataError, match="the image given as bytes"):
        read_image(b"nothing", 3)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it repairs
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_whatever_is_wrong_with_a_file_it_is_read_or_refused(suffix):
    """A few hundred files with some bytes changed: no other error may come out."""
    random = np.random.default_rng(7)
    exif = Image.Exif()
    exif[274], exif[271] = 6, "a camera"
    buffer = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(
        buffer, Image.registered_extensions()[suffix], exif=exif
    )
    whole = np.frombuffer(buffer.getvalue(), dtype=np.uint8)
    refused = 0
    for _ in range(300):
        damaged = whole.copy()
        places = random.integers(0, random.choice([64, whole.size]), random.integers(1, 5))
        damaged[places] = random.integers(0, 256, places.size)
        try:
            assert read_image(damaged.tobytes(), 3).shape[2] == 3
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 0


@pytest.mark.filterwarnings("ignore")
def test_a_photo_whose_camera_data_are_damaged_is_read_or_refused(tmp_path):
    for exif in (b"Exif\x00\x00garbage", b"Exif\x00\x00MM\x00\x2a" + struct.pack(">I", 8) + b"\x00\x05\x01\x12"):
        buffer = io.BytesIO()
        Image.fromarray(PHOTO).save(buffer, "WEBP", lossless=True, exif=exif)
        try:
            assert read_image(buffer.getvalue(), 3).size == PHOTO.size
        except DataError as error:
            assert "\n" not in str(error)


def test_colours_that_cannot_be_converted_are_refused_with_the_file(tmp_path):
    path = tmp_path / "lab.tif"
    Image.new("LAB", (4, 4)).save(path)
    assert read_image(path, 3).shape == (4, 4, 3)
    with pytest.raises(DataError, match=r"lab\.tif"):  # Pillow has no way from Lab to grey
        read_image(path, 1)


@pytest.mark.parametrize(("mode", "have"), [("CMYK", 3), ("P", 3), ("RGBX", 3), ("L", 1), ("LA", 1), ("I;16", 1)])
def test_the_channels_that_a_picture_has_are_counted_without_transparency(mode, have):
    with pytest.raises(DataError, match=f"the image: has {have} channels, but the model takes 4"):
        to_channels(Image.new(mode, (4, 3)), 4, "the image")
