"""NIfTI files, read by nibabel."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.volumes.volume import Volume

_SECOND = 540  # bytes of the header of NIfTI-2, which is its first number


def read(path: Path) -> Volume:
    """Read a file; floats of 64 bits become floats of 32, and axes of length 1 behind the third are left out.

    Raises:
        DataError: it is damaged.
    """
    image = _opened(path, whole=True)
    array = _done(lambda: _voxels(image), path)
    return Volume(array.reshape(_shape(image.shape)), np.asarray(image.affine, np.float64), path, image.header)


def read_header(path: Path) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Shape and affine.

    Raises:
        DataError: it is damaged.
    """
    image = _opened(path)
    return _shape(image.shape), np.asarray(image.affine, np.float64)


def _voxels(image: Any) -> NDArray[Any]:
    """Scaled in single precision where the header scales."""
    scaled = (float(image.dataobj.slope), float(image.dataobj.inter)) != (1.0, 0.0)
    array = np.asanyarray(image.dataobj, dtype=np.float32 if scaled else None)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _opened(path: Path, whole: bool = False) -> Any:
    """The image of a file: `whole` unpacks a .gz to its end, where its checksum is, which nibabel does not look at."""
    import nibabel

    log = nibabel.imageglobals.logger  # of what it puts right by itself
    before, log.disabled = log.disabled, True
    try:
        packed = whole and path.suffix.lower() == ".gz"
        return _done(lambda: _unpacked(path) if packed else nibabel.load(path), path)
    finally:
        log.disabled = before


def _unpacked(path: Path) -> Any:
    import nibabel

    with gzip.open(path) as file:
        content = file.read()
    is_second = _SECOND in (int.from_bytes(content[:4], order) for order in ("little", "big"))
    return (nibabel.Nifti2Image if is_second else nibabel.Nifti1Image).from_bytes(content)


def _done(what: Callable[[], Any], path: Path) -> Any:
    try:
        return what()
    except Exception as error:  # nibabel raises many kinds for a damaged file, some its own, some not
        raise _damaged(path, error) from None


def _damaged(path: Path, error: BaseException) -> DataError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(f"{path}: cannot be read ({said}); it is damaged or incomplete, copy it again")


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """NIfTI keeps channels on the fifth axis and time on the fourth, each of which may be there without content."""
    rest = tuple(length for length in shape[3:] if length != 1)
    return (*shape[:3], *rest)
