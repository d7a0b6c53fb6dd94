"""NRRD and MetaImage files, read by SimpleITK."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.volumes.volume import Volume, lps_affine

_HEADER = 65536  # bytes in which the text of a header ends
_DETACHED = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)(.+)$", re.MULTILINE)


def read(path: Path) -> Volume:
    """Read a file.

    Raises:
        DataError: it is damaged.
    """
    reader = _reader(path)
    image = _done(reader.Execute, path)
    return Volume(array_of(image), _affine(reader), path)


def read_header(path: Path) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Shape and affine.

    Raises:
        DataError: it is damaged.
    """
    reader = _reader(path)
    channels = reader.GetNumberOfComponents()
    shape = tuple(map(int, reader.GetSize()))
    return (*shape, channels) if channels > 1 else shape, _affine(reader)


def detached_file(path: Path) -> Path | None:
    """The file, perhaps missing, of the voxels of a header that is a file of its own; None where they are in one."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
    found = _DETACHED.search(head)
    value = found[1].decode(errors="replace").strip() if found else "LOCAL"
    if "%" in value or value.upper().startswith(("LOCAL", "LIST")):  # in this file, or in several
        return None
    named = path.parent / value
    return named if named != path else None


def array_of(image: Any) -> NDArray[Any]:
    """The voxels (x, y, z[, c]) of an image of SimpleITK; floats of 64 bits become floats of 32."""
    import SimpleITK

    array = SimpleITK.GetArrayFromImage(image)  # z y x, behind it the components; before it the fourth axis
    array = array.astype(np.float32) if array.dtype == np.float64 else array
    axes = image.GetDimension()
    return array.transpose(*range(axes - 1, -1, -1), *range(axes, array.ndim))


def _reader(path: Path) -> Any:
    import SimpleITK

    if (voxels := detached_file(path)) and not voxels.is_file():
        raise DataError(f"{path}: its voxels are in {voxels.name}, which is not beside it; copy that file, too")
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    _done(reader.ReadImageInformation, path)
    return reader


def _affine(reader: Any) -> NDArray[np.float64]:
    axes = reader.GetDimension()
    if axes < 3:
        return np.eye(4)
    direction = np.array(reader.GetDirection()).reshape(axes, axes)[:3, :3]
    return lps_affine(direction, np.array(reader.GetSpacing())[:3], np.array(reader.GetOrigin())[:3])


def _done(what: Any, path: Path) -> Any:
    try:
        return what()
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith("Reason: ")] or [""]  # of some earlier, other error
        said = lines[-1].rpartition("): ")[2].rpartition("::ERROR: ")[2].replace(f": {path} for reading.", "")
        raise DataError(f"{path}: cannot be read ({said}); it is damaged or incomplete, copy it again") from None
