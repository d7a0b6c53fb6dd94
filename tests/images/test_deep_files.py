"""Files with more bits, bands or pages than a photo: TIFF, NumPy arrays and deep PNG."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from onenet.errors import DataError
from onenet.images import channel_count, image_size, read_image, read_mask

RANDOM = np.random.default_rng(0)
FIVE = RANDOM.integers(0, 256, (6, 4, 5), dtype=np.uint8)
FRACTIONS = RANDOM.random((6, 4, 2)).astype(np.float32)
DEEP = RANDOM.integers(0, 65536, (6, 4, 5), dtype=np.uint16)


def saved(folder, pixels, name="image.tif", **options):
    path = folder / name
    tifffile.imwrite(path, pixels, **options)
    return path


def check(path, expected):
    """Header and pixels agree with what was written, upright, as (h, w, c)."""
    assert image_size(path) == expected.shape[:2]
    assert channel_count(path) == expected.shape[2]
    found = read_image(path, expected.shape[2])
    white = {np.dtype("u1"): 1, np.dtype("u2"): 65535}.get(expected.dtype, 1)
    assert found.dtype == (np.uint8 if expected.dtype == np.uint8 else np.float32)
    assert np.allclose(found, expected.astype(np.float64) / white, atol=1e-6)


@pytest.mark.parametrize("pixels", [FIVE, DEEP], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"byteorder": ">"}], ids=str)
def test_five_bands_are_five_channels(tmp_path, pixels, options):
    check(saved(tmp_path, pixels, photometric="minisblack", planarconfig="contig", **options), pixels)


def test_bands_may_be_stored_one_after_the_other(tmp_path):
    path = saved(tmp_path, DEEP.transpose(2, 0, 1), photometric="minisblack", planarconfig="separate")
    check(path, DEEP)


def test_three_grey_pages_are_three_channels_and_not_the_first_page_thrice(tmp_path):
    path = saved(tmp_path, FIVE.transpose(2, 0, 1)[:3], photometric="minisblack")
    check(path, FIVE[..., :3])


def test_16_bit_colours_keep_their_16_bits(tmp_path):
    check(saved(tmp_path, DEEP[..., :3], photometric="rgb"), DEEP[..., :3])


def test_floats_between_0_and_1_are_taken_as_they_are(tmp_path):
    check(saved(tmp_path, FRACTIONS, photometric="minisblack", planarconfig="contig"), FRACTIONS)


def test_a_thumbnail_is_not_a_channel(tmp_path):
    with tifffile.TiffWriter(tmp_path / "image.tif") as file:
        file.write(DEEP[..., 0], photometric="minisblack")
        file.write(DEEP[::2, ::2, 0], photometric="minisblack", subfiletype=1)
    check(tmp_path / "image.tif", DEEP[..., :1])


def test_other_numbers_need_a_range_and_say_which(tmp_path):
    signed = np.array([[-100, 0], [50, 300]], dtype=np.int16)
    np.save(tmp_path / "scan.npy", signed)
    with pytest.raises(DataError, match=r"scan\.npy: .* -100 .* 300.*data\.value_range=\[-100,300\]"):
        read_image(tmp_path / "scan.npy", 1)
    found = read_image(tmp_path / "scan.npy", 1, (-100.0, 300.0))
    assert np.allclose(found[..., 0], (signed + 100.0) / 400)
    assert read_image(tmp_path / "scan.npy", 1, (0.0, 50.0))[..., 0].tolist() == [[0, 0], [1, 1]]


def test_what_is_no_number_is_black(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[np.nan, 0.5]], dtype=np.float32))
    assert read_image(tmp_path / "a.npy", 1)[..., 0].tolist() == [[0, 0.5]]


@pytest.mark.parametrize("last", [True, False])
def test_the_shorter_axis_of_an_array_holds_the_channels(tmp_path, last):
    np.save(tmp_path / "a.npy", FIVE if last else FIVE[:, :, :2].transpose(2, 0, 1))
    if last:  # (6, 4, 5): the last axis is not longer than the first
        check(tmp_path / "a.npy", FIVE)
    else:
        check(tmp_path / "a.npy", FIVE[:, :, :2])


def test_a_plane_and_bits_are_grey(tmp_path):
    np.save(tmp_path / "a.npy", FIVE[..., 0] > 100)
    assert channel_count(tmp_path / "a.npy") == 1
    assert set(np.unique(read_image(tmp_path / "a.npy", 1))) == {0, 255}


class Trap:
    """Unpickling this would raise."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


@pytest.mark.parametrize("kind", ["objects", "truncated", "one axis", "text"])
def test_an_array_that_is_no_image_is_refused_in_one_line(tmp_path, kind):
    path = tmp_path / "a.npy"
    if kind == "objects":
        np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)
    elif kind == "one axis":
        np.save(path, np.zeros(5))
    elif kind == "text":
        np.save(path, np.array([["a", "b"]]))
    else:
        np.save(path, FIVE)
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match=r"a\.npy: ") as refusal:
        read_image(path, 1)
    assert "\n" not in str(refusal.value)


def test_a_damaged_tiff_is_named(tmp_path):
    path = saved(tmp_path, DEEP, photometric="minisblack", planarconfig="contig", compression="zlib")
    content = bytearray(path.read_bytes())
    content[-40:] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"image\.tif: ") as refusal:
        read_image(path, 5)
    assert "\n" not in str(refusal.value)


def test_a_model_for_other_channels_is_told_both_numbers(tmp_path):
    np.save(tmp_path / "a.npy", FIVE)
    with pytest.raises(DataError, match=r"a\.npy: has 5 channels, but the model takes 3"):
        read_image(tmp_path / "a.npy", 3)


def test_deep_masks_hold_their_numbers(tmp_path):
    labels = np.array([[0, 300], [65535, 7]], dtype=np.uint16)
    Image.fromarray(labels).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", labels.astype(np.float64))
    for name in ("a.png", "a.npy"):
        assert read_mask(tmp_path / name).tolist() == labels.tolist()
    assert read_mask(saved(tmp_path, labels)).tolist() == labels.tolist()
    np.save(tmp_path / "a.npy", labels + 0.5)
    with pytest.raises(DataError, match="whole numbers"):
        read_mask(tmp_path / "a.npy")
