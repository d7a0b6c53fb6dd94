"""From a photo to its mask with a network of one rule, without torch: what is checked is all the rest."""

import errno
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from onenet.card import Card
from onenet.deploy.runner import Halo
from onenet.deploy.segmenter import Result, Segmenter, softmax
from onenet.errors import ConfigError, DataError, OneNetError, ShapeError
from onenet.images import read_image, read_mask

ORANGE = (230, 159, 0)


def card(channels=3, **changes):
    arguments = {"in_channels": channels, "num_classes": 2}
    return Card("onenet-e-4", arguments, ("background", "object"), ((0, 0, 0), ORANGE), **changes)


class BrightIsObject:
    """A network of one rule; keeps what it was given."""

    stride, halo = 1, staticmethod(Halo)

    def run(self, images):
        self.given = images
        bright = images.mean(axis=1) - 0.5
        return np.stack([-bright, bright], axis=1).astype(np.float32)


def segmenter(channels=3, **changes):
    return Segmenter(BrightIsObject(), card(channels, **changes))


def photo(height=20, width=30, channels=3):
    """Dark, with a bright rectangle."""
    image = np.random.default_rng(0).integers(0, 100, (height, width, channels), dtype=np.uint8)
    image[height // 4 : height // 2, width // 4 : width // 2] += 150
    return image


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo()).save(path)
    return path


# --- every way in


def test_a_path_bytes_an_image_and_an_array_give_the_same_mask(file):
    segment = segmenter()
    expected = segment(photo()).mask
    assert set(np.unique(expected)) == {0, 1}
    with Image.open(file) as image:
        sources = [file, str(file), file.read_bytes(), image, Image.fromarray(photo())]
        for source in sources:
            assert np.array_equal(segment(source).mask, expected)
    for dtype in (np.float32, np.float64):
        assert np.array_equal(segment(photo().astype(dtype) / 255).mask, expected)


def test_grey_comes_in_with_and_without_an_axis_for_the_channel(tmp_path):
    grey = photo(channels=1)
    Image.fromarray(grey[..., 0]).save(tmp_path / "grey.png")
    segment = segmenter(channels=1)
    expected = segment(grey).mask
    for source in (grey[..., 0], grey[..., 0] / 255, grey / 255, tmp_path / "grey.png"):
        assert np.array_equal(segment(source).mask, expected)


def test_the_network_is_given_a_batch_of_one_in_0_to_1():
    segment = segmenter()
    segment(photo())
    given = segment.runner.given
    assert given.shape == (1, 3, 20, 30) and given.dtype == np.float32
    np.testing.assert_allclose(given[0].transpose(1, 2, 0), photo() / 255, atol=1e-6)


