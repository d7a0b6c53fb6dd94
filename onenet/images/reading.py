"""Image files as pixels (h, w, c): photos, deep and multispectral TIFF, NumPy arrays.

8-bit pixels stay uint8; deeper ones become float32 in [0, 1], so that nothing of them is lost.
"""

import io
import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from onenet.errors import DataError, describe_os_error
from onenet.images.stacks import is_array, is_stack, read_stack, stack_shape

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".npy")

Source = str | Path | bytes
Pixels = NDArray[np.uint8] | NDArray[np.float32]
Range = tuple[float, float]

FULL_RANGE: Range = (0.0, 0.0)
_GREY = ("1", "L", "I", "I;16", "I;16B", "I;16L", "F", "LA")


def name_of(source: Source) -> str:
    """How an image is called in messages."""
    return "the image given as bytes" if isinstance(source, bytes) else str(source)


def open_image(source: Source) -> Image.Image:
    """Decode a file (or its bytes) completely, so that a damaged one fails here, with its name."""
    name = name_of(source)
    try:
        if (len(source) if isinstance(source, bytes) else os.path.getsize(source)) == 0:
            raise DataError(f"{name}: the file is empty; replace or remove it")
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            image.load()
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{name}: not an image that can be read; replace or remove it") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: {error}") from None
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError) as error:
        reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
        raise DataError(f"{name}: the image is damaged or unreadable ({reason}); replace or remove it") from None
    return image


def read_image(source: Source, channels: int, value_range: Range = FULL_RANGE) -> Pixels:
    """Read an image upright as (h, w, c), uint8 or float32 in [0, 1].

    Args:
        source: a file, or the bytes of one.
        channels: 1 makes grey and 3 makes RGB of a photo; other numbers must be what the file has.
        value_range: pixel values that become 0 and 1; (0, 0) for the whole range of 8 or 16 bits.

    Raises:
        DataError: the file is missing, empty, truncated or not an image, or has no form with `channels` channels.
    """
    name = name_of(source)
    if is_array(source) or is_stack(source):
        stack = read_stack(source, name)
        if is_array(source) or stack.shape[2] == channels:
            return scaled_pixels(_with_channels(stack, channels, name), value_range, name)
    return to_channels(open_image(source), channels, name, value_range)


def to_channels(image: Image.Image, channels: int, name: str, value_range: Range = FULL_RANGE) -> Pixels:
    """Pixels (h, w, c) with 1 (grey), 3 (RGB) or 4 (RGB and alpha) channels; the EXIF orientation is applied."""
    if channels not in (1, 3) and not (channels == 4 and image.mode == "RGBA"):
        raise DataError(f"{name}: has {len(image.getbands())} channels, but the model takes {channels}")
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            deep = _deep_pixels(image, value_range, name)[..., None]
            return np.repeat(deep, channels, axis=2)
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        pixels = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    except (OSError, SyntaxError, ValueError, TypeError, struct.error) as error:
        reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
        raise DataError(f"{name}: cannot be turned upright or into {channels} channels ({reason})") from None
    return scaled_pixels(pixels.reshape(*pixels.shape[:2], channels), value_range, name)


def _deep_pixels(image: Image.Image, value_range: Range, name: str) -> NDArray[np.float32]:
    """Grey pixels of more than 8 bits as float32 in [0, 1].

    16-bit files ("I;16") have one scale, so that a dark photo stays dark. A 32-bit one ("I", "F") does not say its
    own: values up to 255 are bytes, larger ones have 16 bits, floats up to 1 are taken as they are.
    """
    deep = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if value_range == FULL_RANGE:
        top = deep.max(initial=0)
        white = 1.0 if image.mode == "F" and top <= 1 else 255.0 if image.mode in ("I", "F") and top <= 255 else 65535.0
        value_range = (0.0, white)
    return scaled_pixels(deep, value_range, name).astype(np.float32)


def scaled_pixels(pixels: NDArray, value_range: Range, name: str) -> Pixels:
    """Pixel values brought to [0, 1] as float32; uint8 without a range of its own stays as it is.

    Raises:
        DataError: floats beyond [0, 1], or signed integers, without a `value_range`.
    """
    if value_range == FULL_RANGE:
        if pixels.dtype == np.uint8:
            return pixels
        if pixels.dtype == np.uint16:
            return pixels.astype(np.float32) / np.float32(65535)
        if pixels.dtype == bool:
            return pixels.astype(np.uint8) * np.uint8(255)
        value_range = (0.0, 1.0)
        low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
        if not 0 <= low <= high <= 1:
            raise DataError(
                f"{name}: holds {pixels.dtype} values from {low:.6g} to {high:.6g}; say which of them are black and "
                f"white, for example data.value_range=[{low:.6g},{high:.6g}]"
            )
    black, white = value_range
    scaled = (np.nan_to_num(pixels.astype(np.float64)) - black) / ((white - black) or 1.0)
    return scaled.clip(0, 1).astype(np.float32)


def _with_channels(pixels: NDArray, channels: int, name: str) -> NDArray:
    """The channels that a model takes; a single one can stand for three."""
    have = pixels.shape[2]
    if have == channels:
        return pixels
    if have == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=2)
    raise DataError(f"{name}: has {have} channels, but the model takes {channels}")


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) upright, from the file's header alone where it can be read.

    Raises:
        DataError: the file is missing, empty, damaged or not an image.
    """
    if is_array(path) or is_stack(path):
        return stack_shape(path, str(path))[:2]
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) >= 5
    except Exception:  # Pillow raises many kinds for a damaged header; reading it whole says what is wrong
        (width, height), turned = open_image(path).size, False
    return (width, height) if turned else (height, width)


def channel_count(path: str | Path) -> int:
    """How many channels a file has, from its header: 1 for grey, 3 for colour (alpha aside), more in TIFF and NPY.

    Raises:
        DataError: the file is missing, empty, damaged or not an image.
    """
    if is_array(path) or is_stack(path):
        return stack_shape(path, str(path))[2]
    try:
        with Image.open(path) as image:
            return 1 if image.mode in _GREY else 3
    except (OSError, SyntaxError, ValueError):
        return 1 if open_image(path).mode in _GREY else 3
