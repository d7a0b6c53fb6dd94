"""Tiles give what the whole image gives: networks in float64, a network in whole numbers bit for bit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import onenet
from onenet.deploy.runner import Halo
from onenet.deploy.tiling import ArrayRows, Tiler, block_size, spans
from onenet.errors import ConfigError, ExportError
from onenet.models.eager import EagerRunner

# Each network, and a size whose last tiles are narrow and that is padded on both sides.
NETWORKS = {
    "unet-4": dict(depth=2), "mobilenet-unet-4": dict(depth=3), "onenet-e-4": dict(depth=3),
    "onenet-ed-4": dict(depth=3), "onenet-d-4": dict(depth=2), "onenet-e-4-spatial": dict(depth=2),
    "onenet-ed-4-spatial": dict(depth=3), "onenet-e-4-half": dict(depth=3),
    "onenet-ed-4-half": dict(depth=3, full_size=False),
}  # fmt: skip
SIZE = 101, 90


class Exact:
    """A network in float64."""

    def __init__(self, name, **sizes):
        torch.manual_seed(0)
        model = onenet.create_model(name, width=3, **sizes)
        model(torch.rand(2, 3, 48, 48))  # norms that do something
        self.stride, self.halo = model.stride, EagerRunner(model).halo
        self.model = model.double().eval()

    def run(self, images):
        assert images.dtype == np.float32
        with torch.inference_mode():
            return self.model(torch.from_numpy(images.astype(np.float64))).numpy()


class Counted:
    """A 5x5 box of whole numbers, without rounding; keeps the shapes that it was given."""

    def __init__(self, stride=4):
        self.stride, self.shapes, self.threads = stride, [], set()
        self.halo = lambda: Halo(4, 4, 4, 4)

    def run(self, images):
        self.shapes.append(images.shape)
        self.threads.add(threading.get_ident())
        h, w = images.shape[2:]
        around = np.pad((images * 255).round().astype(np.int64), ((0, 0), (0, 0), (2, 2), (2, 2)))
        total = sum(around[:, :, y : y + h, x : x + w] for y in range(5) for x in range(5))
        return np.concatenate([total, -total], axis=1)


def image(size=SIZE, channels=3, dtype=np.uint8):
    random = np.random.default_rng(0)
    made = random.integers(0, 256, (*size, channels), dtype=np.uint8)
    return made if dtype == np.uint8 else (made / np.float32(255)).astype(np.float32)


def whole(runner, pixels):
    """Logits of the image in one piece."""
    batch = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels
    return runner.run(np.ascontiguousarray(batch.transpose(2, 0, 1)[None], dtype=np.float32))[0]


@pytest.mark.parametrize("side", [None, 16, 40])
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_the_whole_image(name, side):
    runner = Exact(name, **NETWORKS[name])
    expected = whole(runner, image())
    found = Tiler(runner, side).logits(image())
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_a_halo_that_is_one_stride_too_small_shows():
    """What the other tests could not see would be worth nothing."""
    runner = Exact("onenet-e-4", depth=3)
    halo = runner.halo()
    expected = whole(runner, image())
    runner.halo = lambda: Halo(halo.top - 8, halo.bottom, halo.left, halo.right)
    assert abs(Tiler(runner, 16).logits(image()) - expected).max() > 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2), (17, 5), (16, 16), (33, 64), (63, 7)])
@pytest.mark.parametrize("name", ["onenet-e-4", "onenet-ed-4-spatial"])
def test_images_smaller_than_the_padding_too(name, size):
    runner = Exact(name, depth=4)
    np.testing.assert_allclose(Tiler(runner, 16).logits(image(size)), whole(runner, image(size)), rtol=0, atol=1e-9)


def test_torch_in_float32_differs_by_rounding():
    torch.manual_seed(0)
    runner = EagerRunner(onenet.create_model("onenet-e-4", width=8))
    found = Tiler(runner, 64).logits(image((200, 230)))
    np.testing.assert_allclose(found, whole(runner, image((200, 230))), rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("workers", [1, 3])
def test_whole_numbers_are_equal_bit_for_bit(dtype, workers):
    pixels, runner = image(dtype=dtype), Counted()
    padded = np.pad(pixels, ((0, 3), (0, 2), (0, 0)), mode="reflect")  # the networks' rule
    expected = whole(runner, padded)[:, : SIZE[0], : SIZE[1]]
    found = Tiler(runner, 20, workers).logits(pixels)
    assert np.array_equal(found, expected)


def test_all_windows_have_one_shape():
    runner = Counted()
    tiler = Tiler(runner, 20)
    tiler.logits(image())
    assert set(runner.shapes) == {(1, 3, 28, 28)} and len(runner.shapes) == 6 * 5
    assert tiler.windows(SIZE) == (28, 28)
    assert Tiler(runner, 200).windows(SIZE) == (104, 92)


def test_tiles_run_on_several_threads_where_they_may():
    runner = Counted()
    start = threading.Barrier(2, timeout=20)
    run = runner.run
    runner.run = lambda images: (start.wait(), run(images))[1]
    Tiler(runner, 52, workers=2).logits(image((52, 104)))
    assert len(runner.threads) == 2


def test_an_image_is_read_once_from_top_to_bottom_and_little_of_it_is_kept():
    rows, counts = ArrayRows(image((400, 90))), []
    read = rows.read
    rows.read = lambda count: (counts.append(count), read(count))[1]
    for strip in Tiler(Counted(), 20).strips(rows, lambda logits: logits.argmax(0).astype(np.uint8)):
        assert strip.shape == (20, 90) and strip.dtype == np.uint8
    assert sum(counts) == 400 and max(counts) <= 28


@pytest.mark.parametrize(("length", "side", "before", "after"), [
    (64, 16, 0, 0), (64, 16, 8, 16), (40, 16, 8, 8), (8, 16, 4, 4), (100, 20, 20, 0), (48, 48, 8, 8),
])  # fmt: skip
def test_blocks_meet_and_windows_hold_what_they_need(length, side, before, after):
    cut = spans(length, side, before, after)
    assert [place for span in cut for place in range(*span.block)] == list(range(length))
    for span in cut:
        assert 0 <= span.window[0] <= max(span.block[0] - before, 0)
        assert min(span.block[1] + after, length) <= span.window[1] <= length
    assert len({span.window[1] - span.window[0] for span in cut}) == 1


def test_blocks_are_whole_strides_and_larger_where_more_is_repeated():
    assert block_size(Halo(), 16) == (64, 1024) and block_size(Halo(), 16, 100) == (112, 112)
    assert block_size(Halo(32, 32, 32, 32), 16) == (256, 256)
    assert block_size(Halo(96, 96, 96, 96), 16) == (384, 384)
    assert block_size(Halo(544, 512, 544, 512), 32) == (768, 768)
    with pytest.raises(ConfigError, match="a tile of 0 pixels: must be at least 1"):
        block_size(Halo(), 16, 0)


def test_what_cannot_be_cut_is_refused_with_the_reason():
    runner = EagerRunner(onenet.create_model("onenet-ed-4-spatial", width=2, depth=1, spatial_order="channel"))
    with pytest.raises(ExportError, match="rows depend on all rows of an image"):
        Tiler(runner)


def test_one_tiler_serves_many_threads():
    tiler, pixels = Tiler(Counted(), 20), image()
    expected = tiler.logits(pixels)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(found, expected) for found in pool.map(tiler.logits, [pixels] * 8))
