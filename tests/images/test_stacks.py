"""Numbers without colours: NumPy arrays, and what any file of numbers must have to be an image."""

import io
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from onenet.errors import DataError
from onenet.images import channel_count, image_size, read_image, read_mask

RANDOM = np.random.default_rng(0)
FIVE = RANDOM.integers(0, 256, (6, 4, 5), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (6, 4, 5), dtype=np.uint16)


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
def test_the_shorter_axis_of_an_array_holds_the_channels(tmp_path, check, last):
    np.save(tmp_path / "a.npy", FIVE if last else FIVE[:, :, :2].transpose(2, 0, 1))
    if last:  # (6, 4, 5): the last axis is not longer than the first
        check(tmp_path / "a.npy", FIVE)
    else:
        check(tmp_path / "a.npy", FIVE[:, :, :2])


def test_a_plane_and_bits_are_grey(tmp_path):
    np.save(tmp_path / "a.npy", FIVE[..., 0] > 100)
    assert channel_count(tmp_path / "a.npy") == 1
    assert set(np.unique(read_image(tmp_path / "a.npy", 1))) == {0, 255}


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint32, np.int32])
def test_numbers_whose_white_nobody_knows_are_refused(tmp_path, dtype):
    pixels = np.arange(24, dtype=dtype).reshape(6, 4) + dtype(100)
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack")
    np.save(tmp_path / "image.npy", pixels)
    for file in (path, tmp_path / "image.npy"):
        with pytest.raises(DataError, match=r"values from 100 to 123; .*data\.value_range=\[0,255\]"):
            read_image(file, 1)
        assert np.allclose(read_image(file, 1, (100.0, 123.0))[..., 0], (pixels - 100.0) / 23, atol=1e-6)


def test_what_is_no_number_is_as_black_as_the_range_says(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[np.nan, np.inf, -np.inf, 0.0]]))
    assert read_image(tmp_path / "a.npy", 1, (-10.0, 10.0))[..., 0].tolist() == [[0, 1, 0, 0.5]]
    np.save(tmp_path / "a.npy", np.array([[np.nan, 5.0]]))
    with pytest.raises(DataError, match=r"values from 5 to 5; .*data\.value_range=\[5,6\]"):
        read_image(tmp_path / "a.npy", 1)


# --- deep PNG and PPM


# --- what is no image


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


def test_a_model_for_other_channels_is_told_both_numbers(tmp_path):
    np.save(tmp_path / "a.npy", FIVE)
    with pytest.raises(DataError, match=r"a\.npy: has 5 channels, but the model takes 3"):
        read_image(tmp_path / "a.npy", 3)


KINDS = ("tiff", "npy", "png")


@pytest.fixture(scope="module")
def whole_files(png):
    tiff, array = io.BytesIO(), io.BytesIO()
    tifffile.imwrite(tiff, DEEP, photometric="minisblack", planarconfig="contig", compression="zlib")
    np.save(array, DEEP)
    return {"tiff": tiff.getvalue(), "npy": array.getvalue(), "png": png(DEEP[..., :3])}


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it repairs
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_is_read_whole_or_refused(tmp_path, kind, whole_files):
    whole, path = whole_files[kind], tmp_path / "file"
    channels = 3 if kind == "png" else 5
    expected, refused = read_image(whole, channels), 0
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            assert np.array_equal(read_image(path, channels), expected)
        except DataError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert refused > len(whole) / 7 * 0.8


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("read", [lambda path: read_image(path, 5), read_mask, image_size, channel_count])
def test_whatever_is_wrong_with_a_file_it_is_read_or_refused(tmp_path, kind, read, whole_files):
    random, path = np.random.default_rng(5), tmp_path / "file"
    whole = np.frombuffer(whole_files[kind], dtype=np.uint8)
    refused = 0
    for _ in range(80):
        damaged = whole.copy()
        damaged[random.integers(0, random.choice([40, whole.size]), 3)] = random.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            read(path)
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 0


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_byte_order_of_an_array_does_not_matter(tmp_path, check, order):
    np.save(tmp_path / "a.npy", DEEP.astype(f"{order}u2"))
    check(tmp_path / "a.npy", DEEP)


_AT_ONCE = """
import gc, sys
from concurrent.futures import ThreadPoolExecutor
from onenet.images.stacks import read_stack

class Slow:  # garbage whose end lets another thread go on, in the middle of whatever was being made
    def __init__(self): self.itself = self
    def __del__(self): [None for _ in range(300)]

def read(number):
    [Slow() for _ in range(20)]
    return read_stack(sys.argv[1], "one.npy").shape

sys.setswitchinterval(1e-6)
gc.set_threshold(1)
with ThreadPoolExecutor(8) as pool:
    assert set(pool.map(read, range(5000))) == {(4, 5, 1)}
"""


def test_threads_read_arrays_at_once(tmp_path):
    """Python 3.11 parses literals in one thread only (CPython 106905); a header of NumPy's is a literal."""
    np.save(tmp_path / "one.npy", np.zeros((4, 5), np.uint8))
    subprocess.run([sys.executable, "-c", _AT_ONCE, tmp_path / "one.npy"], check=True, timeout=60)
