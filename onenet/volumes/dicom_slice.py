"""What the header of one DICOM slice says of where it lies; who the patient is is not read."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError

_TAGS = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SeriesInstanceUID", "Rows", "Columns",
         "SamplesPerPixel", "SliceThickness", "RescaleSlope", "RescaleIntercept",
)  # fmt: skip
_ALIKE = 1e-4
_SQUARE = 0.01  # what rounding may leave of the product of directions at right angles


@dataclass(frozen=True, eq=False)
class Slice:
    """A slice of a series.

    Attributes:
        file: where it was read.
        series: which series it is of.
        position: (3,) millimetres of its first pixel, to the left, the back and the head.
        across, down: (3,) the directions of a row and of a column.
        spacing: millimetres between rows and between columns.
        rows, columns, samples: of its pixels; 3 samples are colours.
        thickness: millimetres.
        scale: what stored numbers are multiplied by, and what is added then.
    """

    file: Path
    series: str
    position: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]
    spacing: tuple[float, float]
    rows: int
    columns: int
    samples: int
    thickness: float
    scale: tuple[float, float] = (1.0, 0.0)

    def differs_from(self, other: "Slice") -> str:
        """The tag in which it is of another kind than another slice; "" where it is of the same one."""
        pairs: dict[str, tuple[Any, Any]] = {
            "Rows": (self.rows, other.rows),
            "Columns": (self.columns, other.columns),
            "SamplesPerPixel": (self.samples, other.samples),
            "ImageOrientationPatient": ([self.across, self.down], [other.across, other.down]),
            "PixelSpacing": (self.spacing, other.spacing),
        }
        return next((tag for tag, (one, two) in pairs.items() if not np.allclose(one, two, rtol=0, atol=_ALIKE)), "")


def read_slice(path: Path) -> Slice | None:
    """Read the header of a file; None where it is DICOM, but no slice, such as a report or an index.

    Raises:
        DataError: it is damaged, or does not say where it lies.
    """
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote what stands in the file
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*_TAGS])
            return _slice(path, header) if "ImagePositionPatient" in header else None
    except DataError:
        raise
    except Exception as error:  # pydicom raises many kinds for a damaged header
        raise DataError(f"{path}: cannot be read ({type(error).__name__} in its header); it is damaged or incomplete, "
                        "copy it again") from None  # fmt: skip


def _slice(path: Path, header: Any) -> Slice:
    directions = _numbers(path, header, "ImageOrientationPatient", 6)
    across, down = directions[:3], directions[3:]
    lengths_and_angle = np.array([across @ across, down @ down, across @ down])
    if not np.allclose(lengths_and_angle, (1, 1, 0), atol=_SQUARE):
        raise DataError(f"{path}: its ImageOrientationPatient is not two directions at right angles; copy it again")
    between_rows, between_columns = _numbers(path, header, "PixelSpacing", 2)
    rows, columns = (int(_numbers(path, header, tag, 1)[0]) for tag in ("Rows", "Columns"))
    if min(between_rows, between_columns, rows, columns) <= 0:
        raise DataError(f"{path}: its PixelSpacing, Rows and Columns must be above 0; copy it again")
    thickness = float(header.get("SliceThickness") or 1)
    return Slice(
        file=path,
        series=str(header.get("SeriesInstanceUID", "")),
        position=_numbers(path, header, "ImagePositionPatient", 3),
        across=across,
        down=down,
        spacing=(float(between_rows), float(between_columns)),
        rows=rows,
        columns=columns,
        samples=int(header.get("SamplesPerPixel") or 1),
        thickness=thickness if np.isfinite(thickness) and thickness > 0 else 1.0,
        scale=(float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)),
    )


def _numbers(path: Path, header: Any, tag: str, count: int) -> NDArray[np.float64]:
    """The numbers of a tag.

    Raises:
        DataError: it is absent, or holds other than `count` numbers.
    """
    try:
        found = np.atleast_1d(np.array(header.get(tag), dtype=np.float64))
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (count,) or not np.isfinite(found).all():
        raise DataError(f"{path}: has no {tag} that can be read, without which its place is not known; copy it again, "
                        "or leave it out")  # fmt: skip
    return found
