"""What happens to a training sample on the host: its window is cut out, turned, mirrored, and its look changed.

Image and mask go through the same geometry; masks are sampled at the nearest pixel, so no label is ever invented. All
chance is in the `Variation` that was drawn before.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from onenet.data.sample import Sample
from onenet.data.variation import Augmentation, Box, Foreground, Variation, gaussian, hue_turn, to_picture
from onenet.images import resize

Pixels = NDArray[np.uint8] | NDArray[np.float32]
Pair = tuple[Pixels, NDArray[np.uint8]]

_FINEST = 4  # pixels of a picture per pixel of a sample that are worth reading; more are thinned out first


@dataclass(frozen=True)
class Picture:
    """An image (h, w, c) and its mask (h, w), perhaps reduced, of a picture that has `shape` in its file."""

    image: Pixels
    mask: NDArray[np.uint8]
    shape: tuple[int, int]


def augmented(sample: Sample, augmentation: Augmentation, generator: Generator) -> Pair:
    """A training sample of a picture as it was read: image (h, w, c), uint8 or float32, and mask (h, w) uint8."""
    return varied(Picture(sample.image, sample.mask, sample.mask.shape), augmentation, generator)


def varied(picture: Picture, augmentation: Augmentation, generator: Generator) -> Pair:
    """The same of a picture that may have been reduced."""

    def find(share: float) -> tuple[float, float] | None:
        return Foreground(picture.mask, augmentation.background, picture.shape).find(share)

    variation = augmentation.draw(picture.shape, find, generator)
    return apply_variation(picture, variation, augmentation.size, augmentation.mask_size)


def apply_variation(picture: Picture, variation: Variation, size: tuple[int, int], mask_size: tuple[int, int]) -> Pair:
    """Cut, turn and mirror a picture and change its look; the arrays are contiguous and writable, as torch wants."""
    image, mask = picture.image, picture.mask
    box = _scaled(variation.box, picture.shape, mask.shape)
    image, mask, box = _thinned(image, mask, box, size)
    image = cut_turned(image, box, variation.angle, size)
    mask = cut_labels(mask, box, variation.angle, size, mask_size)
    for axis, mirrored in zip((1, 0), variation.mirrored, strict=True):
        if mirrored:
            image, mask = np.flip(image, axis), np.flip(mask, axis)
    return _own(change_look(image, variation)), _own(mask)


def cut_window(pixels: Pixels, box: Box, size: tuple[int, int]) -> Pixels:
    """The part of an image inside `box`, resized to `size` with antialiasing; beyond the edges it is mirrored."""
    left, top, right, bottom = box
    rows = np.arange(math.floor(top), math.ceil(bottom))
    columns = np.arange(math.floor(left), math.ceil(right))
    part = _taken(pixels, rows, columns)
    inner = (left - columns[0], top - rows[0], right - columns[0], bottom - rows[0])
    return resize(part, size, "bilinear", box=inner)


def cut_turned(image: Pixels, box: Box, angle: float, size: tuple[int, int]) -> Pixels:
    """The same of a window that is turned about its centre: a larger one is cut, turned, and its middle kept."""
    if angle == 0:
        return cut_window(image, box, size)
    (height, width), cos, sin = size, abs(math.cos(angle)), abs(math.sin(angle))
    aside = max(0, math.ceil((width * cos + height * sin - width) / 2)) + 1
    above = max(0, math.ceil((width * sin + height * cos - height) / 2)) + 1
    left, top, right, bottom = box
    across, down = (right - left) / width, (bottom - top) / height
    larger = (left - aside * across, top - above * down, right + aside * across, bottom + above * down)
    around = cut_window(image, larger, (height + 2 * above, width + 2 * aside))
    inner = (float(aside), float(above), float(aside + width), float(above + height))
    matrix = tuple(to_picture(inner, angle, size).ravel())
    if image.shape[2] == 3 and image.dtype == np.uint8:
        return np.asarray(_turn(Image.fromarray(around), matrix, size))
    planes = [np.asarray(_turn(Image.fromarray(plane), matrix, size)) for plane in np.moveaxis(around, 2, 0)]
    return np.stack(planes, axis=-1)


def cut_labels(
    mask: NDArray[np.uint8], box: Box, angle: float, size: tuple[int, int], mask_size: tuple[int, int]
) -> NDArray[np.uint8]:
    """The labels under the pixel centres of a grid of `mask_size` over the window that becomes an image of `size`."""
    x = (np.arange(mask_size[1]) + 0.5) * (size[1] / mask_size[1])
    y = (np.arange(mask_size[0]) + 0.5) * (size[0] / mask_size[0])
    (xx, xy, x0), (yx, yy, y0) = to_picture(box, angle, size)
    if angle == 0:
        return _taken(mask, _floor(yy * y + y0), _floor(xx * x + x0))
    rows, columns = _floor(yx * x + (yy * y + y0)[:, None]), _floor(xx * x + (xy * y + x0)[:, None])
    return mask[_mirrored(rows, mask.shape[0]), _mirrored(columns, mask.shape[1])]


def change_look(image: Pixels, variation: Variation) -> Pixels:
    """Colours, then blur, then noise, with one rounding at the end; saturation and hue are of three channels only."""
    if variation.keeps_colours:
        return image
    white = np.float32(255 if image.dtype == np.uint8 else 1)
    x = _colours(image.astype(np.float32), *map(np.float32, variation.colour))
    if variation.hue and x.shape[2] == 3:
        x = x @ hue_turn(variation.hue).T
    if variation.blur:
        x = _blurred(_blurred(x, gaussian(variation.blur), 0), gaussian(variation.blur), 1)
    if variation.noise:
        random = np.random.default_rng(variation.noise_seed)
        x += np.float32(variation.noise) * white * random.standard_normal(x.shape, dtype=np.float32)
    if image.dtype == np.uint8:
        np.rint(x, out=x)
    np.clip(x, 0, white, out=x)
    return x if image.dtype == np.float32 else x.astype(np.uint8)


def _colours(
    x: NDArray[np.float32], brightness: np.float32, contrast: np.float32, saturation: np.float32
) -> NDArray[np.float32]:
    if brightness != 1 or contrast != 1:
        mean = x.mean(dtype=np.float32) * brightness
        x = x * (brightness * contrast) + (1 - contrast) * mean
    if x.shape[2] == 3 and saturation != 1:
        grey = x @ np.full((3, 1), 1 / 3, dtype=np.float32)  # the mean, faster
        x = saturation * x + (1 - saturation) * grey
    return x


def _blurred(x: NDArray[np.float32], weights: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    length, reach = x.shape[axis], len(weights) // 2
    padded = x.take(_mirrored(np.arange(-reach, length + reach), length), axis)
    total = np.zeros_like(x)
    for step, weight in enumerate(weights):
        total += weight * (padded[step : step + length] if axis == 0 else padded[:, step : step + length])
    return total


def _thinned(
    image: Pixels, mask: NDArray[np.uint8], box: Box, size: tuple[int, int]
) -> tuple[Pixels, NDArray[np.uint8], Box]:
    """A window of very many pixels is cut from a smaller copy, lest it fill the memory."""
    steps = (box[3] - box[1]) / size[0], (box[2] - box[0]) / size[1]
    parts = [max(1, int(step // _FINEST)) for step in steps]
    if parts == [1, 1]:
        return image, mask, box
    shape = mask.shape
    small = (-(-shape[0] // parts[0]), -(-shape[1] // parts[1]))
    return resize(image, small), resize(mask, small, "nearest"), _scaled(box, shape, small)


def _scaled(box: Box, shape: tuple[int, ...], to: tuple[int, ...]) -> Box:
    down, across = to[0] / shape[0], to[1] / shape[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def _turn(image: Image.Image, matrix: tuple[float, ...], size: tuple[int, int]) -> Image.Image:
    return image.transform((size[1], size[0]), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _taken(pixels: NDArray, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray:
    return pixels[_mirrored(rows, pixels.shape[0])][:, _mirrored(columns, pixels.shape[1])]


def _floor(places: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(places).astype(np.int64)


def _mirrored(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    if places.size and places.min() >= 0 and places.max() < length:
        return places  # as almost always, and several times quicker
    period = max(1, 2 * length - 2)
    folded = places % period
    return np.where(folded < length, folded, period - folded)


def _own(pixels: Any) -> Any:
    """Contiguous and writable, and no part of the picture itself."""
    return np.array(pixels, order="C")
