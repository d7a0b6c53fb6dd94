"""How far apart the surfaces of two volumes are, in millimetres: HD95, and surface Dice at a tolerance.

The surface of a class is its voxels with a neighbour above, below, left, right, before or behind that is not of it,
outside the volume included: the edge voxels that MONAI takes by default, all of one weight, and not the triangles of
DeepMind's surface-distance. Distances go from the centre of one edge voxel to the centre of the nearest other one.

HD95 (Huttenlocher et al. 1993, its 95th percentile) is taken of each direction, and the larger one counts. Surface Dice
(Nikolov et al. 2018) is the share of both surfaces that lies within the tolerance of the other one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Solid = NDArray[np.bool_]

_PERCENTILE = 95
_ROUNDING = 1e-6  # of a millimetre, so that voxels exactly at the tolerance are within it


def surface_distances(
    truth: Solid, prediction: Solid, spacing: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of every edge voxel the distance to the other surface: of the truth's, then of the prediction's.

    They are infinite where there is no other surface.

    Args:
        truth, prediction: (x, y, z), where a class is.
        spacing: millimetres from voxel to voxel along each axis.
    """
    true, drawn = (_edge_points(solid, spacing) for solid in (truth, prediction))
    return _nearest(true, drawn), _nearest(drawn, true)


def hausdorff95(distances: tuple[NDArray[np.float64], NDArray[np.float64]]) -> float:
    """HD95 of `surface_distances`; NaN where one of the two surfaces is missing, for no distance would tell of it."""
    true, drawn = distances
    if not true.size or not drawn.size:
        return float("nan")
    return float(max(np.percentile(true, _PERCENTILE), np.percentile(drawn, _PERCENTILE)))


def surface_dice(distances: tuple[NDArray[np.float64], NDArray[np.float64]], tolerance: float) -> float:
    """Surface Dice of `surface_distances` at a tolerance in millimetres; NaN where both surfaces are missing."""
    both = np.concatenate(distances)
    return float((both <= tolerance + _ROUNDING).mean()) if both.size else float("nan")


def _edge_points(solid: Solid, spacing: Sequence[float]) -> NDArray[np.float64]:
    from scipy.ndimage import binary_erosion, find_objects

    if not solid.any():
        return np.empty((0, solid.ndim))
    box = find_objects(solid.astype(np.uint8))[0]  # beyond it there is nothing, as beyond the volume
    inside = solid[box]
    places = np.argwhere(inside & ~binary_erosion(inside)) + [part.start for part in box]
    return places * np.asarray(spacing, np.float64)


def _nearest(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial import cKDTree

    if not len(points) or not len(others):
        return np.full(len(points), np.inf)
    return np.asarray(cKDTree(others).query(points)[0], dtype=np.float64)
