"""Pixels come in upright and unchanged, whatever the file; results go out whole or not at all."""

import errno
import gc
import io
import os
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from onenet.errors import DataError, OneNetError
from onenet.images import (
    atomic_write,
    colourise,
    cutout,
    image_size,
    mask_image,
    outline,
    overlay,
    padded_to,
    read_image,
    read_mask,
    reflected,
    resize,
    scaled_size,
    to_channels,
    write_image,
)

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (3, 5, 3), dtype=np.uint8)
ORANGE, BLUE = (230, 159, 0), (0, 114, 178)


def saved(folder, image, name="image.png", **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(folder / name, **options)
    return folder / name


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


# --- reading


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


# --- masks


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_a_mask_is_read_value_by_value(tmp_path, dtype):
    values = np.array([[0, 1, 7], [255, 2, 0]], dtype=dtype)
    path = saved(tmp_path, values, "mask.tif")
    assert read_mask(path).tolist() == values.tolist()


def test_of_a_palette_mask_the_indices_are_read_and_not_the_colours(tmp_path):
    values = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    image = Image.fromarray(values)
    image.putpalette(RANDOM.integers(0, 256, 768).tolist())
    assert read_mask(saved(tmp_path, image)).tolist() == values.tolist()


def test_a_1_bit_mask_is_read_as_0_and_1(tmp_path):
    assert read_mask(saved(tmp_path, Image.fromarray(np.array([[True, False]])))).tolist() == [[1, 0]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_labels_that_were_saved_as_a_colour_image_are_read_as_labels(tmp_path, mode):
    values = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(values).convert(mode), "mask.png")
    assert read_mask(path).tolist() == values.tolist()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_mask_in_real_colours_is_refused_with_the_setting_that_reads_it(tmp_path, mode):
    path = tmp_path / "mask.png"
    image = Image.new(mode, (3, 1), "#000000")
    image.putpixel((1, 0), (255, 0, 0, 255)[: len(mode)])
    image.save(path)
    with pytest.raises(DataError, match=r'mask\.png: a mask in colours.*data\.class_values=\["#000000","#ff0000"\]'):
        read_mask(path)
    assert read_mask(path, "colour").tolist() == [[0, 0xFF0000, 0]]


def test_the_object_of_a_cut_out_is_what_is_not_transparent(tmp_path):
    pixels = np.zeros((1, 3, 4), dtype=np.uint8)
    pixels[0, :, 3] = 0, 127, 128
    path = saved(tmp_path, pixels, "cutout.png")
    assert read_mask(path, "alpha").tolist() == [[0, 0, 1]]
    with pytest.raises(DataError, match=r"cutout\.png: .*data\.mask_encoding=alpha"):
        read_mask(path)
    with pytest.raises(DataError, match="no alpha channel"):
        read_mask(saved(tmp_path, PHOTO, "opaque.png"), "alpha")


# --- resizing

masks = arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))
sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(mask=masks, size=sizes)
def test_nearest_invents_no_label(mask, size):
    assert set(np.unique(resize(mask, size, "nearest"))) <= set(np.unique(mask))


@given(length=st.integers(1, 60), new=st.integers(1, 60))
def test_nearest_takes_the_pixel_under_each_new_centre(length, new):
    taken = resize(np.arange(length, dtype=np.uint8)[None], (1, new), "nearest")[0]
    centres = (np.arange(new) + 0.5) * length / new
    assert (abs(taken + 0.5 - centres) <= 0.5 + 1e-6).all()  # on a border between two, either


def test_bilinear_is_the_triangle_filter_that_widens_when_it_shrinks():
    """Every new pixel is the mean of the old ones weighed by their distance from its centre, in loops."""
    line = RANDOM.random(12).astype(np.float32)
    for length in (5, 24):
        reach = max(1.0, 12 / length)
        for place in range(length):
            centre = (place + 0.5) * 12 / length
            weights = [max(0.0, 1 - abs(x + 0.5 - centre) / reach) for x in range(12)]
            expected = sum(w * v for w, v in zip(weights, line, strict=True)) / sum(weights)
            assert resize(line[None], (1, length))[0, place] == pytest.approx(expected, abs=1e-5)


