"""Every file opened once: what is said of it is what a slow reader finds in it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from onenet.config import parse_spec
from onenet.data.probe import count_values, probe_image, probe_mask, probe_pairs
from onenet.data.sample import Item
from onenet.errors import DataError

FULL = (0.0, 0.0)
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_values_are_counted_as_a_loop_counts_them(kind):
    raw = RANDOM.choice(np.array([0, 1, 7, 200], dtype=kind), size=(9, 11))
    raw[3, 4] = 255
    assert count_values(raw) == Counter(int(value) for row in raw for value in row)


def test_colours_are_counted_too():
    raw = RANDOM.choice(np.array([0x000000, 0xFF8000, 0xFFFFFF]), size=(5, 6))
    assert count_values(raw) == Counter(raw.ravel().tolist())


def test_equal_pictures_have_equal_digests_however_they_are_packed(tmp_path):
    pixels = RANDOM.integers(0, 256, (8, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "b.bmp")
    Image.fromarray(pixels[:, ::-1]).save(tmp_path / "mirrored.png")
    turned = Image.fromarray(np.rot90(pixels))  # counterclockwise: EXIF 6 turns it back
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    a, b, mirrored, upright = (probe_image(tmp_path / name, FULL) for name in
                               ("a.png", "b.bmp", "mirrored.png", "turned.png"))  # fmt: skip
    assert a.digest == b.digest == upright.digest != mirrored.digest
    assert (upright.size, upright.orientation, a.orientation) == ((8, 6), 6, 1)


def test_the_same_bytes_in_another_shape_are_another_picture(tmp_path):
    pixels = RANDOM.integers(0, 256, (4, 6), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    np.save(tmp_path / "b.npy", pixels.reshape(6, 4))
    assert probe_image(tmp_path / "a.npy", FULL).digest != probe_image(tmp_path / "b.npy", FULL).digest


def test_deep_images_tell_their_range_in_the_units_of_their_files(tmp_path):
    Image.fromarray(np.array([[7, 4000], [12, 900]], dtype=np.uint16)).save(tmp_path / "deep.png")
    found = probe_image(tmp_path / "deep.png", FULL)
    assert (found.kind, found.low, found.high, found.channels) == ("16 bits", 7, 4000, 1)
    np.save(tmp_path / "signed.npy", np.array([[-1000.0, 400.0]], dtype=np.float32))
    assert probe_image(tmp_path / "signed.npy", FULL).unscaled
    assert not probe_image(tmp_path / "signed.npy", (-1000.0, 400.0)).unscaled


def test_the_pages_of_a_tiff_are_channels(tmp_path):
    tifffile.imwrite(tmp_path / "five.tif", np.zeros((5, 8, 9), dtype=np.uint8), photometric="minisblack")
    found = probe_image(tmp_path / "five.tif", FULL)
    assert (found.size, found.channels, found.plain) == ((8, 9), 5, True)


def test_masks_are_recognised_by_what_they_hold(tmp_path):
    labels = np.array([[0, 1, 1], [0, 0, 1]], dtype=np.uint8)
    red = np.zeros((2, 3, 3), dtype=np.uint8)
    red[..., 0] = labels * 255
    palette = Image.fromarray(labels, mode="P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    masks = {
        "8-bit values": Image.fromarray(labels),
        "palette indices": palette,
        "16-bit values": Image.fromarray(labels.astype(np.uint16)),
        "grey saved as RGB": Image.fromarray(np.repeat(labels[..., None], 3, axis=2)),
        "1-bit values": Image.fromarray(labels.astype(bool)),
        "colours": Image.fromarray(red),
        "alpha channel": Image.fromarray(np.dstack([red * 0, labels * 255])),
    }
    for stored, image in masks.items():
        image.save(tmp_path / "mask.png")
        found = probe_mask(tmp_path / "mask.png", "index")
        one = 0xFF0000 if stored == "colours" else 1
        assert (found.stored, found.values) == (stored, {0: 3, one: 3})


def test_unreadable_files_do_not_stop_the_others(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    config = replace(parse_spec(f"folder:{tmp_path}"))
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    items = {"train": [Item("a", bad, good), Item("b", good, bad)], "test": [Item("c", good, good)]}
    seen = []
    pairs = probe_pairs(items, config, "index", lambda done, total: seen.append((done, total)))
    assert [(pair.split, pair.image is None, pair.mask is None, len(pair.errors)) for pair in pairs] == [
        ("train", True, False, 1), ("train", False, True, 1), ("test", False, False, 0)
    ]  # fmt: skip
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_array_without_numbers_is_unreadable(tmp_path):
    np.save(tmp_path / "nan.npy", np.full((3, 3), np.nan))
    with pytest.raises(DataError, match=r"nan\.npy: holds no finite numbers"):
        probe_image(tmp_path / "nan.npy", FULL)
