"""Mask files as raw values (h, w), in the encodings that people have.

index    a number per pixel: grey of 1, 8 or 16 bits, a palette image (its indices), an array; also grey saved as RGB
colour   a colour per pixel, as the number 0xRRGGBB
alpha    the object is what is not transparent: 1 where alpha is at least one half
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from onenet.errors import DataError
from onenet.images.decoding import open_image
from onenet.images.stacks import is_array, is_stack, read_stack

MASK_ENCODINGS = ("index", "colour", "alpha")

_MOST_SHOWN = 8
_LOSSY = (".jpg", ".jpeg", ".webp")


def read_mask(path: str | Path, encoding: str = "index") -> NDArray[np.integer]:
    """Read a mask's raw values as (h, w) integers; of a palette image these are the indices, not the colours.

    A mask is turned as its EXIF orientation says, like a photo.

    Raises:
        DataError: unreadable, or not in this encoding.
    """
    if is_array(path) or is_stack(path):
        return _plane(read_stack(path, str(path)), encoding, path)
    image = _upright(open_image(path), path)
    if encoding == "colour":
        return _colour_numbers(np.asarray(image.convert("RGB")))
    if encoding == "alpha":
        if "A" not in image.getbands() and "transparency" not in image.info:
            raise _no_alpha(path)
        return (np.asarray(image.convert("RGBA"))[..., 3] >= 128).astype(np.uint8)
    if image.mode in ("1", "L", "P"):
        return np.asarray(image).astype(np.uint8)
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.int64)
    return _grey_values(image, path)


def lossy(path: str | Path) -> bool:
    """Whether a mask's format changes labels, to judge by its ending."""
    return Path(path).suffix.lower() in _LOSSY


def _upright(image: Image.Image, path: str | Path) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow raises many kinds for broken camera data
        raise DataError(f"{path}: the mask cannot be turned upright ({error}); save it without camera data") from None


def _no_alpha(path: str | Path) -> DataError:
    return DataError(f"{path}: has no alpha channel; leave data.mask_encoding out, or save the mask with one")


def _grey_values(image: Image.Image, path: str | Path) -> NDArray[np.uint8]:
    """Labels that a program saved as RGB or with an opaque alpha channel: all colours are grey."""
    if image.mode == "PA":
        return np.asarray(image)[..., 0]
    if image.mode not in ("LA", "RGB", "RGBA"):
        raise DataError(f"{path}: a mask holds one label per pixel, but this is a {image.mode} image; save it as PNG")
    pixels = np.asarray(image.convert("RGBA"))
    if np.ptp(pixels[..., 3]) and not np.ptp(pixels[..., :3], axis=(0, 1)).any():
        raise DataError(f"{path}: the mask is in its alpha channel; set data.mask_encoding=alpha")
    if (pixels[..., 0] != pixels[..., 1]).any() or (pixels[..., 0] != pixels[..., 2]).any():
        raise _coloured(np.unique(_colour_numbers(pixels)), path)
    return pixels[..., 0]


def _coloured(numbers: NDArray[np.integer], path: str | Path) -> DataError:
    if lossy(path) and len(numbers) > _MOST_SHOWN:
        return DataError(f"{path}: a mask in {len(numbers)} colours, for lossy compression has changed them; "
                         "save masks as PNG")  # fmt: skip
    shown = ",".join(f'"#{int(number):06x}"' for number in numbers[:_MOST_SHOWN])
    more = f" ... ({len(numbers)} colours)" if len(numbers) > _MOST_SHOWN else ""
    every = shown + (",..." if more else "")
    return DataError(f"{path}: a mask in colours ({shown}{more}); say which colour is which class, in their order: "
                     f"data.class_values=[{every}], or a class table (data.class_table)")  # fmt: skip


def _colour_numbers(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    red, green, blue = np.moveaxis(pixels[..., :3].astype(np.int64), -1, 0)
    return red << 16 | green << 8 | blue


def _plane(pixels: NDArray, encoding: str, path: str | Path) -> NDArray[np.integer]:
    planes = pixels.shape[2]
    if encoding == "alpha":
        raise _no_alpha(path)
    if encoding == "colour":
        if planes not in (1, 3, 4) or pixels.dtype != np.uint8:
            raise DataError(f"{path}: a mask in colours has 3 planes of 8 bits, not {planes} of {pixels.dtype}")
        return _colour_numbers(np.repeat(pixels, 3, axis=2) if planes == 1 else pixels)
    if planes != 1:
        raise DataError(f"{path}: a mask holds one label per pixel, but this has {planes} planes; save it with one, "
                        "or give masks of several classes a file per class (data.overlapping=true)")  # fmt: skip
    plane = pixels[..., 0]
    if plane.dtype.kind == "f":
        if not (np.isfinite(plane).all() and (plane == np.floor(plane)).all()):
            raise DataError(f"{path}: a mask holds whole numbers, but this one has fractions; save its labels as PNG")
        plane = plane.astype(np.int64)
    return plane.astype(np.uint8) if plane.dtype in (np.uint8, np.bool_) else plane.astype(np.int64)