def test_the_result_keeps_the_photo_upright_as_bytes(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(photo(20, 30)).save(tmp_path / "on-its-side.png", exif=exif)
    result = segmenter()(tmp_path / "on-its-side.png")
    assert np.array_equal(result.image, np.rot90(photo(20, 30), -1))
    assert result.mask.shape == (30, 20)
    assert np.array_equal(segmenter()(photo() / 255).image, photo())


@pytest.mark.parametrize("image", [photo(1, 1), photo(1, 9), photo(9, 1), photo(33, 17)])
@pytest.mark.parametrize("fit", ["none", "cover"])
def test_the_mask_has_the_size_of_the_photo_whatever_it_is(image, fit):
    result = segmenter(fit=fit, size=(16, 16))(image)
    assert result.mask.shape == image.shape[:2] and result.mask.dtype == np.uint8
    assert result.logits().shape == result.probability.shape == (2, *image.shape[:2])


# --- at which scale


def test_at_fit_none_the_network_sees_the_photo_as_it_is():
    segment = segmenter(fit="none", size=(8, 8))
    segment(photo(20, 30))
    assert segment.runner.given.shape == (1, 3, 20, 30)


def test_at_fit_cover_the_network_sees_the_photo_just_covering_that_size():
    segment = segmenter(fit="cover", size=(10, 10))
    segment(photo(20, 30))
    assert segment.runner.given.shape == (1, 3, 10, 15)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_at_fit_cover_an_array_of_floats_gives_what_its_bytes_give(channels):
    segment = segmenter(channels, fit="cover", size=(10, 10))
    as_bytes, as_floats = segment(photo(channels=channels)), segment(photo(channels=channels) / 255)
    np.testing.assert_allclose(as_floats.probability, as_bytes.probability, atol=0.01)


# --- masks and probabilities


@pytest.mark.parametrize(("height", "inner"), [(700, 100), (600, 900), (257, 64), (512, 512)])
def test_the_mask_in_strips_is_the_mask_of_the_whole(height, inner):
    """A tall photo is brought to full size 256 rows at a time; no seam may show."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, inner, 12)).astype(np.float32)
    result = Result(np.zeros((height, 40, 3), dtype=np.uint8), logits, card())
    whole = result.logits()
    top_two = np.sort(whole, axis=0)[-2:]
    clear = top_two[1] - top_two[0] > 1e-3  # a tie may fall either way
    assert clear.mean() > 0.99
    assert np.array_equal(result.mask[clear], whole.argmax(0)[clear])
    np.testing.assert_allclose(result.logits(slice(100, 200)), whole[:, 100:200], atol=1e-3)


def test_the_probability_is_the_softmax_and_sums_to_one():
    result = segmenter()(photo())
    assert result.probability.dtype == np.float32
    np.testing.assert_allclose(result.probability.sum(axis=0), 1, atol=1e-6)
    bright = photo().mean(axis=2) / 255 - 0.5
    np.testing.assert_allclose(result.probability[1], 1 / (1 + np.exp(-2 * bright)), atol=1e-5)
    assert np.array_equal(result.probability.argmax(0), result.mask)


def test_softmax_does_not_overflow():
    assert softmax(np.array([1e4, 0, -1e4], dtype=np.float32)).tolist() == [1, 0, 0]


def test_the_overlay_tints_the_object_and_the_cutout_clears_the_background():
    image = np.full((12, 12, 3), 20, dtype=np.uint8)
    image[3:9, 3:9] = 220
    result = segmenter()(image)
    assert result.overlay().mode == "RGB" and result.cutout().mode == "RGBA"
    assert result.overlay().getpixel((0, 0)) == (20, 20, 20)
    assert result.overlay(opacity=1.0).getpixel((5, 5)) == ORANGE
    assert result.cutout().getpixel((0, 0))[3] == 0
    assert result.cutout().getpixel((5, 5)) == (220, 220, 220, 255)


@pytest.mark.parametrize("channels", [1, 2, 4, 5])
def test_images_of_any_number_of_channels_can_be_shown(channels):
    result = segmenter(channels)(photo(channels=channels))
    assert result.overlay().size == result.cutout().size == (30, 20)


# --- what is written


def test_what_is_saved_is_what_was_computed(tmp_path):
    result = segmenter()(photo())
    written = result.save(tmp_path / "new/photo.png", "mask", "overlay", "cutout", "probability")
    assert [path.name for path in written] == [
        "photo.png", "photo.overlay.png", "photo.cutout.png", "photo.probability.npz",
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in written)
    mask, overlay, cutout, probability = written
    assert np.array_equal(read_mask(mask), result.mask)
    assert np.array_equal(read_image(overlay, 3), np.asarray(result.overlay()))
    assert np.array_equal(np.asarray(Image.open(cutout)), np.asarray(result.cutout()))
    with np.load(probability) as arrays:
        assert arrays["probability"].dtype == np.float16
        np.testing.assert_allclose(arrays["probability"], result.probability, atol=1e-3)


def test_of_several_results_all_are_written_or_none(tmp_path, monkeypatch):
    result = segmenter()(photo())

    def full(self):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Result, "overlay", full)
    with pytest.raises(OneNetError, match=r"photo\.overlay\.png: cannot be written"):
        result.save(tmp_path / "photo.png", "mask", "overlay")
    assert not list(tmp_path.iterdir())


def test_the_mask_alone_is_saved_where_no_kind_is_named(tmp_path):
    assert segmenter()(photo()).save(tmp_path / "photo.png") == [tmp_path / "photo.png"]


@pytest.mark.parametrize(("given", "mask", "overlay"), [
    ("photo", "photo.png", "photo.overlay.png"),
    ("photo.jpg", "photo.jpg.png", "photo.jpg.overlay.png"),
    ("my.photo.png", "my.photo.png", "my.photo.overlay.png"),
])  # fmt: skip
def test_a_mask_is_always_a_png(tmp_path, given, mask, overlay):
    assert segmenter()(photo()).save(tmp_path / given, "mask", "overlay") == [tmp_path / mask, tmp_path / overlay]


@pytest.mark.parametrize("kinds", [["mask"], ["overlay", "mask"]])
def test_the_photo_is_never_overwritten(file, kinds):
    before = file.read_bytes()
    (file.parent / "link.png").symlink_to(file)
    for source in (file, str(file), file.parent / "link.png"):
        with pytest.raises(ConfigError, match=r"photo\.png: the result would overwrite the photo; choose another name"):
            segmenter()(source).save(file, *kinds)
    assert file.read_bytes() == before
    assert sorted(path.name for path in file.parent.iterdir()) == ["link.png", "photo.png"]


def test_only_a_photo_that_came_as_a_file_has_one(file):
    assert segmenter()(str(file)).source == file
    assert segmenter()(file.read_bytes()).source is None
    assert segmenter()(file.read_bytes()).save(file) == [file]  # nobody knows that it is the same
    result = segmenter()(file)
    file.unlink()
    assert result.save(file) == [file]


def test_an_unknown_kind_is_answered_with_the_nearest_and_nothing_is_written(tmp_path):
    with pytest.raises(ConfigError, match="cannot save 'overlays': did you mean overlay"):
        segmenter()(photo()).save(tmp_path / "photo.png", "mask", "overlays")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(OneNetError, match=r"results/photo\.png: cannot be written"):
        segmenter()(photo()).save(tmp_path / "results/photo.png")


# --- what does not fit


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((4, 5), np.uint8), r"\(h, w, 3\), not an array of shape \(4, 5, 1\)"),
        (np.zeros((4, 5, 4), np.uint8), r"shape \(4, 5, 4\)"),
        (np.zeros((3, 4, 5), np.uint8), r"shape \(3, 4, 5\)"),
        (np.zeros((1, 4, 5, 3), np.uint8), r"shape \(1, 4, 5, 3\)"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\)"),
        (np.zeros((4, 5, 3), np.int64), "not int64"),
        (np.zeros((4, 5, 3), bool), "not bool"),
        (np.full((4, 5, 3), 2.0), "holds 2 to 2"),
        (np.full((4, 5, 3), -0.1), "holds -0.1 to -0.1"),
        (np.full((4, 5, 3), np.nan), "holds nan to nan"),
    ],
)
def test_an_array_that_is_no_image_is_refused_with_its_shape_or_values(array, complaint):
    with pytest.raises(ShapeError, match=complaint):
        segmenter()(array)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        segmenter()(tmp_path / "gone.png")


def test_an_image_from_memory_that_turns_out_to_be_truncated_is_refused():
    buffer = io.BytesIO()
    Image.fromarray(photo(40, 40)).save(buffer, "PNG")
    lazy = Image.open(io.BytesIO(buffer.getvalue()[:2000]))  # Pillow decodes it when its pixels are asked for
    with pytest.raises(DataError, match="the image"):
        segmenter()(lazy)


def test_drawing_masks_needs_no_torch():
    code = "import onenet.deploy.segmenter, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
