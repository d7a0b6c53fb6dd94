"""What happens to a training sample: a random window, mirrored or not, with its colours changed.

Image and mask go through the same geometry; masks are resized by nearest neighbour, so no label is ever invented.
All randomness comes from the generator that the caller hands in.
"""

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from onenet.config import AugmentConfig
from onenet.data.sample import Sample
from onenet.images import resize, scaled_size

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def random_window(
    shape: tuple[int, int], size: tuple[int, int], fit: str, augment: AugmentConfig, generator: Generator
) -> tuple[float, float, float, float]:
    """A window (left, top, right, bottom) of an image of `shape`, in its pixels, that becomes a sample of `size`.

    At zoom 1 an object is as large in the sample as it is when whole images are segmented; `augment.scale` varies
    the zoom and `augment.ratio` the proportions. A window larger than the image lies around it.
    """
    zoom = scaled_size(shape, size)[0] / shape[0] if fit == "cover" else 1.0
    zoom *= _log_uniform(augment.scale, generator)
    stretch = math.sqrt(_log_uniform(augment.ratio, generator))
    height, width = size[0] / zoom * stretch, size[1] / zoom / stretch
    top, left = ((length - part) * generator.random() for length, part in ((shape[0], height), (shape[1], width)))
    return left, top, left + width, top + height


def cut_window(pixels: NDArray[np.uint8], box: tuple[float, float, float, float], size: tuple[int, int], method: str
) -> NDArray[np.uint8]:  # fmt: skip
    """The part of an image or mask inside `box`, resized to `size`; beyond the edges it is mirrored."""
    left, top, right, bottom = box
    rows = np.arange(math.floor(top), math.ceil(bottom))
    columns = np.arange(math.floor(left), math.ceil(right))
    part = pixels[_mirrored(rows, pixels.shape[0])][:, _mirrored(columns, pixels.shape[1])]
    inner = (left - columns[0], top - rows[0], right - columns[0], bottom - rows[0])
    return resize(part, size, method, box=inner)


def jitter_colour(image: NDArray[np.uint8], amount: float, generator: Generator) -> NDArray[np.uint8]:
    """Change brightness, contrast and (of colour images) saturation by factors in 1 - amount .. 1 + amount."""
    if amount == 0:
        return image
    brightness, contrast, saturation = generator.uniform(1 - amount, 1 + amount, 3).astype(np.float32)
    x = image.astype(np.float32) * brightness
    x = x.mean() + contrast * (x - x.mean())
    if image.shape[2] == 3:
        grey = x.mean(axis=2, keepdims=True)
        x = grey + saturation * (x - grey)
    return x.round().clip(0, 255).astype(np.uint8)


def augmented(sample: Sample, size: tuple[int, int], fit: str, augment: AugmentConfig, generator: Generator) -> Pair:
    """A training sample of exactly `size`: image (h, w, c) uint8 and mask (h, w) uint8."""
    box = random_window(sample.mask.shape, size, fit, augment, generator)
    image = cut_window(sample.image, box, size, "bilinear")
    mask = cut_window(sample.mask, box, size, "nearest")
    for axis, wanted in ((1, augment.flip), (0, augment.vertical_flip)):
        if wanted and generator.random() < 0.5:
            image, mask = np.flip(image, axis), np.flip(mask, axis)
    return jitter_colour(
        image, augment.colour, generator
    ).copy(), mask.copy()  # contiguous and writable, as torch wants


def _mirrored(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    period = max(1, 2 * length - 2)
    folded = places % period
    return np.where(folded < length, folded, period - folded)


def _log_uniform(bounds: tuple[float, float], generator: Generator) -> float:
    return math.exp(generator.uniform(math.log(bounds[0]), math.log(bounds[1])))
