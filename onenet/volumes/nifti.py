"""NIfTI files, read by nibabel."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.volumes.volume import Volume


def read(path: Path) -> Volume:
    """Read a file; floats of 64 bits become floats of 32, and axes of length 1 behind the third are left out.

    Raises:
        DataError: it is damaged.
    """
    image = _opened(path)
    try:
        array = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, MemoryError) as error:
        raise _damaged(path, error) from None
    array = array.astype(np.float32) if array.dtype == np.float64 else array
    return Volume(array.reshape(_shape(image.shape)), np.asarray(image.affine, np.float64), path, image.header)


def read_header(path: Path) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Shape and affine.

    Raises:
        DataError: it is damaged.
    """
    image = _opened(path)
    return _shape(image.shape), np.asarray(image.affine, np.float64)


def _opened(path: Path) -> Any:
    import nibabel

    try:
        return nibabel.load(path)
    except (OSError, EOFError, ValueError, KeyError, zlib.error, nibabel.filebasedimages.ImageFileError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: BaseException) -> DataError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(f"{path}: cannot be read ({said}); it is damaged or incomplete, copy it again")


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """NIfTI keeps channels on the fifth axis and time on the fourth, each of which may be there without content."""
    rest = tuple(length for length in shape[3:] if length != 1)
    return (*shape[:3], *rest)
