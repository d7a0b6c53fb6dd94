"""Deep images keep their bits on the way to the network; overlapping classes come out as layers and bit codes."""

import numpy as np
import pytest
from PIL import Image

from onenet.card import Card
from onenet.deploy.runner import Halo
from onenet.deploy.segmenter import Segmenter, layer_names, result_paths
from onenet.errors import ShapeError
from onenet.images import read_mask

CLASSES = ("tumour core", "edema")


class Echo:
    """Keeps what it was given; says that class 0 is left of the middle and class 1 above it."""

    stride, halo = 1, staticmethod(Halo)

    def run(self, images):
        self.given = images
        b, _, h, w = images.shape
        left, above = np.indices((h, w))[1] < w // 2, np.indices((h, w))[0] < h // 2
        return np.where(np.stack([left, above]), 3.0, -3.0).astype(np.float32)[None].repeat(b, axis=0)


def segmenter(channels=1, **changes):
    arguments = {"in_channels": channels, "num_classes": 2}
    return Segmenter(Echo(), Card("onenet-e-4", arguments, CLASSES, ((255, 0, 0), (0, 0, 255)), None, **changes))


@pytest.fixture
def overlapping():
    return segmenter(3, overlapping=True)


DEEP = np.array([[0, 1, 256, 4095], [40000, 65534, 65535, 7]], dtype=np.uint16)


def test_16_bits_reach_the_network_whole(tmp_path):
    segment = segmenter()
    Image.fromarray(DEEP).save(tmp_path / "deep.png")
    for source in (tmp_path / "deep.png", DEEP):
        segment(source)
        assert np.allclose(segment.runner.given[0, 0], DEEP / 65535, atol=1e-7)


def test_the_range_of_values_of_the_training_is_that_of_the_prediction(tmp_path):
    segment = segmenter(value_range=(0.0, 4095.0))
    Image.fromarray(DEEP).save(tmp_path / "deep.png")
    for source in (tmp_path / "deep.png", DEEP):
        result = segment(source)
        assert np.allclose(segment.runner.given[0, 0], np.minimum(DEEP / 4095, 1), atol=1e-6)
        assert result.image.dtype == np.uint8 and result.image[0, 3, 0] == 255
    segment(np.full((4, 4), 0.25, dtype=np.float32))  # floats have been scaled before, as those of a data set
    assert (segment.runner.given == 0.25).all()


def test_many_channels_are_taken_as_they_are_and_shown_in_colour(tmp_path):
    pixels = np.random.default_rng(0).random((8, 6, 5)).astype(np.float32)
    np.save(tmp_path / "five.npy", pixels)
    segment = segmenter(5)
    result = segment(tmp_path / "five.npy")
    assert np.allclose(segment.runner.given[0], pixels.transpose(2, 0, 1), atol=1e-6)
    assert result.overlay().size == (6, 8) and result.overlay().mode == "RGB"


def test_signed_numbers_need_a_range():
    segment = segmenter(value_range=(-100.0, 300.0))
    signed = np.array([[-100, 0, 300, 900]], dtype=np.int16)
    segment(signed)
    assert np.allclose(segment.runner.given[0, 0], [[0, 0.25, 1, 1]])
    with pytest.raises(ShapeError, match=r"holds -100 to 900; bring -100 to 0 and 300 to 1, as in training"):
        segment(signed.astype(np.float32))
    with pytest.raises(ShapeError, match="uint8 or uint16 images or floats in \\[0, 1\\], not int32"):
        segmenter()(np.zeros((4, 4), dtype=np.int32))


def test_overlapping_classes_are_bit_codes_layers_and_sigmoids(overlapping):
    result = overlapping(np.zeros((4, 6, 3), dtype=np.uint8))
    code = [[3, 3, 3, 2, 2, 2]] * 2 + [[1, 1, 1, 0, 0, 0]] * 2  # above, and left
    assert result.mask.tolist() == code
    for index in range(2):
        assert (result.layers[index] == (np.array(code) >> index & 1)).all()
    assert np.allclose(result.probability[:, 0, 5], [1 / (1 + np.exp(3)), 1 / (1 + np.exp(-3))])
    assert np.isfinite(result.probability).all()


def test_a_pixel_is_in_one_layer_where_classes_do_not_overlap():
    result = segmenter(3)(np.zeros((4, 6, 3), dtype=np.uint8))
    assert result.layers.sum(axis=0).tolist() == np.ones((4, 6)).tolist()


def test_each_overlapping_class_has_a_file_beside_the_codes(overlapping, tmp_path):
    result = overlapping(np.full((4, 6, 3), 200, dtype=np.uint8))
    written = result.save(tmp_path / "scan.png", "mask", "overlay", "cutout")
    names = ["scan.png", "scan.overlay.png", "scan.cutout.png", "scan.0-tumour-core.png", "scan.1-edema.png"]
    assert [path.name for path in written] == names
    assert np.array_equal(read_mask(tmp_path / "scan.png"), result.mask)
    for layer, name in zip(result.layers, names[3:], strict=True):
        assert np.array_equal(read_mask(tmp_path / name), layer * np.uint8(255))
    assert (np.asarray(Image.open(tmp_path / "scan.cutout.png"))[..., 3] > 0).tolist() == (result.mask > 0).tolist()
    shown = np.asarray(Image.open(tmp_path / "scan.png").convert("RGB"))
    assert shown[0, 0].tolist() == [128, 0, 128] and shown[3, 5].tolist() == [0, 0, 0]  # both classes, and none


def test_the_overlay_leaves_what_no_class_covers(overlapping):
    photo = np.full((12, 12, 3), 200, dtype=np.uint8)
    drawn = np.asarray(overlapping(photo).overlay())
    assert (drawn[9:, 9:] == 200).all() and not (drawn[9:, :3] == 200).all()


def test_layers_are_written_with_the_mask_only(overlapping):
    names = layer_names(overlapping.card)
    assert set(result_paths("a.png", "overlay", layers=names)) == {"overlay"}
    assert set(result_paths("a.png", layers=names)) == {"mask", *names}