@given(
    plane=arrays.arrays(
        np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(-9, 9, width=32)
    ),
    size=st.tuples(st.integers(2, 40), st.integers(1, 12)),
    cut=st.integers(1, 39),
)
def test_strips_put_together_are_the_whole(plane, size, cut):
    height, width = size
    cut = min(cut, height - 1)
    inner_h, inner_w = plane.shape
    strips = []
    for first, last in ((0, cut), (cut, height)):
        box = (0.0, first * inner_h / height, float(inner_w), last * inner_h / height)
        strips.append(resize(plane, (last - first, width), box=box))
    np.testing.assert_allclose(np.concatenate(strips), resize(plane, size), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_channel_is_resized_for_itself(channels, dtype):
    image = (RANDOM.random((6, 8, channels)) * (255 if dtype == np.uint8 else 1)).astype(dtype)
    resized = resize(image, (9, 5))
    assert resized.shape == (9, 5, channels)
    for channel in range(channels):
        np.testing.assert_allclose(resized[..., channel], resize(image[..., channel], (9, 5)), atol=1e-6)


def test_the_same_size_is_the_same_image():
    assert np.array_equal(resize(PHOTO, (3, 5)), PHOTO)


@given(size=st.tuples(st.integers(1, 3000), st.integers(1, 3000)), target=st.tuples(*[st.integers(1, 512)] * 2))
def test_a_scaled_image_just_covers_its_target(size, target):
    scaled = scaled_size(size, target)
    factor = max(target[0] / size[0], target[1] / size[1])
    if factor > 1 and factor * max(size) > 4 * max(target):
        assert max(scaled) == max(4 * max(target), max(size))
        factor = max(scaled) / max(size)
    else:
        assert scaled[0] >= target[0] and scaled[1] >= target[1]
        assert scaled[0] == target[0] or scaled[1] == target[1]
    assert min(scaled) >= 1
    assert all(abs(new - old * factor) <= 0.5 + 1e-9 for new, old in zip(scaled, size, strict=True))


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((4, 400), (10, 1024)),  # and not 256 x 25600
        ((400, 1), (1024, 3)),
        ((4, 2000), (4, 2000)),  # longer than the limit as it is
        ((500, 9000), (256, 4608)),  # nor is a photo limited that is made smaller
        ((100, 400), (256, 1024)),
    ],
)
def test_a_long_and_narrow_image_is_enlarged_to_four_times_the_target_at_most(size, scaled):
    assert scaled_size(size, (256, 256)) == scaled


# --- padding


@given(length=st.integers(1, 40), more=st.integers(0, 200))
def test_padding_is_numpys_reflection(length, more):
    line = np.arange(length)
    assert np.array_equal(line[reflected(length, length + more)], np.pad(line, (0, more), mode="reflect"))


@given(length=st.integers(1, 1000), stride=st.integers(1, 64))
def test_the_padded_length_is_the_next_multiple_of_the_stride(length, stride):
    padded = padded_to(length, stride)
    assert padded % stride == 0 and length <= padded < length + stride


# --- pictures of masks

LEFT_BACKGROUND = np.array([[0, 0, 0, 0, 1, 1, 1, 1]] * 4, dtype=np.uint8)  # class 1 on the right


def test_an_overlay_tints_the_object_outlines_it_and_leaves_the_background():
    photo = RANDOM.integers(0, 256, (4, 8, 3), dtype=np.uint8)
    drawn = overlay(photo, LEFT_BACKGROUND, [(0, 0, 0), ORANGE], background=0, opacity=0.45)
    assert np.array_equal(drawn[:, :3], photo[:, :3])
    assert (drawn[:, 3] == 255).all()  # the outline: white on the side of the background,
    assert (drawn[:, 4] == ORANGE).all()  # the class's colour on its own
    np.testing.assert_allclose(drawn[:, 5:], 0.55 * photo[:, 5:] + 0.45 * np.array(ORANGE), atol=0.51)


def test_without_a_background_every_class_is_tinted():
    photo = np.full((4, 8, 3), 100, dtype=np.uint8)
    drawn = overlay(photo, LEFT_BACKGROUND, [BLUE, ORANGE], background=None, opacity=0.5)
    assert np.allclose(drawn[0, 0], [(100 + c) / 2 for c in BLUE], atol=0.51)
    assert (drawn[:, 3] == BLUE).all() and (drawn[:, 4] == ORANGE).all()


def test_an_overlay_of_a_grey_photo_is_in_colour():
    drawn = overlay(np.full((4, 8, 1), 100, dtype=np.uint8), LEFT_BACKGROUND, [(0, 0, 0), ORANGE], background=0)
    assert drawn.shape == (4, 8, 3)
    assert (drawn[0, 0] == 100).all() and drawn[0, 7, 0] > drawn[0, 7, 2]


def test_the_outline_is_two_pixels_wide_where_labels_meet():
    assert outline(LEFT_BACKGROUND).tolist() == [[False] * 3 + [True] * 2 + [False] * 3] * 4
    assert outline(LEFT_BACKGROUND.T).tolist() == outline(LEFT_BACKGROUND).T.tolist()
    assert not outline(np.ones((3, 3), dtype=np.uint8)).any()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_cutout_keeps_the_photo_and_makes_the_background_transparent(channels):
    photo = RANDOM.integers(0, 256, (4, 8, channels), dtype=np.uint8)
    cut = cutout(photo, LEFT_BACKGROUND, background=0)
    colours = np.repeat(photo, 3, axis=2) if channels == 1 else photo[..., :3]
    assert np.array_equal(cut[..., :3], colours)
    assert cut[..., 3].tolist() == [[0, 0, 0, 0, 255, 255, 255, 255]] * 4


