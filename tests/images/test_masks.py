"""Masks are read value by value, in every encoding that people have."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from onenet.errors import DataError
from onenet.images import read_image, read_mask

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (3, 5, 3), dtype=np.uint8)


def saved(folder, image, name="image.png", **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(folder / name, **options)
    return folder / name


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


def packed(labels, bits):
    """Rows of values of fewer than 8 bits, the first one highest."""
    rows = ["".join(f"{value:0{bits}b}" for value in row) for row in labels]
    return [int(row.ljust(-len(row) // 8 * -8, "0"), 2).to_bytes(-(-len(row) // 8), "big") for row in rows]


def small_png(labels, bits, extra=b""):
    """A grey PNG of so many bits, by its specification: Pillow writes none."""
    header = struct.pack(">IIBBBBB", len(labels[0]), len(labels), bits, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in packed(labels, bits)))
    chunks = [(b"IHDR", header), *([(b"tRNS", extra)] if extra else []), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def small_tiff(labels, bits):
    """A grey TIFF of so many bits, uncompressed."""
    data, height = b"".join(packed(labels, bits)), len(labels)
    sizes = [(256, len(labels[0])), (257, height), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    tags = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in [*sizes, (279, len(data))])
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", 9) + tags + bytes(4)


@pytest.mark.parametrize("write", [small_png, small_tiff])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_grey_mask_of_few_bits_has_the_numbers_of_its_file(tmp_path, write, bits):
    labels = np.arange(15).reshape(3, 5) * 7 % 2**bits
    path = tmp_path / f"mask.{write.__name__[6:]}"
    path.write_bytes(write(labels.tolist(), bits))
    assert read_mask(path).tolist() == labels.tolist()
    white = 255 // (2**bits - 1)
    assert read_mask(path, "colour").tolist() == (labels * white * 0x010101).tolist()  # as a viewer shows it
    assert read_image(path, 1)[..., 0].tolist() == (labels * white).tolist()


def test_a_grey_mask_of_few_bits_may_be_transparent_somewhere(tmp_path):
    (tmp_path / "mask.png").write_bytes(small_png([[0, 3, 2, 1, 1]], 2, extra=b"\0\0"))
    assert read_mask(tmp_path / "mask.png").tolist() == [[0, 3, 2, 1, 1]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_labels_that_were_saved_as_a_colour_image_are_read_as_labels(tmp_path, mode):
    values = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(values).convert(mode), "mask.png")
    assert read_mask(path).tolist() == values.tolist()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_mask_in_real_colours_is_refused_and_its_colours_are_named(tmp_path, mode):
    path = tmp_path / "mask.png"
    image = Image.new(mode, (3, 1), "#000000")
    image.putpixel((1, 0), (255, 0, 0, 255)[: len(mode)])
    image.save(path)
    with pytest.raises(DataError, match=r'mask\.png: a mask in colours \("#000000","#ff0000"\); say'):
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


LABELS = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("transparency", [0, b"\x00\x80\xff"], ids=["one colour", "an alpha per colour"])
def test_a_palette_mask_with_transparency_has_its_indices_its_colours_and_its_alpha(tmp_path, transparency):
    image = Image.fromarray(LABELS)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    path = saved(tmp_path, image, transparency=transparency)
    assert read_mask(path).tolist() == LABELS.tolist()
    assert read_mask(path, "colour").tolist() == np.array([0, 0xFF0000, 0x00FF00])[LABELS].tolist()
    assert read_mask(path, "alpha").tolist() == np.array([0, 1, 1])[LABELS].tolist()


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"extratags": [(274, "H", 1, 3, True)]}], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
def test_a_tiff_whose_zero_is_white_has_the_numbers_of_its_file(tmp_path, dtype, options):
    """What tifffile writes of truth values, and ImageJ with an inverting table: viewers show the negative."""
    path, labels = tmp_path / "mask.tif", LABELS.astype(dtype)
    tifffile.imwrite(path, labels, photometric="miniswhite", **options)
    assert read_mask(path).tolist() == (labels[::-1, ::-1] if "extratags" in options else labels).tolist()


def test_a_tiff_whose_zero_is_white_has_them_too_where_pillow_must_decode_it(tmp_path):
    for number, image in enumerate([Image.fromarray(255 - LABELS), Image.fromarray(LABELS == 0)]):
        image.save(tmp_path / "mask.tif", compression="tiff_lzw", tiffinfo={262: 0})  # Pillow stores the negative
        assert read_mask(tmp_path / "mask.tif").tolist() == [LABELS, LABELS != 0][number].astype(int).tolist()
        assert np.array_equal(read_image(tmp_path / "mask.tif", 1)[..., 0], np.asarray(image) * [1, 255][number])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, ">u2", np.int64, np.float16, ">f8"])
def test_an_array_holds_labels_in_whatever_type(tmp_path, dtype):
    labels = LABELS.astype(dtype)
    for array in (labels, labels[None], labels[..., None]):
        np.save(tmp_path / "mask.npy", array)
        assert read_mask(tmp_path / "mask.npy").tolist() == labels.astype(int).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("value", "complaint"), [
    (0.5, "fractions"), (np.nan, "fractions"), (np.inf, "fractions"), (1e30, r"too large to be labels, as 1e\+30"),
])  # fmt: skip
def test_of_floats_only_whole_numbers_are_labels(tmp_path, dtype, value, complaint):
    labels = LABELS.astype(dtype)
    np.save(tmp_path / "mask.npy", labels)
    tifffile.imwrite(tmp_path / "mask.tif", labels)
    for name in ("mask.npy", "mask.tif"):
        assert read_mask(tmp_path / name).tolist() == LABELS.tolist()
    labels[0, 0] = value
    np.save(tmp_path / "mask.npy", labels)
    tifffile.imwrite(tmp_path / "mask.tif", labels)
    for name in ("mask.npy", "mask.tif"):
        with pytest.raises(DataError, match=rf"{name}: .*{complaint}"):
            read_mask(tmp_path / name)


def test_16_bits_hold_their_numbers(tmp_path):
    labels = np.array([[0, 300], [65535, 7]], dtype=np.uint16)
    for suffix in (".png", ".tif"):
        assert read_mask(saved(tmp_path, labels, f"mask{suffix}")).tolist() == labels.tolist()


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_labels_of_16_bits_that_were_saved_in_grey_are_read_as_labels(tmp_path, png, channels):
    labels = LABELS.astype(np.uint16) * 300
    planes = [labels] * (channels - (channels != 3)) + [np.full_like(labels, 65535)] * (channels != 3)
    (tmp_path / "mask.png").write_bytes(png(np.dstack(planes)))
    assert read_mask(tmp_path / "mask.png").tolist() == labels.tolist()


def test_a_mask_of_16_bits_in_colours_or_transparency_is_read_like_one_of_8(tmp_path, png):
    red = (LABELS > 0).astype(np.uint16) * 65535
    path = tmp_path / "mask.png"
    path.write_bytes(png(np.dstack([red, red * 0, red * 0, LABELS * np.uint16(32767)])))
    with pytest.raises(DataError, match=r'mask\.png: a mask in colours \("#000000","#ff0000"\); say'):
        read_mask(path)
    assert read_mask(path, "colour").tolist() == np.array([0, 0xFF0000, 0xFF0000])[LABELS].tolist()
    assert read_mask(path, "alpha").tolist() == (LABELS == 2).astype(int).tolist()
    path.write_bytes(png(np.dstack([red * 0, red])))
    with pytest.raises(DataError, match=r"mask\.png: .*data\.mask_encoding=alpha"):
        read_mask(path)
    path.write_bytes(png(np.dstack([red, red * 0, red * 0])))
    with pytest.raises(DataError, match="no alpha channel"):
        read_mask(path, "alpha")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_numbers_beyond_8_bits_are_no_colours(tmp_path, suffix):
    path, labels = tmp_path / f"mask{suffix}", LABELS.astype(np.uint16)
    for top in (255, 256):
        labels[0, 0] = top
        np.save(path, labels) if suffix == ".npy" else Image.fromarray(labels).save(path)
        if top == 255:
            assert read_mask(path, "colour").tolist() == (labels.astype(int) * 0x010101).tolist()
    with pytest.raises(DataError, match=r"holds the number 256, but colours go from 0 to 255; set data\.mask_encoding"):
        read_mask(path, "colour")


def test_a_stack_of_planes_is_no_mask(tmp_path):
    labels = np.tile(LABELS, (2, 1))
    np.save(tmp_path / "mask.npy", np.dstack([labels] * 3))
    with pytest.raises(DataError, match=r"mask\.npy: .* has 3 planes; .*data\.overlapping=true"):
        read_mask(tmp_path / "mask.npy")
    assert read_mask(tmp_path / "mask.npy", "colour").tolist() == (labels.astype(int) * 0x010101).tolist()
    with pytest.raises(DataError, match="no alpha channel"):
        read_mask(tmp_path / "mask.npy", "alpha")


@pytest.mark.parametrize(("count", "suffix", "complaint"), [
    (9, ".png", r"\(9 colours\)"), (65, ".png", "looks like a photo"), (9, ".webp", "lossy compression"),
])  # fmt: skip
def test_many_colours_are_told_apart_by_what_they_can_mean(tmp_path, count, suffix, complaint):
    pixels = np.zeros((1, count, 3), dtype=np.uint8)
    pixels[0, :, 0] = np.arange(count) + 1
    with pytest.raises(DataError, match=complaint):
        read_mask(saved(tmp_path, pixels, f"mask{suffix}", **({"lossless": True} if suffix == ".webp" else {})))


def test_an_image_of_inks_is_no_mask(tmp_path):
    with pytest.raises(DataError, match=r"mask\.tif: .* this is a CMYK image; save it as PNG"):
        read_mask(saved(tmp_path, Image.new("CMYK", (3, 2)), "mask.tif"))
