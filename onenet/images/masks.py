"""Mask files as raw values (h, w), in the encodings that people have.

index    a number per pixel: grey of 1, 8 or 16 bits, a palette image (its indices), an array; also grey saved as RGB
colour   a colour per pixel, as the number 0xRRGGBB
alpha    the object is what is not transparent: 1 where alpha is at least one half
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet.errors import DataError
from onenet.images.reading import open_image
from onenet.images.stacks import is_array, is_stack, read_stack

MASK_ENCODINGS = ("index", "colour", "alpha")

_INDEX_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")


def read_mask(path: str | Path, encoding: str = "index") -> NDArray[np.integer]:
    """Read a mask's raw values as (h, w) integers; of a palette image these are the indices, not the colours.

    Raises:
        DataError: unreadable, or not in this encoding.
    """
    if is_array(path) or is_stack(path):
        return _plane(read_stack(path, str(path)), path)
    image = open_image(path)
    if encoding == "colour":
        return _colour_numbers(image)
    if encoding == "alpha":
        if "A" not in image.getbands() and "transparency" not in image.info:
            raise DataError(f"{path}: has no alpha channel; leave data.mask_encoding out, or save the mask with one")
        return (np.asarray(image.convert("RGBA"))[..., 3] >= 128).astype(np.uint8)
    if image.mode in _INDEX_MODES:
        return np.asarray(image).astype(np.int64 if image.mode.startswith("I") else np.uint8)
    return _grey_values(image, path)


def _grey_values(image: Image.Image, path: str | Path) -> NDArray[np.uint8]:
    """Labels that a program saved as RGB or with an opaque alpha channel: all colours are grey."""
    if image.mode not in ("LA", "PA", "RGB", "RGBA"):
        raise DataError(f"{path}: a mask holds one label per pixel, but this is a {image.mode} image; save it as PNG")
    if image.mode == "PA":
        return np.asarray(image)[..., 0]
    pixels = np.asarray(image.convert("RGBA"))
    if np.ptp(pixels[..., 3]) and not np.ptp(pixels[..., :3], axis=(0, 1)).any():
        raise DataError(f"{path}: the mask is in its alpha channel; set data.mask_encoding=alpha")
    if (pixels[..., 0] != pixels[..., 1]).any() or (pixels[..., 0] != pixels[..., 2]).any():
        numbers = np.unique(_colour_numbers(image))
        shown = ", ".join(f'"#{int(number):06x}"' for number in numbers[:8])
        more = f" ... ({len(numbers)} colours)" if len(numbers) > 8 else ""
        raise DataError(f"{path}: a mask in colours ({shown}{more}); say which colour is which class: "
                        f"data.class_values=[{shown}], or a class table (data.class_table)")  # fmt: skip
    return pixels[..., 0]


def _colour_numbers(image: Image.Image) -> NDArray[np.int64]:
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.int64), -1, 0)
    return red << 16 | green << 8 | blue


def _plane(pixels: NDArray, path: str | Path) -> NDArray[np.integer]:
    if pixels.shape[2] != 1:
        raise DataError(f"{path}: a mask holds one label per pixel, but this has {pixels.shape[2]} planes")
    plane = pixels[..., 0]
    if plane.dtype.kind == "f":
        if not (np.isfinite(plane).all() and (plane == np.floor(plane)).all()):
            raise DataError(f"{path}: a mask holds whole numbers, but this one has fractions")
        plane = plane.astype(np.int64)
    if plane.dtype == np.uint8 or plane.dtype == bool:
        return plane.astype(np.uint8)
    return plane.astype(np.int64)