def test_a_cutout_without_a_background_is_opaque():
    assert (cutout(PHOTO, np.zeros((3, 5), dtype=np.uint8), background=None)[..., 3] == 255).all()


def test_each_class_is_shown_in_its_colour():
    assert colourise(np.array([[1, 0]], dtype=np.uint8), [BLUE, ORANGE]).tolist() == [[list(ORANGE), list(BLUE)]]


def test_a_written_mask_holds_class_indices_and_looks_like_its_colours(tmp_path):
    mask = RANDOM.integers(0, 3, (6, 7), dtype=np.uint8)
    colours = [(0, 0, 0), ORANGE, BLUE]
    write_image(tmp_path / "mask.png", mask_image(mask, colours))
    assert np.array_equal(read_mask(tmp_path / "mask.png"), mask)
    assert np.array_equal(read_image(tmp_path / "mask.png", 3), colourise(mask, colours))


# --- writing whole or not at all


def test_what_is_written_appears_in_new_folders_readable_for_all(tmp_path):
    with atomic_write(tmp_path / "a/b/file.txt") as file:
        file.write(b"new")
    assert (tmp_path / "a/b/file.txt").read_bytes() == b"new"
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a/b/file.txt").stat().st_mode & 0o777 == 0o666 & ~umask


def failing_body(path):
    with atomic_write(path) as file:
        file.write(b"half of the n")
        raise KeyError("something else went wrong")


def full_disk(path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with atomic_write(path) as file:
        file.write(b"new")


def too_large_a_file(path):
    """A write that the system really refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with atomic_write(path) as file:
            file.write(b"x" * (1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_when_the_writer_fails_the_old_file_stays_and_nothing_is_left_behind(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    with pytest.raises(KeyError):
        failing_body(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.txt"]


def test_when_the_disk_is_full_the_old_file_stays_and_the_reason_is_told(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    with pytest.raises(OneNetError, match=r"file\.txt: cannot be written \(No space left on device\)"):
        full_disk(path, monkeypatch)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (errno.ENOSPC, r"\(No space left on device\); free some space"),
        (errno.EROFS, r"\(Read-only file system\); choose a place that you may write to"),
        (errno.EACCES, r"\(Permission denied\); choose a place that you may write to"),
        (errno.EIO, r"\(Input/output error\)"),
    ],
)
def test_the_hint_fits_the_reason(tmp_path, monkeypatch, code, end):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OneNetError, match=rf"file\.txt: cannot be written {end}$"):
        write_image(tmp_path / "file.txt", PHOTO)
    assert names(tmp_path) == []


def test_writing_leaves_the_umask_alone_which_other_threads_use(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", None)
    write_image(tmp_path / "picture.png", PHOTO)
    assert names(tmp_path) == ["picture.png"]


def test_as_long_a_name_as_the_system_takes_can_be_written(tmp_path):
    write_image(tmp_path / f"{'x' * 251}.png", PHOTO)
    assert names(tmp_path) == [f"{'x' * 251}.png"]


def test_when_the_system_refuses_a_write_the_old_file_stays(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    with pytest.raises(OneNetError, match=r"file\.txt: cannot be written \(File too large\)"):
        too_large_a_file(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.txt"]


def test_a_folder_cannot_be_replaced_by_a_file(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(OneNetError, match="results: cannot be written"), atomic_write(tmp_path / "results") as file:
        file.write(b"new")
    assert names(tmp_path) == ["results"]


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.PNG", "picture"])
def test_a_picture_is_written_in_the_format_of_its_ending(tmp_path, name):
    write_image(tmp_path / name, np.full((8, 8, 3), 99, dtype=np.uint8))
    with Image.open(tmp_path / name) as image:
        assert image.format == ("JPEG" if name.endswith("jpg") else "PNG")
    assert np.abs(read_image(tmp_path / name, 3).astype(int) - 99).max() <= 1


def test_a_grey_picture_is_written_grey(tmp_path):
    write_image(tmp_path / "grey.png", PHOTO[..., :1])
    assert np.array_equal(read_image(tmp_path / "grey.png", 1), PHOTO[..., :1])


def test_a_picture_from_memory_is_turned_upright_too():
    image = Image.fromarray(PHOTO)
    image.getexif()[274] = 6
    assert np.array_equal(to_channels(image, 3, "the image"), as_seen(PHOTO, *ORIENTATIONS[6]))
