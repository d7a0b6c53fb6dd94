"""The noun: voxels, and where they are."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels as a file has them, and where they are.

    Attributes:
        array: (x, y, z) or (x, y, z, c).
        affine: (4, 4), voxel indices -> millimetres, to the right, the front and the head of the patient (RAS+).
        file: where they come from, a file or the folder of a DICOM series.
        header: of a NIfTI file, so that a mask can be written with it; None of other files.
        files: of a DICOM series, slice by slice along the third axis.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    file: Path
    header: Any = None
    files: tuple[Path, ...] = field(default=())

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres from voxel to voxel along each axis."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)


def lps_affine(
    direction: NDArray[np.float64], spacing: NDArray[np.float64], origin: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The affine of DICOM's and ITK's description, whose axes point to the left and the back.

    Args:
        direction: (3, 3), a column per axis of the array.
        spacing: (3,) millimetres.
        origin: (3,) of the first voxel.
    """
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction * spacing, origin
    affine[:2] *= -1
    return affine
