"""Mask files as raw values (h, w), in the encodings that people have.

index    a number per pixel: grey of 1 to 16 bits, a palette image (its indices), an array; also grey saved as RGB
colour   a colour per pixel, as the number 0xRRGGBB
alpha    the object is what is not transparent: 1 where alpha is at least one half
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from onenet.errors import DataError
from onenet.images.decoding import first_bytes, open_image
from onenet.images.stacks import colours_first, is_array, is_stack, read_stack, stack_shape
from onenet.images.tiff import TiffHeader, is_tiff, tiff_header

MASK_ENCODINGS = ("index", "colour", "alpha")

_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_SHOWN = 8
_MOST_COLOURS = 64  # that can be meant
_LARGEST = 1 << 31  # far more than labels need, and exact in floats
_LOSSY = (".jpg", ".jpeg", ".webp")


def read_mask(path: str | Path, encoding: str = "index") -> NDArray[np.integer]:
    """Read a mask's raw values as (h, w) integers; of a palette image these are the indices, not the colours.

    A mask is turned as its EXIF orientation says, like a photo. A TIFF whose zero is white (as ImageJ and tifffile
    write masks) has the numbers of its file, although viewers invert it.

    Raises:
        DataError: unreadable, or not in this encoding.
    """
    if is_array(path) or is_stack(path) or (encoding == "index" and _is_negative(path)):
        return _plane(read_stack(path, str(path)), encoding, path)
    image = _upright(open_image(path), path)
    if encoding == "colour" and image.mode.startswith("I"):
        return _grey_colours(np.asarray(image), path)
    if encoding == "colour":
        return _colour_numbers(np.asarray(image.convert("RGBA" if "transparency" in image.info else "RGB")))
    if encoding == "alpha":
        if "A" not in image.getbands() and "transparency" not in image.info:
            raise _no_alpha(path)
        return (np.asarray(image.convert("RGBA"))[..., 3] >= 128).astype(np.uint8)
    if image.mode in ("1", "L", "P"):
        return np.asarray(image).astype(np.uint8) // np.uint8(_grey_step(path) if image.mode == "L" else 1)
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


def _is_negative(path: str | Path) -> bool:
    header = _tiff(path)
    return header is not None and header.negative


def _tiff(path: str | Path) -> TiffHeader | None:
    """The header of a TIFF; None of another file, and of one of which Pillow must say what is wrong."""
    try:
        return tiff_header(path, str(path)) if is_tiff(path) else None
    except DataError:
        return None


def _grey_step(path: str | Path) -> int:
    """How far apart Pillow puts neighbouring greys: those of 2 and 4 bits are stretched to 255."""
    begin = first_bytes(path, 25)
    header = None if begin.startswith(_PNG) else _tiff(path)
    bits = begin[24] if begin.startswith(_PNG) else header.bits if header else 8  # in PNG after width and height
    return {2: 85, 4: 17}.get(bits, 1)


def _no_alpha(path: str | Path) -> DataError:
    return DataError(f"{path}: has no alpha channel; leave data.mask_encoding out, or save the mask with one")


def _grey_values(image: Image.Image, path: str | Path) -> NDArray[np.integer]:
    """Labels of an image with more than one value per pixel."""
    if image.mode == "PA":
        return np.asarray(image)[..., 0]
    if image.mode not in ("LA", "RGB", "RGBA"):
        raise DataError(f"{path}: a mask holds one label per pixel, but this is a {image.mode} image; save it as PNG")
    pixels = np.asarray(image.convert("RGBA"))
    return _first_of_equal(pixels[..., :3], pixels[..., 3:], path)


def _first_of_equal(colours: NDArray, alpha: NDArray, path: str | Path) -> NDArray:
    """Labels that a program saved as RGB or with an opaque alpha channel: all colours are grey."""
    if alpha.size and np.ptp(alpha) and not np.ptp(colours, axis=(0, 1)).any():
        raise DataError(f"{path}: the mask is in its alpha channel; set data.mask_encoding=alpha")
    if colours.shape[2] > 1 and (colours != colours[..., :1]).any():
        raise _coloured(np.unique(_colour_numbers(colours)), path)
    return colours[..., 0]


def _coloured(numbers: NDArray[np.integer], path: str | Path) -> DataError:
    if lossy(path) and len(numbers) > _MOST_SHOWN:
        return DataError(f"{path}: a mask in colours ({len(numbers)}), for lossy compression has changed them; "
                         "save masks as PNG")  # fmt: skip
    if len(numbers) > _MOST_COLOURS:
        return DataError(f"{path}: a mask in colours ({len(numbers)}): it looks like a photo, or like a mask with "
                         "smoothed outlines; save a plain colour or number per class")  # fmt: skip
    shown = ",".join(f'"#{int(number):06x}"' for number in numbers[:_MOST_SHOWN])
    more = f" ... ({len(numbers)} colours)" if len(numbers) > _MOST_SHOWN else ""
    return DataError(f"{path}: a mask in colours ({shown}{more}); say which colour is which class, the background "
                     "first, with data.class_values or a class table; `onenet data check` counts the colours and "
                     "writes the setting")  # fmt: skip


def _colour_numbers(pixels: NDArray) -> NDArray[np.int64]:
    pixels = pixels >> 8 if pixels.dtype == np.uint16 else pixels
    red, green, blue = np.moveaxis(pixels[..., :3].astype(np.int64), -1, 0)
    return red << 16 | green << 8 | blue


def _grey_colours(plane: NDArray, path: str | Path) -> NDArray[np.int64]:
    """Greys as colours, where a file holds them in more than 8 bits."""
    greys = _whole(plane, path).astype(np.int64)
    if greys.min() < 0 or greys.max() > 255:
        value = greys.min() if greys.min() < 0 else greys.max()
        raise DataError(f"{path}: holds the number {value}, but colours go from 0 to 255; set data.mask_encoding=index "
                        "if its numbers are classes")  # fmt: skip
    return greys * 0x010101


def _plane(pixels: NDArray, encoding: str, path: str | Path) -> NDArray[np.integer]:
    """The values (h, w) of an array or stack."""
    planes, deep_colours = stack_shape(path, str(path))[2], colours_first(path)
    colours, alpha = pixels[..., :planes], pixels[..., planes:]
    if encoding == "alpha":
        if alpha.shape[2] != 1 or pixels.dtype.kind != "u":
            raise _no_alpha(path)
        return (alpha[..., 0] > np.iinfo(pixels.dtype).max // 2).astype(np.uint8)
    if encoding == "colour":
        if planes == 1:
            return _grey_colours(colours[..., 0], path)
        if planes not in (3, 4) or not (pixels.dtype == np.uint8 or (pixels.dtype == np.uint16 and deep_colours)):
            raise DataError(f"{path}: a mask in colours has 3 planes of 8 bits, not {planes} of {pixels.dtype}")
        return _colour_numbers(colours)
    if planes != 1 and not (planes == 3 and deep_colours and pixels.dtype in (np.uint8, np.uint16)):
        raise DataError(f"{path}: a mask holds one label per pixel, but this has {planes} planes; save it with one, "
                        "or give masks of several classes a file per class (data.overlapping=true)")  # fmt: skip
    return _whole(_first_of_equal(colours, alpha, path), path)


def _whole(plane: NDArray, path: str | Path) -> NDArray[np.integer]:
    if plane.dtype in (np.uint8, np.bool_):
        return plane.astype(np.uint8)
    if plane.dtype.kind == "f" and not (np.isfinite(plane).all() and (plane == np.floor(plane)).all()):
        raise DataError(f"{path}: a mask holds whole numbers, but this one has fractions; save its labels as PNG")
    largest = max(-float(plane.min()), float(plane.max()))
    if largest > _LARGEST:
        raise DataError(f"{path}: holds numbers that are too large to be labels, as {largest:.6g}; save its labels as "
                        "PNG")  # fmt: skip
    return plane.astype(np.int64)
