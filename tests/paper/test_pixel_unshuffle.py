"""Section 3.1, equation 1, and Algorithm 1 of section 3.3: both, read without their misprints, are `Unshuffle`."""

import numpy as np
import pytest
import torch

from onenet.layers.shuffle import Shuffle, Unshuffle

SHAPES = [(1, 1, 2, 2), (2, 3, 4, 6), (1, 5, 8, 2)]  # b c h w, never square where it matters


def numbered(*shape: int) -> torch.Tensor:
    """A tensor in which every element is another number, so that a wrong index shows."""
    return torch.arange(np.prod(shape), dtype=torch.float32).reshape(shape)


def equation_1(x: np.ndarray, s: int) -> np.ndarray:
    """D(X)[i, a, b] = X[i // s^2, s a + (i mod s^2) // s, s b + i mod s]."""
    c, h, w = x.shape
    d = np.empty((s * s * c, h // s, w // s), dtype=x.dtype)
    for i in range(s * s * c):
        for a in range(h // s):
            for b in range(w // s):
                d[i, a, b] = x[i // s**2, s * a + i % s**2 // s, s * b + i % s]
    return d


def algorithm_1(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(b, c, h*w) -> (b, h*w*c): rows outside, t with its row stride; the rest as printed."""
    b, c, _ = x.shape
    places = []
    for j in range(height // 2):
        for i in range(width // 2):
            t = 2 * i + 2 * j * width
            places += [t, t + 1, t + width, t + width + 1]
    return x[:, :, places].reshape(b, c, -1, 4).permute(0, 2, 1, 3).flatten(1)


def algorithm_1_as_printed(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    b, c, _ = x.shape
    places = []
    for i in range(width // 2):
        for j in range(height // 2):
            t = 2 * i + 2 * j
            places += [t, t + 1, t + width, t + width + 1]
    return x[:, :, places].reshape(b, c, -1, 4).permute(0, 2, 1, 3).flatten(1)


def pixel_major(x: torch.Tensor) -> torch.Tensor:
    """(b, c, h, w) -> (b, h*w*c), all channels of a pixel side by side."""
    return x.permute(0, 2, 3, 1).flatten(1)


@pytest.mark.parametrize("shape", SHAPES)
def test_unshuffle_is_equation_1(shape):
    x = numbered(*shape)
    for image, got in zip(x, Unshuffle()(x), strict=True):
        assert np.array_equal(got.numpy(), equation_1(image.numpy(), s=2))


@pytest.mark.parametrize("shape", SHAPES)
def test_unshuffle_is_algorithm_1_on_one_axis(shape):
    x = numbered(*shape)
    assert torch.equal(algorithm_1(x.flatten(2), *shape[2:]), pixel_major(Unshuffle()(x)))


def test_algorithm_1_as_printed_is_something_else():
    x = numbered(2, 3, 4, 6)
    assert not torch.equal(algorithm_1_as_printed(x.flatten(2), 4, 6), pixel_major(Unshuffle()(x)))


@pytest.mark.parametrize("shape", SHAPES)
def test_shuffle_is_the_inverse(shape):
    x = numbered(*shape)
    assert torch.equal(Shuffle()(Unshuffle()(x)), x)


def test_four_of_them_leave_a_sixteenth():
    """3.1: s^L = 16 for s = 2 and L = 4; the text's "SL" is s to the power of L."""
    x = numbered(1, 1, 32, 48)
    for _ in range(4):
        x = Unshuffle()(x)
    assert x.shape == (1, 16 * 16, 2, 3)
