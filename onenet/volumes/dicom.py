"""A DICOM series: a folder with one file for each slice. Headers are read by pydicom, pixels by SimpleITK."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.volumes.itk import array_of
from onenet.volumes.volume import Volume, lps_affine

_TAGS = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SeriesInstanceUID", "Rows", "Columns",
         "SamplesPerPixel")  # fmt: skip
_UNEVEN = 0.02  # of the distance between slices, and at least
_UNEVEN_MM = 0.05
_PREAMBLE = 128
_LOOKED_AT = 8  # files of a folder


@dataclass(frozen=True, eq=False)
class Series:
    """The files of a series from the first slice to the last, and where they are."""

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    affine: NDArray[np.float64]


def dicom_files(folder: Path) -> list[Path]:
    """The files of a folder that begin as DICOM does."""
    return [path for path in sorted(folder.iterdir()) if path.is_file() and _begins_as_dicom(path)]


def begins_with_dicom(folder: Path) -> bool:
    """Whether one of a folder's first files is DICOM."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return any(_begins_as_dicom(path) for path in islice(files, _LOOKED_AT))


def read(folder: Path) -> Volume:
    """Read a series.

    Raises:
        DataError: it is none, or slices are missing, alike, or of several series.
    """
    import SimpleITK

    series = read_series(folder)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in series.files])
    quiet = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its remarks on the tags are no errors
    try:
        image = reader.Execute()
    except RuntimeError:
        raise DataError(f"{folder}: the pixels of this series cannot be decoded; some file is damaged, or compressed "
                        "in a way that is not known") from None  # fmt: skip
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(quiet)
    return Volume(array_of(image), series.affine, folder, files=series.files)


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
    slices = [(path, _header(path)) for path in dicom_files(folder)]
    slices = [(path, header) for path, header in slices if "ImagePositionPatient" in header]
    if not slices:
        raise DataError(f"{folder}: holds no DICOM slices; give a file, or the folder of one series")
    if len(found := {str(header.get("SeriesInstanceUID", "")) for _, header in slices}) > 1:
        raise DataError(f"{folder}: holds {len(found)} series mixed; put each into a folder of its own")
    first = slices[0][1]
    for path, header in slices:
        for tag in ("Rows", "Columns", "ImageOrientationPatient", "PixelSpacing"):
            if not _alike(header.get(tag), first.get(tag)):
                raise DataError(f"{path}: differs from {slices[0][0].name} in {tag}; a series has slices of one kind")
    across, down = (np.array(first.ImageOrientationPatient, dtype=np.float64)[part] for part in (slice(3), slice(3, 6)))
    normal = np.cross(across, down)
    slices.sort(key=lambda one: float(np.dot(np.array(one[1].ImagePositionPatient, np.float64), normal)))
    places = np.array([header.ImagePositionPatient for _, header in slices], dtype=np.float64)
    step = _step(folder, [path for path, _ in slices], places, normal, first)
    pixel = np.array(first.PixelSpacing, dtype=np.float64)  # between rows, between columns
    length = float(np.linalg.norm(step))
    direction = np.column_stack([across, down, step / length])
    affine = lps_affine(direction, np.array([pixel[1], pixel[0], length]), places[0])
    shape: tuple[int, ...] = (int(first.Columns), int(first.Rows), len(slices))
    colours = int(first.get("SamplesPerPixel", 1))
    return Series(tuple(path for path, _ in slices), (*shape, colours) if colours > 1 else shape, affine)


def _step(
    folder: Path, files: list[Path], places: NDArray[np.float64], normal: NDArray[np.float64], first: Any
) -> NDArray[np.float64]:
    """From a slice to the next one."""
    if len(files) == 1:
        return normal * float(first.get("SliceThickness") or 1)
    gaps = np.diff(places @ normal)
    usual = float(np.median(gaps))
    if gaps.min() < _UNEVEN_MM:
        at = int(gaps.argmin())
        raise DataError(f"{folder}: {files[at].name} and {files[at + 1].name} are at one place; is a time series or a "
                        "second scan among them? Keep one of each")  # fmt: skip
    wrong = np.abs(gaps - usual) > max(_UNEVEN_MM, _UNEVEN * usual)
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(f"{folder}: between {files[at].name} and {files[at + 1].name} are {gaps[at]:.3g} mm, elsewhere "
                        f"{usual:.3g} mm; a slice is missing, or they are unevenly spaced; copy the series again, or "
                        "resample it")  # fmt: skip
    return (places[-1] - places[0]) / (len(files) - 1)


def _alike(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(np.atleast_1d(np.array(one, float)), np.atleast_1d(np.array(other, float)), atol=1e-4))


def _header(path: Path) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*_TAGS, "SliceThickness"])
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: cannot be read ({said}); it is damaged or incomplete, copy it again") from None


def _begins_as_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError:
        return False
