"""Images that a photo's decoder does not know: NumPy arrays, and TIFF with many pages, bands or bits."""

import io
import logging
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from onenet.errors import DataError, describe_os_error

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong with a file is told once, by us

Source = str | Path | bytes
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NPY = b"\x93NUMPY"
_BITS_PER_SAMPLE = 258


def is_array(source: Source) -> bool:
    """Whether this is a .npy file, by its first bytes."""
    return _first_bytes(source, 6) == _NPY


def is_stack(source: Source) -> bool:
    """Whether this is a TIFF that Pillow would not read whole: several pages, more than 4 bands, deep colours."""
    if _first_bytes(source, 4) not in _TIFF:
        return False
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            bits = image.tag_v2.get(_BITS_PER_SAMPLE, (1,))  # type: ignore[attr-defined]
            deep_colours = len(bits) > 1 and max(bits) > 8
            return getattr(image, "n_frames", 1) > 1 or deep_colours
    except Exception:  # Pillow raises many kinds for a file that it does not know: tifffile has its turn
        return _is_tiff(source)


def read_stack(source: Source, name: str) -> NDArray:
    """All channels of an array or TIFF, (h, w, c) in its own type; the pages of a TIFF follow one another.

    An array is (h, w), (h, w, c) or (c, h, w): the shorter of its first and last axis holds the channels.

    Raises:
        DataError: the file is damaged, or is no image.
    """
    if is_array(source):
        return _channels_last(_load_array(source, name), name)
    try:
        with tifffile.TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            pages = [_channels_last_page(page) for page in _whole_pages(file)]
        return np.concatenate(pages, axis=2)
    except OSError as error:
        raise DataError(f"{name}: the image is damaged or unreadable ({describe_os_error(error)})") from None
    except Exception as error:  # tifffile raises many kinds for a damaged or unusual file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{name}: the TIFF is damaged or of a kind that cannot be read ({reason})") from None


def stack_shape(source: str | Path, name: str) -> tuple[int, int, int]:
    """(h, w, c) of an array or TIFF, from its header.

    Raises:
        DataError: the file is damaged, or is no image.
    """
    if is_array(source):
        return _channels_last(_load_array(source, name, mapped=True), name).shape
    try:
        with tifffile.TiffFile(source) as file:
            shapes = [_page_shape(page) for page in _whole_pages(file)]
    except Exception as error:  # as above
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{name}: the TIFF is damaged or of a kind that cannot be read ({reason})") from None
    return shapes[0][0], shapes[0][1], sum(shape[2] for shape in shapes)


def _whole_pages(file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """The pages that are as large as the first one: the others are thumbnails and pyramids."""
    pages = [file.pages[index] for index in range(len(file.pages))]
    first = _page_shape(pages[0])[:2]
    return [page for page in pages if _page_shape(page)[:2] == first]  # type: ignore[misc]


def _page_shape(page: tifffile.TiffPage | tifffile.TiffFrame) -> tuple[int, int, int]:
    shape = dict(zip(page.axes, page.shape, strict=True))
    return shape["Y"], shape["X"], shape.get("S", 1)


def _channels_last_page(page: tifffile.TiffPage) -> NDArray:
    pixels = page.asarray()
    if "S" not in page.axes:
        return pixels[..., None]
    return np.moveaxis(pixels, page.axes.index("S"), -1)


def _load_array(source: Source, name: str, mapped: bool = False) -> NDArray:
    try:
        if mapped and not isinstance(source, bytes):
            return np.load(source, mmap_mode="r", allow_pickle=False)
        return np.load(io.BytesIO(source) if isinstance(source, bytes) else source, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{name}: not a NumPy array that can be read ({' '.join(str(error).split())[:120]})") from None


def _channels_last(array: NDArray, name: str) -> NDArray:
    if array.dtype.kind not in "buif" or array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError(f"{name}: an image is an array (h, w), (h, w, c) or (c, h, w) of numbers, "
                        f"not {array.dtype} of shape {array.shape}")  # fmt: skip
    if array.ndim == 2:
        return array[..., None]
    return np.moveaxis(array, 0, -1) if array.shape[0] < array.shape[2] else array


def _first_bytes(source: Source, count: int) -> bytes:
    if isinstance(source, bytes):
        return source[:count]
    try:
        with Path(source).open("rb") as file:
            return file.read(count)
    except OSError:
        return b""  # reading it says what is wrong


def _is_tiff(source: Source) -> bool:
    try:
        with tifffile.TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            return len(file.pages) > 0
    except Exception:  # as above
        return False
