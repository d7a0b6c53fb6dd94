"""The true footprint of any function of images: what a single pixel of NaN does to its output, in float64."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def nan():
    """The functions of this file."""
    return SimpleNamespace(seen=seen, around=around, blocks=blocks)


def seen(function, size, channels=1, pixels=None):
    """Which places of the output see which pixels: (pixels, h', w') bool, and the pixels (row, column)."""
    if pixels is None:
        pixels = [(row, column) for row in range(size[0]) for column in range(size[1])]
    images = torch.full((len(pixels), channels, *size), 0.5, dtype=torch.float64)
    for image, (row, column) in zip(images, pixels, strict=True):
        image[:, row, column] = torch.nan
    with torch.inference_mode():
        chunks = [function(chunk).isnan().any(1) for chunk in images.split(64)]
    return torch.cat(chunks).numpy(), np.array(pixels)


def around(marked, pixels, rows, columns):
    """The smallest rows and columns that hold all pixels which some rows and columns of the output see."""
    inside = pixels[marked[:, slice(*rows), slice(*columns)].any((1, 2))]
    return [(int(axis.min()), int(axis.max()) + 1) for axis in inside.T]


def blocks(size, step):
    """Some intervals of whole steps of an axis: each step, pairs of them, and all."""
    starts = range(0, size, step)
    return [(a, min(a + n * step, size)) for n in (1, 2) for a in starts] + [(0, size)]
