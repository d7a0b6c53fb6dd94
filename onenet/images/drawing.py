"""Masks made visible: in colours, over their image, as a cut-out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.uint8]
Colours = Sequence[tuple[int, int, int]]


def colourise(mask: Array, colours: Colours) -> Array:
    """Class indices (h, w) as their colours (h, w, 3)."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(colours)] = np.asarray(colours, dtype=np.uint8).reshape(-1, 3)
    return table[mask]


def outline(mask: NDArray, counted: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Where a pixel's label differs from the next one's below or to the right, two pixels wide.

    Args:
        mask: (h, w).
        counted: (h, w) the pixels that have labels; towards others there is no outline. None: all.
    """
    edge = np.zeros(mask.shape, dtype=bool)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    if counted is not None:
        down &= counted[1:] & counted[:-1]
        right &= counted[:, 1:] & counted[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def overlay(image: NDArray, mask: Array, colours: Colours, background: int | None, opacity: float = 0.45) -> Array:
    """The image (h, w, 3) with each class tinted in its colour and outlined; the background stays as it is."""
    image = shown(image)
    tint = colourise(mask, colours)
    tinted = np.ones(mask.shape, dtype=bool) if background is None else mask != background
    mixed = image.astype(np.float32)
    mixed[tinted] += opacity * (tint[tinted].astype(np.float32) - mixed[tinted])
    edge = outline(mask)
    line = np.where((mask == background)[..., None], 255, tint) if background is not None else tint
    mixed[edge] = line[edge]
    return mixed.round().astype(np.uint8)


def cutout(image: NDArray, mask: Array, background: int | None) -> Array:
    """The image as (h, w, 4) RGBA whose background is transparent."""
    alpha = np.full(mask.shape, 255) if background is None else np.where(mask == background, 0, 255)
    return np.dstack([shown(image), alpha.astype(np.uint8)])


def shown(image: NDArray) -> Array:
    """An image (h, w, c), uint8 or float in [0, 1], as one for the eye (h, w, 3): its first three channels, or grey."""
    bytes_ = image if image.dtype == np.uint8 else (image * 255).round().astype(np.uint8)
    return bytes_[..., :3] if image.shape[2] >= 3 else np.repeat(bytes_[..., :1], 3, axis=2)


def overlay_code(image: NDArray, code: Array, colours: Colours, opacity: float = 0.45) -> Array:
    """The image (h, w, 3) with overlapping classes drawn over one another; bit i of `code` is class i, 255 none."""
    drawn = shown(image)
    for index in range(len(colours)):
        there = ((code >> index & 1) & (code != 255)).astype(np.uint8)
        drawn = overlay(drawn, there, [(0, 0, 0), colours[index]], 0, opacity)
    return drawn


def mask_image(mask: Array, colours: Colours) -> Image.Image:
    """A palette image: its values are the class indices, and every viewer shows them in the class colours."""
    image = Image.fromarray(mask)
    image.putpalette(np.asarray(colours, dtype=np.uint8).reshape(-1).tolist())  # makes it a palette image
    return image


def code_colours(colours: Colours) -> list[tuple[int, int, int]]:
    """A colour for every bit code of overlapping classes: the mean of the colours of its classes, black for none."""
    found = []
    for code in range(2 ** len(colours)):
        there = [colour for bit, colour in enumerate(colours) if code >> bit & 1] or [(0, 0, 0)]
        red, green, blue = np.mean(there, axis=0).round().astype(int).tolist()
        found.append((red, green, blue))
    return found
