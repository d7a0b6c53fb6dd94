"""Images that Pillow does not read whole: NumPy arrays, TIFF with many pages, bands or bits, deep colours."""

import threading

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.images.decoding import Source, as_file, first_bytes, picture_size
from onenet.images.deep import deep_header, read_deep
from onenet.images.tiff import is_tiff, read_tiff, tiff_header

_NPY = b"\x93NUMPY"
_HEADERS = threading.Lock()  # NumPy parses headers with ast, which Python 3.11 cannot do in two threads at once


def is_array(source: Source) -> bool:
    """Whether this is a .npy file, by its first bytes."""
    return first_bytes(source, 6) == _NPY


def is_stack(source: Source) -> bool:
    """Whether this is no array, and yet more than Pillow would read of it: pages, bands, bits, signs, fractions."""
    if is_tiff(source):
        try:
            return not tiff_header(source, "").photo
        except DataError:
            return False  # Pillow says what is wrong
    return deep_header(source) is not None


def read_stack(source: Source, name: str) -> NDArray:
    """All channels of an array or stack, upright, (h, w, c) in its own type; pages follow one another, alpha is last.

    An array is (h, w), (h, w, c) or (c, h, w): the shorter of its first and last axis holds the channels.

    Raises:
        DataError: the file is damaged, or is no image.
    """
    if is_array(source):
        return _channels_last(_load_array(source, name), name)
    header = deep_header(source)
    return read_tiff(source, name) if header is None else read_deep(source, header)


def stack_shape(source: Source, name: str) -> tuple[int, int, int]:
    """(h, w, c) of an array or TIFF, upright, transparency not counted, from its header.

    Raises:
        DataError: the file is damaged, or is no image.
    """
    if is_array(source):
        return _channels_last(_load_array(source, name, mapped=True), name).shape
    if header := deep_header(source):
        return *picture_size(source), 3 if header.channels >= 3 else 1
    tiff = tiff_header(source, name)
    return tiff.height, tiff.width, tiff.channels - tiff.alpha


def colours_first(source: Source) -> bool:
    """Whether the first three channels of a stack are red, green and blue, as a photo's are."""
    if is_tiff(source):
        return tiff_header(source, "").colour
    return (header := deep_header(source)) is not None and header.channels >= 3


def _load_array(source: Source, name: str, mapped: bool = False) -> NDArray:
    try:
        with _HEADERS:
            if mapped and not isinstance(source, bytes):
                return np.load(source, mmap_mode="r", allow_pickle=False)
            return np.load(as_file(source), allow_pickle=False)
    except Exception as error:  # NumPy raises many kinds for a damaged header
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{name}: not a NumPy array that can be read ({reason}); replace or remove it") from None


def _channels_last(array: NDArray, name: str) -> NDArray:
    if array.dtype.kind not in "buif" or array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError(f"{name}: an image is an array (h, w), (h, w, c) or (c, h, w) of numbers, "
                        f"not {array.dtype} of shape {array.shape}")  # fmt: skip
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # so that types are equal on every machine
    if array.ndim == 2:
        return array[..., None]
    return np.moveaxis(array, 0, -1) if array.shape[0] < array.shape[2] else array
