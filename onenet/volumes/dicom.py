"""A DICOM series: a folder with one file for each slice. Headers are read by pydicom, pixels by SimpleITK."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.volumes.dicom_slice import Slice, read_slice
from onenet.volumes.itk import array_of
from onenet.volumes.volume import Volume, lps_affine

_UNEVEN = 0.02  # of the distance between slices, and at least
_UNEVEN_MM = 0.05
_PREAMBLE = 128
_LOOKED_AT = 8  # files of a folder
_CONTENTS = "DICOMDIR"  # of a disc: it lists the series and is none


@dataclass(frozen=True, eq=False)
class Series:
    """The files of a series from the first slice to the last, where they are, and whether all share one scale."""

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    scaled_alike: bool = True


def dicom_files(folder: Path) -> list[Path]:
    """The files of a folder that begin as DICOM does."""
    return [path for path in sorted(folder.iterdir()) if path.is_file() and _begins_as_dicom(path)]


def begins_with_dicom(folder: Path) -> bool:
    """Whether one of a folder's first files is DICOM."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return any(_begins_as_dicom(path) for path in islice(files, _LOOKED_AT))


def read(folder: Path) -> Volume:
    """Read a series; what its files scale to floats of 64 bits becomes floats of 32.

    Raises:
        DataError: it is none, or slices are missing, alike, or of several series.
    """
    import SimpleITK

    series = read_series(folder)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in series.files])
    if not series.scaled_alike and len(series.shape) == 3:  # else all slices get the first one's type of numbers
        reader.SetOutputPixelType(SimpleITK.sitkFloat32)
    quiet = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its remarks on the tags are no errors
    try:
        array = array_of(reader.Execute())
    except RuntimeError:
        damaged = _undecoded(series.files)
        which = f"{damaged[0]}: its pixels" if damaged else f"{folder}: the pixels of this series"
        more = f" (nor those of {len(damaged) - 1} more of {len(series.files)} files)" if len(damaged) > 1 else ""
        raise DataError(f"{which} cannot be decoded{more}; damaged, or compressed in a way that is not known; copy the "
                        "series again, or convert it to NIfTI") from None  # fmt: skip
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(quiet)
    if array.shape != series.shape:
        raise DataError(f"{folder}: its pixels are {array.shape}, but its headers say {series.shape}; copy the series "
                        "again")  # fmt: skip
    return Volume(array, series.affine, folder, files=series.files)


def _undecoded(files: Sequence[Path]) -> list[Path]:
    """Those whose pixels cannot be decoded, each read by itself."""
    import SimpleITK

    found = []
    for path in files:
        try:
            SimpleITK.ReadImage(str(path))
        except RuntimeError:
            found.append(path)
    return found


def read_header(folder: Path) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Shape and affine.

    Raises:
        DataError: as `read`.
    """
    series = read_series(folder)
    return series.shape, series.affine


def read_series(folder: Path) -> Series:
    """Find the slices of a series and put them in order along their normal.

    Raises:
        DataError: as `read`.
    """
    slices = [found for path in dicom_files(folder) if (found := read_slice(path)) is not None]
    if not slices:
        raise DataError(f"{folder}: holds no DICOM slices; give a file, or the folder of one series (what keeps all "
                        "slices in one DICOM file is not read, convert it to NIfTI)")  # fmt: skip
    if len(mixed := {each.series for each in slices}) > 1:
        raise DataError(f"{folder}: holds {len(mixed)} series mixed; put each into a folder of its own")
    first = slices[0]
    for each in slices:
        if wrong := each.differs_from(first):
            raise DataError(f"{each.file}: differs from {first.file.name} in {wrong}; a series has slices of one kind")
    normal = np.cross(first.across, first.down)
    slices.sort(key=lambda one: float(one.position @ normal))
    step = _step(folder, slices, normal)
    length = float(np.linalg.norm(step))
    direction = np.column_stack([first.across, first.down, step / length])
    between_rows, between_columns = first.spacing
    affine = lps_affine(direction, np.array([between_columns, between_rows, length]), slices[0].position)
    shape: tuple[int, ...] = (first.columns, first.rows, len(slices))
    shape = (*shape, first.samples) if first.samples > 1 else shape
    alike = all(each.scale == first.scale for each in slices)
    return Series(tuple(each.file for each in slices), shape, affine, alike)


def _step(folder: Path, slices: Sequence[Slice], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """From a slice to the next one."""
    if len(slices) == 1:
        return normal * slices[0].thickness
    places = np.array([each.position for each in slices])
    gaps = np.diff(places @ normal)
    usual = float(np.median(gaps))
    if gaps.min() < _UNEVEN_MM:
        at = int(gaps.argmin())
        raise DataError(f"{folder}: {slices[at].file.name} and {slices[at + 1].file.name} are at one place; is a time "
                        "series or a second scan among them? Keep one of each")  # fmt: skip
    wrong = np.abs(gaps - usual) > max(_UNEVEN_MM, _UNEVEN * usual)
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(f"{folder}: between {slices[at].file.name} and {slices[at + 1].file.name} are {gaps[at]:.3g} "
                        f"mm, elsewhere {usual:.3g} mm; a slice is missing, or they are unevenly spaced; copy the "
                        "series again, or resample it")  # fmt: skip
    return (places[-1] - places[0]) / (len(slices) - 1)


def _begins_as_dicom(path: Path) -> bool:
    if path.name.upper() == _CONTENTS:
        return False
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError:
        return False
