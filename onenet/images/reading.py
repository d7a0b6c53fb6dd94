"""Image files as pixels (h, w, c): photos, deep and multispectral TIFF, NumPy arrays.

8-bit pixels stay uint8; deeper ones become float32 in [0, 1], so that nothing of them is lost.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from onenet.errors import DataError, describe_os_error
from onenet.images.decoding import Source, name_of, open_image, picture_size
from onenet.images.stacks import colours_first, is_array, is_stack, read_stack, stack_shape
from onenet.images.tiff import is_tiff

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".npy")

Pixels = NDArray[np.uint8] | NDArray[np.float32]
Range = tuple[float, float]

FULL_RANGE: Range = (0.0, 0.0)
_GREY = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N", "F", "LA", "La")
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601-2, as Pillow has it


def read_image(source: Source, channels: int, value_range: Range = FULL_RANGE) -> Pixels:
    """Read an image upright as (h, w, c), uint8 or float32 in [0, 1].

    Args:
        source: a file, or the bytes of one.
        channels: 1 makes grey and 3 makes RGB of a photo; other numbers must be what the file has.
        value_range: pixel values that become 0 and 1; (0, 0) for the whole range of 8 or 16 bits.

    Raises:
        DataError: the file is missing, empty, truncated or not an image, has no form with `channels` channels, or
            holds values that need a `value_range`.
    """
    name = name_of(source)
    if not is_array(source) and not is_stack(source):
        return to_channels(open_image(source), channels, name, value_range)
    pixels = read_stack(source, name)
    if pixels.shape[2] != channels:
        pixels = pixels[..., : stack_shape(source, name)[2]]  # without transparency
    coloured = pixels.shape[2] >= 3 and channels in (1, 3) and colours_first(source)
    if not coloured or pixels.shape[2] == channels:
        return scaled_pixels(_with_channels(pixels, channels, name), value_range, name)
    photo = scaled_pixels(pixels[..., :3], value_range, name)
    if channels == 3:
        return photo
    grey = (photo @ _LUMA)[..., None]
    return grey if photo.dtype == np.float32 else grey.round().astype(np.uint8)


def to_channels(image: Image.Image, channels: int, name: str, value_range: Range = FULL_RANGE) -> Pixels:
    """Pixels (h, w, c) with 1 (grey), 3 (RGB) or 4 (RGB and alpha) channels; the EXIF orientation is applied."""
    if channels not in (1, 3) and not (channels == 4 and image.mode == "RGBA"):
        have = 1 if image.mode in _GREY else 3
        raise DataError(f"{name}: has {have} channels, but the model takes {channels}")
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

    16-bit ones ("I;16") have one scale, so that a dark photo stays dark. 32-bit ones from memory ("I", "F") do not say
    their own: values up to 255 are bytes, larger ones have 16 bits, floats up to 1 are taken as they are.
    """
    deep = np.asarray(image, dtype=np.float64)
    if value_range == FULL_RANGE:
        top = np.nan_to_num(deep).max(initial=0)
        white = 1.0 if image.mode == "F" and top <= 1 else 255.0 if image.mode in ("I", "F") and top <= 255 else 65535.0
        value_range = (0.0, white)
    return scaled_pixels(deep, value_range, name).astype(np.float32)


def scaled_pixels(pixels: NDArray, value_range: Range, name: str) -> Pixels:
    """Pixel values brought to [0, 1] as float32; uint8 without a range of its own stays as it is.

    What is no number (NaN) becomes 0; infinities lie beyond the range like any other value.

    Raises:
        DataError: floats beyond [0, 1], or integers but those of 8 and 16 bits, without a `value_range`.
    """
    if value_range == FULL_RANGE:
        if pixels.dtype == np.uint8:
            return pixels
        if pixels.dtype == np.uint16:
            return pixels.astype(np.float32) / np.float32(65535)
        if pixels.dtype == bool:
            return pixels.astype(np.uint8) * np.uint8(255)
        finite = pixels[np.isfinite(pixels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        if pixels.dtype.kind != "f" or not 0 <= low <= high <= 1:
            as_bytes = pixels.dtype.kind != "f" and low >= 0 and high <= 255
            example = "0,255" if as_bytes else f"{low:.6g},{high if high > low else low + 1:.6g}"
            raise DataError(
                f"{name}: holds {pixels.dtype} values from {low:.6g} to {high:.6g}; say which values are black and "
                f"white in all images, for example data.value_range=[{example}]"
            )
        value_range = (0.0, 1.0)
    black, white = value_range
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels, nan=black, posinf=white, neginf=black)
    scaled = (pixels.astype(np.float64) - black) / (white - black)
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
    if is_array(path):
        return stack_shape(path, str(path))[:2]
    try:
        return stack_shape(path, str(path))[:2] if is_tiff(path) else picture_size(path)
    except DataError:
        return picture_size(path)  # a TIFF that only Pillow knows; else it says what is wrong


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
    except Exception:  # as many kinds as there are damages; reading it whole says what is wrong
        return 1 if open_image(path).mode in _GREY else 3
