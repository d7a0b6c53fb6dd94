import numpy as np
import pytest
import torch
from PIL import Image

import onenet
from onenet.card import Card, default_colours
from onenet.deploy.description import Description
from onenet.deploy.exported import FlatRunner, ImageRunner, as_logits, pad_to_stride
from onenet.deploy.runner import Halo, Runner
from onenet.errors import ExportError
from onenet.models.network import PadToStride

RUNTIMES = ["onnxruntime", "openvino"]
CARD = Card("x", {"in_channels": 2, "num_classes": 2}, ("a", "b"), default_colours(2), stride=4)


def image_of(height, width, seed=0):
    return np.random.default_rng(seed).random((2, 3, height, width), dtype=np.float32)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("file", ["ed.onnx", "ed.flat.onnx", "e.onnx"])
@pytest.mark.parametrize("size", [(64, 48), (61, 35), (1, 1), (3, 130)])
def test_any_size_gives_the_networks_own_logits(file, runtime, size, exported_files, flat, conv):
    images = image_of(*size)
    network = (conv if file.startswith("e.") else flat).network
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    runner = onenet.Segmenter(exported_files / file, runtime=runtime).runner
    assert isinstance(runner, Runner)
    assert np.abs(runner.run(images) - expected).max() < 1e-4


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_int8_rows_are_computed_alike_however_they_are_cut_into_blocks(runtime, exported_files):
    runner = onenet.Segmenter(exported_files / "ed.flat.int8.onnx", runtime=runtime, threads=2).runner
    images = image_of(96, 100)
    whole = runner.run(images)
    runner.block = 16 * 5
    assert np.array_equal(runner.run(images), whole)


@pytest.mark.parametrize("suffix", ["", ".flat", ".int8", ".flat.int8"])
def test_a_photo_gets_the_mask_of_the_checkpoint(suffix, exported_files):
    pixels = np.asarray(Image.effect_mandelbrot((90, 70), (-2, -1.5, 1, 1.5), 80).convert("RGB"))
    mask = onenet.Segmenter(exported_files / f"ed{suffix}.onnx", runtime="onnxruntime")(pixels).mask
    expected = onenet.Segmenter(exported_files / "ed.safetensors")(pixels).mask
    assert (mask == expected).mean() > (0.95 if "int8" in suffix else 0.9999)


def test_padding_is_the_networks_own():
    images = image_of(5, 7)
    assert np.array_equal(pad_to_stride(images, 4), PadToStride(4)(torch.from_numpy(images)).numpy())
    assert pad_to_stride(images[..., :4, :4], 4) is not None


def doubled(images):
    """As a graph: logits (value, 1 - value) of the first channel."""
    return np.stack([images[:, 0], 1 - images[:, 0]], axis=1)


def test_logits_at_half_size_are_cropped_to_half_size():
    runner = ImageRunner(lambda images: doubled(images)[:, :, ::2, ::2], CARD, Description())
    images = np.random.default_rng(0).random((1, 2, 6, 9), dtype=np.float32)
    assert np.array_equal(runner.run(images), doubled(images)[:, :, ::2, ::2])


def test_bytes_are_given_where_a_graph_wants_bytes():
    seen = []

    def session(pixels):
        seen.append(pixels)
        return doubled(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)

    pixels = np.random.default_rng(0).integers(0, 256, (1, 2, 4, 8), dtype=np.uint8)
    ImageRunner(session, CARD, Description(input="bytes")).run(pixels.astype(np.float32) / np.float32(255))
    assert seen[0].dtype == np.uint8 and np.array_equal(seen[0], pixels.transpose(0, 2, 3, 1))


def test_decisions_stand_for_logits_that_are_sure_of_them():
    classes = np.array([[[0, 1], [1, 0]]], dtype=np.uint8)
    runner = ImageRunner(lambda images: classes, CARD.replace(stride=1), Description(output="classes"))
    assert runner.decided
    logits = runner.run(np.zeros((1, 2, 2, 2), dtype=np.float32))
    assert np.array_equal(logits.argmax(1), classes)
    codes = np.array([[[0, 3]]], dtype=np.uint8)
    assert (as_logits(codes, CARD.replace(overlapping=True)) > 0)[0].tolist() == [[[False, True]], [[False, True]]]


def test_rows_that_do_not_fill_a_block_are_filled_up():
    shapes = []

    def session(rows):
        shapes.append(rows.shape)
        return rows[:, :2]

    runner = FlatRunner(session, CARD, Description(input="pixels", tile=4), threads=1)
    images = np.random.default_rng(0).random((2, 2, 12, 8), dtype=np.float32)
    assert np.array_equal(runner.run(images), images)
    assert set(shapes) == {(runner.block, 2)}


def test_how_far_a_graph_looks_is_in_its_description_or_looked_for():
    assert ImageRunner(doubled, CARD, Description(halo=Halo(4, 4, 4, 4))).halo() == Halo(4, 4, 4, 4)
    assert ImageRunner(doubled, CARD, Description(), lambda: Halo(8, 8, 8, 8)).halo() == Halo(8, 8, 8, 8)
    assert FlatRunner(doubled, CARD, Description(input="pixels", tile=4), 1).halo() == Halo()
    with pytest.raises(ExportError, match="not known"):
        ImageRunner(doubled, CARD, Description()).halo()
