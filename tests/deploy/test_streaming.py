"""Files drawn strip by strip are the files that a result in memory saves, byte for pixel."""

import numpy as np
import pytest
from PIL import Image

from onenet.card import Card
from onenet.deploy import overlays, streaming
from onenet.deploy.exported import pad_to_stride
from onenet.deploy.runner import Halo
from onenet.deploy.segmenter import Segmenter
from onenet.deploy.streaming import draw_file
from onenet.errors import ConfigError, DataError, ExportError, OneNetError
from onenet.images import read_image, read_mask

SIZE = 150, 117


class Blurred:
    """Bright is class 1, dark class 0, green class 2, of a 3x3 mean; runs what tiles ask of it."""

    stride = 8

    def run(self, images):
        height, width = images.shape[2:]
        padded = pad_to_stride(images, self.stride)
        h, w = padded.shape[2:]
        around = np.pad(padded, ((0, 0), (0, 0), (1, 1), (1, 1)))
        mean = sum(around[:, :, y : y + h, x : x + w] for y in range(3) for x in range(3)) / np.float32(9)
        logits = np.stack([0.9 - mean.mean(1), mean.mean(1), mean[:, 1] * 1.05], axis=1)
        return logits[:, :, :height, :width].astype(np.float32)

    def halo(self):
        return Halo(8, 8, 8, 8)


class Half(Blurred):
    """Leaves its logits at half size."""

    def run(self, images):
        return super().run(images)[:, :, ::2, ::2]


def card(**changes):
    arguments = {"in_channels": 3, "num_classes": 3}
    colours = ((0, 0, 0), (230, 159, 0), (86, 180, 233))
    return Card("onenet-e-4", changes.pop("arguments", arguments), ("nothing", "bright", "green"), colours, **changes)


