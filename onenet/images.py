"""Two-dimensional images: read, resize, pad, colourise, overlay and write them (NumPy and Pillow only).

An image is (h, w, c) uint8; a mask is (h, w) uint8 of class indices, 255 where nothing is counted.
"""

import errno
import io
import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from onenet.errors import DataError, OneNetError, describe_os_error

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
IGNORED = 255  # in every mask that is held in memory, whatever its file says
RESAMPLE = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR}

Array = NDArray[np.uint8]
Box = tuple[float, float, float, float]

_FULL, _FORBIDDEN = "; free some space", "; choose a place that you may write to"
_HINTS = {
    errno.ENOSPC: _FULL, errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN, errno.EPERM: _FORBIDDEN, errno.EROFS: _FORBIDDEN,
}  # fmt: skip


def open_image(source: str | Path | bytes) -> Image.Image:
    """Decode a file (or its bytes) completely, so that a damaged one fails here, with its name."""
    name = "the image given as bytes" if isinstance(source, bytes) else str(source)
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


def to_channels(image: Image.Image, channels: int, name: str) -> Array:
    """Pixels (h, w, c) uint8 with 1 (grey) or 3 (RGB) channels; the EXIF orientation is applied, alpha dropped."""
    if channels not in (1, 3):
        raise DataError(f"{name}: has {len(image.getbands())} channels, but the model takes {channels}")
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            image = Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64), image.mode))
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    except (OSError, SyntaxError, ValueError, TypeError, struct.error) as error:
        reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
        raise DataError(f"{name}: cannot be turned upright or into {channels} channels ({reason})") from None
    return pixels.reshape(*pixels.shape[:2], channels)


def _eight_bits(deep: NDArray[np.float64], mode: str) -> Array:
    """Deep pixels as bytes; Pillow's own conversion would clip them.

    16-bit files ("I;16") have one scale, so that a dark photo stays dark. A 32-bit one ("I", "F") does not say its
    own: values up to 255 are bytes, larger ones have 16 bits, floats up to 1 are taken as 0 to 1.
    """
    deep = np.nan_to_num(deep)
    top = deep.max(initial=0)
    if mode == "F" and top <= 1:
        factor = 255.0
    elif mode in ("I", "F") and top <= 255:
        factor = 1.0
    else:
        factor = 1 / 257
    return (deep * factor).clip(0, 255).round().astype(np.uint8)


def read_image(source: str | Path | bytes, channels: int) -> Array:
    """Read an image upright as (h, w, c) uint8.

    Raises:
        DataError: the file is missing, empty, truncated or not an image, or has no form with `channels` channels.
    """
    name = "the image given as bytes" if isinstance(source, bytes) else str(source)
    return to_channels(open_image(source), channels, name)


def read_mask(path: str | Path) -> NDArray[np.integer]:
    """Read a mask's raw values as (h, w) integers; of a palette image these are the indices, not the colours.

    Raises:
        DataError: unreadable, or a colour image, whose values are not labels.
    """
    image = open_image(path)
    if image.mode not in ("1", "L", "P", "I", "I;16", "I;16B", "I;16L"):
        raise DataError(
            f"{path}: a mask holds one label per pixel, but this is a {image.mode} image; save it as L or P"
        )
    return np.asarray(image).astype(np.int64 if image.mode.startswith("I") else np.uint8)


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) upright, from the file's header alone where it can be read.

    Raises:
        DataError: the file is missing, empty, damaged or not an image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) >= 5
    except Exception:  # Pillow raises many kinds for a damaged header; reading it whole says what is wrong
        (width, height), turned = open_image(path).size, False
    return (width, height) if turned else (height, width)


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
    return -(-length // stride) * stride


def colourise(mask: Array, colours: Sequence[tuple[int, int, int]]) -> Array:
    """Class indices (h, w) as their colours (h, w, 3)."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(colours)] = np.asarray(colours, dtype=np.uint8).reshape(-1, 3)
    return table[mask]


def outline(mask: NDArray) -> NDArray[np.bool_]:
    """Where a pixel's label differs from the next one's below or to the right, two pixels wide."""
    edge = np.zeros(mask.shape, dtype=bool)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def overlay(
    image: Array, mask: Array, colours: Sequence[tuple[int, int, int]], background: int | None, opacity: float = 0.45
) -> Array:
    """The image (h, w, 3) with each class tinted in its colour and outlined; the background stays as it is."""
    image = _shown(image)
    tint = colourise(mask, colours)
    shown = np.ones(mask.shape, dtype=bool) if background is None else mask != background
    mixed = image.astype(np.float32)
    mixed[shown] += opacity * (tint[shown].astype(np.float32) - mixed[shown])
    edge = outline(mask)
    line = np.where((mask == background)[..., None], 255, tint) if background is not None else tint
    mixed[edge] = line[edge]
    return mixed.round().astype(np.uint8)


def cutout(image: Array, mask: Array, background: int | None) -> Array:
    """The image as (h, w, 4) RGBA whose background is transparent."""
    alpha = np.full(mask.shape, 255) if background is None else np.where(mask == background, 0, 255)
    return np.dstack([_shown(image), alpha.astype(np.uint8)])


def _shown(image: Array) -> Array:
    """An image (h, w, c) as (h, w, 3): its first three channels, or the first one in grey."""
    return image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)


def mask_image(mask: Array, colours: Sequence[tuple[int, int, int]]) -> Image.Image:
    """A palette image: its values are the class indices, and every viewer shows them in the class colours."""
    image = Image.fromarray(mask, mode="P")
    image.putpalette(np.asarray(colours, dtype=np.uint8).reshape(-1).tolist())
    return image


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under `path` only when it is complete: a full disk or a kill leaves the old one.

    Raises:
        OneNetError: the folder cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:  # a new file, with the permissions that the umask leaves
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise OneNetError(f"{path}: cannot be written ({describe_os_error(error)}){hint}") from error
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def write_image(path: str | Path, image: Array | Image.Image) -> None:
    """Write a PNG (or what the suffix says) completely or not at all."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image.squeeze())
    with atomic_write(path) as file:
        picture.save(file, format=Image.registered_extensions().get(Path(path).suffix.lower(), "PNG"))
