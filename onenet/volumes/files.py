"""Which files are volumes, and reading them, whatever their format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError, OneNetError
from onenet.volumes import dicom, itk, nifti
from onenet.volumes.volume import Volume

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")

_FLAT = 1e-3

Header = tuple[tuple[int, ...], NDArray[np.float64]]


def is_volume(path: str | Path) -> bool:
    """Whether a name is that of a volume's file."""
    return Path(path).name.lower().endswith(SUFFIXES)


def is_series(folder: str | Path) -> bool:
    """Whether a folder holds a DICOM series, not volumes or images; a look at its first files says so."""
    return Path(folder).is_dir() and dicom.begins_with_dicom(Path(folder))


def case_name(path: str | Path) -> str:
    """What a case is called: its file's name without its ending, or the name of a DICOM series' folder."""
    name = Path(path).name
    name = Path(path).resolve().name if name in ("", "..") else name
    ending = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(ending)]


def files_of(path: str | Path) -> tuple[Path, ...]:
    """The files that a volume is made of: its own, and that of its voxels where a header is a file by itself."""
    path = Path(path)
    if not path.is_file() or not path.name.lower().endswith((".mhd", ".nrrd")):
        return (path,)
    voxels = itk.detached_file(path)
    return (path, voxels) if voxels and voxels.is_file() else (path,)


def read_volume(path: str | Path) -> Volume:
    """Read a volume whole.

    Raises:
        DataError: it is missing, damaged, or has other than three axes, or four with its channels.
        OneNetError: what reads its format is not installed.
    """
    path = Path(path)
    volume: Volume = _read(path, nifti.read, itk.read, dicom.read)
    _check(path, volume.array.shape, volume.affine)
    if volume.array.dtype.kind not in "iufb":
        raise DataError(f"{path}: holds colours or complex numbers; convert it to grey values")
    return volume


def read_header(path: str | Path) -> Header:
    """Shape and affine of a volume, without decoding its voxels.

    Raises:
        DataError, OneNetError: as `read_volume`.
    """
    path = Path(path)
    shape, affine = _read(path, nifti.read_header, itk.read_header, dicom.read_header)
    _check(path, shape, affine)
    return shape, affine


def _read(path: Path, of_nifti: Callable[..., Any], of_itk: Callable[..., Any], of_dicom: Callable[..., Any]) -> Any:
    name = path.name.lower()
    try:
        if path.is_dir():
            return of_dicom(path)
        if not path.is_file():
            raise DataError(f"{path}: no such file")
        if name.endswith((".nii.gz", ".nii")):
            return of_nifti(path)
        if name.endswith(SUFFIXES):
            return of_itk(path)
    except ModuleNotFoundError as error:
        raise OneNetError(f"{path}: {error.name} is not installed, without which volumes cannot be read: "
                          "pip install 'onenet-seg[medical]'") from None  # fmt: skip
    raise DataError(f"{path}: is no volume ({', '.join(SUFFIXES)}, or the folder of a DICOM series)")


def _check(path: Path, shape: tuple[int, ...], affine: NDArray[np.float64]) -> None:
    if len(shape) not in (3, 4) or 0 in shape:
        axes = "x".join(map(str, shape))
        raise DataError(f"{path}: is {axes}, but a volume has three axes, or four with its channels; convert it")
    if not np.isfinite(affine).all() or not _volume_of_directions(affine) > _FLAT:
        raise DataError(f"{path}: its affine does not say where voxels are; write it with a spacing and directions")


def _volume_of_directions(affine: NDArray[np.float64]) -> float:
    """1 where the axes are at right angles, 0 where they lie in a plane or have no length; however small voxels are."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return float(abs(np.linalg.det(affine[:3, :3] / lengths))) if lengths.min() > 0 else 0.0