@pytest.fixture
def photo(tmp_path):
    """A photo of soft blobs and some noise."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize(SIZE[::-1], Image.Resampling.BICUBIC))
    image = np.clip(soft.astype(int) + random.integers(-20, 20, (*SIZE, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def in_memory(runner, card, photo, *kinds):
    segmenter = Segmenter(runner, card)
    segmenter.tile = 0
    return segmenter(photo).save(photo.parent / "memory" / "photo.png", *kinds)


def streamed(runner, card, photo, *kinds, tile=32, say=lambda line: None):
    segmenter = Segmenter(runner, card)
    segmenter.tile = tile
    return draw_file(segmenter, photo, photo.parent / "stream" / "photo.png", kinds, say)


def pixels(path):
    with Image.open(path) as image:
        return image.mode, np.asarray(image), np.asarray(image.convert("RGB"))


CARDS = {
    "a background": dict(), "no background": dict(background=None), "overlapping": dict(overlapping=True),
    "enlarged": dict(fit="cover", size=(200, 160)),
}  # fmt: skip


@pytest.mark.parametrize("changes", CARDS.values(), ids=CARDS)
def test_what_is_written_is_what_a_result_in_memory_writes(photo, changes):
    expected = in_memory(Blurred(), card(**changes), photo, "mask", "overlay")
    found = streamed(Blurred(), card(**changes), photo, "mask", "overlay")
    assert [path.name for path in found] == [path.name for path in expected]
    assert len(np.unique(pixels(found[0])[1])) > 1
    for ours, theirs in zip(found, expected, strict=True):
        different = [(a != b).mean() for a, b in zip(pixels(ours)[1:], pixels(theirs)[1:], strict=True)]
        assert max(different) <= (0.002 if "fit" in changes else 0)  # scaled in parts: a grey level here and there
        assert pixels(ours)[0] == pixels(theirs)[0] or "-" in ours.name


def test_images_are_scaled_down_on_the_way_where_the_model_wants_it(photo):
    changed = card(fit="cover", size=(40, 40))
    expected, found = in_memory(Blurred(), changed, photo), streamed(Blurred(), changed, photo, "mask")
    assert (read_mask(found[0]) != read_mask(expected[0])).mean() < 0.01


def test_logits_at_half_size_are_enlarged(photo):
    half = card(arguments={"in_channels": 3, "num_classes": 3, "full_size": False})
    expected, found = in_memory(Half(), half, photo), streamed(Half(), half, photo, "mask")
    assert np.array_equal(read_mask(found[0]), read_mask(expected[0]))


def test_an_image_that_cannot_be_read_in_strips_is_read_whole_and_that_is_said(photo, monkeypatch):
    monkeypatch.setattr(streaming, "WHOLE", 40)
    image = Image.open(photo)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(photo.with_suffix(".jpg"), exif=exif)
    lines = []
    found = streamed(Blurred(), card(), photo.with_suffix(".jpg"), "mask", say=lines.append)
    assert read_mask(found[0]).shape == SIZE[::-1]
    assert np.array_equal(read_mask(found[0]), read_mask(in_memory(Blurred(), card(), photo.with_suffix(".jpg"))[0]))
    assert lines == [f"{photo.with_suffix('.jpg')}: is read whole (a photo that its camera held on its side is turned "
                     "whole)"]  # fmt: skip


def test_the_overlay_of_a_very_large_image_is_reduced_and_that_is_said(photo, monkeypatch):
    monkeypatch.setattr(overlays, "_FULL", 100)
    monkeypatch.setattr(overlays, "_REDUCED", 50)
    lines = []
    mask, overlay = streamed(Blurred(), card(), photo, "mask", "overlay", say=lines.append)
    assert read_mask(mask).shape == SIZE
    drawn = read_image(overlay, 3)
    assert drawn.shape == (50, 39, 3)
    assert lines == [f"{photo}: the overlay is reduced to 50x39; the mask has the image's size"]
    small = np.asarray(Image.fromarray(read_image(photo, 3)).resize((39, 50), Image.Resampling.BILINEAR)).astype(int)
    rows, columns = (np.arange(50) * 2 + 1) * 150 // 100, (np.arange(39) * 2 + 1) * 117 // 78
    shown = read_mask(mask)[rows][:, columns]
    inner = (np.pad(shown, 1, mode="edge")[:-2, 1:-1] == shown) & (shown == 0)
    assert np.median(abs(drawn.astype(int) - small)[inner]) <= 1  # the background is not tinted


def test_what_must_be_whole_is_refused(photo):
    with pytest.raises(DataError, match=r"cutout and probability of an image beyond .* --any-size"):
        streamed(Blurred(), card(), photo, "mask", "cutout", "probability")


def test_beyond_the_limit_only_strips_are_read(photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    assert streamed(Blurred(), card(), photo, "mask")
    image = Image.fromarray(np.zeros((*SIZE, 3), dtype=np.uint8))
    image.save(photo.with_suffix(".jpg"), progressive=True)
    with pytest.raises(DataError, match=r"150x117 pixels are beyond .* \(10,000\), .* progressive JPEG .*; --any-size"):
        streamed(Blurred(), card(), photo.with_suffix(".jpg"), "mask")


def test_a_file_that_ends_too_early_leaves_nothing_behind(photo):
    data = photo.read_bytes()
    photo.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(DataError, match=r"photo\.png: the image is damaged"):
        streamed(Blurred(), card(), photo, "mask", "overlay")
    assert not list(photo.parent.glob("stream/*"))


def test_a_network_that_looks_at_everything_leaves_nothing_behind(photo):
    runner = Blurred()

    def refuse():
        raise ExportError("ReduceMean 'x' looks at the whole image, so the network cannot be cut into tiles")

    runner.halo = refuse
    with pytest.raises(ExportError, match="ReduceMean 'x'"):
        streamed(runner, card(), photo, "mask")
    assert not any((photo.parent / "stream").iterdir())


def test_the_photo_is_never_overwritten(photo):
    segmenter, before = Segmenter(Blurred(), card()), photo.read_bytes()
    with pytest.raises(ConfigError, match="would overwrite the photo"):
        draw_file(segmenter, photo, photo)
    assert photo.read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(photo):
    (photo.parent / "stream").write_text("a file")
    with pytest.raises(OneNetError, match=r"photo\.png: cannot be written"):
        streamed(Blurred(), card(), photo, "mask")
