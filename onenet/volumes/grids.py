"""Whether two volumes lie on one grid."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

ASIDE = 0.1  # of a voxel, by which files of a case may lie apart: affines are rounded when they are written


def apart(shape: Sequence[int], one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The longest way in millimetres between the same corner of two grids of one shape, from their affines."""
    corners = np.array([(*corner, 1) for corner in product(*((0, length - 1) for length in shape[:3]))])
    return float(np.linalg.norm(corners @ (one - other)[:3].T, axis=1).max())


def on_one_grid(
    shape: Sequence[int], affine: NDArray[np.float64], first_shape: Sequence[int], first: NDArray[np.float64]
) -> bool:
    """Whether voxels of equal indices lie at one place, as their files have them."""
    if tuple(shape[:3]) != tuple(first_shape[:3]):
        return False
    return apart(shape, affine, first) <= ASIDE * float(np.linalg.norm(first[:3, :3], axis=0).min())
