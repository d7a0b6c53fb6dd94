"""Files read in strips give the pixels that reading them whole gives; what cannot be is told why."""

import builtins

import numpy as np
import pytest
from PIL import Image

from onenet.errors import DataError
from onenet.images import image_size, read_image
from onenet.images.png import png_rows
from onenet.images.strips import StripReader, stored_size, streaming_obstacle

pytest.importorskip("pyvips")

SMOOTH = np.add.outer(np.arange(70), np.arange(90))
PHOTO = np.stack([SMOOTH % 251, (2 * SMOOTH) % 256, 255 - SMOOTH % 256], axis=-1).astype(np.uint8)
SIDE = 70, 90


def save(folder, name, mode="RGB", **options):
    image = Image.fromarray(PHOTO).convert(mode)
    image.save(folder / name, **options)
    return folder / name


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


FILES = {
    "colour.png": dict(), "grey.png": dict(mode="L"), "palette.png": dict(mode="P"), "alpha.png": dict(mode="RGBA"),
    "grey-alpha.png": dict(mode="LA"), "one-bit.png": dict(mode="1"), "photo.jpg": dict(quality=80),
    "grey.jpg": dict(mode="L"), "upright.jpg": dict(exif=turned(1)), "plain.tif": dict(),
    "packed.tif": dict(compression="tiff_lzw"), "deflated.tif": dict(compression="tiff_adobe_deflate"),
    "grey.tif": dict(mode="L"),
}  # fmt: skip
WHOLE = {
    "progressive.jpg": (dict(progressive=True), "a progressive JPEG must be decoded whole"),
    "turned.jpg": (dict(exif=turned(6)), "held on its side is turned whole"),
    "print.jpg": (dict(mode="CMYK"), "are read whole"),
    "turned.tif": (dict(tiffinfo={0x0112: 6}), "a TIFF that is turned"),
    "photo.bmp": (dict(), "only PNG, JPEG and TIFF"),
    "photo.webp": (dict(), "only PNG, JPEG and TIFF"),
    "deep.png": (dict(mode="I;16"), "are read whole"),
}  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FILES)
def test_strips_are_the_image(tmp_path, name, channels):
    path = save(tmp_path, name, **FILES[name])
    assert streaming_obstacle(path, channels) == ""
    reader = StripReader(path, channels)
    assert reader.size == image_size(path) == stored_size(path) == SIDE
    strips = [reader.read(count) for count in (1, 0, 33, 36)]
    assert np.array_equal(np.concatenate(strips), read_image(path, channels))


@pytest.mark.parametrize("name", WHOLE)
def test_what_must_be_whole_is_said(tmp_path, name):
    options, reason = WHOLE[name]
    assert reason in streaming_obstacle(save(tmp_path, name, **options), 3)


def test_an_interlaced_png_must_be_whole(tmp_path):
    import pyvips

    pyvips.Image.new_from_file(str(save(tmp_path, "photo.png"))).pngsave(str(tmp_path / "lace.png"), interlace=True)
    assert streaming_obstacle(tmp_path / "lace.png", 3) == "an interlaced PNG must be decoded whole"


def test_other_channels_and_a_missing_package_are_said(tmp_path, monkeypatch):
    path = save(tmp_path, "photo.png")
    assert "5 channels" in streaming_obstacle(path, 5)
    monkeypatch.setattr(builtins, "__import__", _without_pyvips(builtins.__import__))
    assert streaming_obstacle(path, 3) == "reading in strips needs pyvips: pip install 'onenet-seg[large]'"


def _without_pyvips(imported):
    def refuse(name, *rest):
        if name == "pyvips":
            raise ModuleNotFoundError(name)
        return imported(name, *rest)

    return refuse


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "photo.tif"])
def test_a_truncated_file_is_named(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=rf"{name}: the image is damaged or unreadable"):
        reader = StripReader(tmp_path / name, 3)
        for _ in range(40):
            reader.read(10)


def test_the_size_of_what_is_beyond_the_limit_is_known(tmp_path, monkeypatch):
    with png_rows(tmp_path / "long.png", (3, 50), 3) as png:
        png.write(np.zeros((3, 50, 3), dtype=np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataError, match="too large"):
        image_size(tmp_path / "long.png")
    assert stored_size(tmp_path / "long.png") == (3, 50)
    Image.fromarray(PHOTO).save(tmp_path / "photo.jpg", exif=turned(6))
    assert stored_size(tmp_path / "photo.jpg") == SIDE[::-1]
    (tmp_path / "broken.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match="not an image"):
        stored_size(tmp_path / "broken.png")
