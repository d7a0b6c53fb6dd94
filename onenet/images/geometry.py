"""Sizes: resize, the size at which an image covers another, and the one padding rule of networks and tiles."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RESAMPLE = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR}

Box = tuple[float, float, float, float]


def resize(image: NDArray, size: tuple[int, int], method: str = "bilinear", box: Box | None = None) -> NDArray:
    """Resize (h, w) or (h, w, c) to `size` = (height, width); bilinear with antialiasing, or nearest for labels.

    `box` = (left, top, right, bottom) in pixels of the input takes a part of it, fractions allowed.
    """
    if image.shape[:2] == size and box is None:
        return image
    if image.ndim == 3 and (image.shape[2] != 3 or image.dtype != np.uint8):  # Pillow has none, or blends alpha
        planes = [resize(image[..., c], size, method, box) for c in range(image.shape[2])]
        return np.stack(planes, axis=-1)
    resized = Image.fromarray(image).resize((size[1], size[0]), RESAMPLE[method], box=box)
    return np.asarray(resized)


def scaled_size(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The size at which an image of `size` just covers `target`, its proportions kept.

    A very long and narrow image covers it only in part: none is enlarged beyond 4 times the target's longer side, so
    that 4 x 400 becomes 10 x 1024 for a target of 256, and not 256 x 25600.
    """
    factor = max(target[0] / size[0], target[1] / size[1])
    factor = min(factor, max(1.0, 4 * max(target) / max(size)))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def reflected(length: int, padded: int) -> NDArray[np.int64]:
    """Which of `length` pixels stands at each of `padded` places: the line itself, then mirrored back and forth.

    This is the one padding rule of networks and tiles: reflection without repeating the edge, repeated where the
    line is shorter than the pad (what `numpy.pad(mode="reflect")` does on one side).
    """
    if length == 1:
        return np.zeros(padded, dtype=np.int64)
    place = np.arange(padded) % (2 * length - 2)
    return np.where(place < length, place, 2 * length - 2 - place)


def padded_to(length: int, stride: int) -> int:
    """The next multiple of `stride`."""
    # Without negative numbers, whose quotient exporters round towards zero.
    return (length + stride - 1) // stride * stride
