"""From the axes of a file to those of a patient, to images, and back.

A file's axes may point anywhere. `canonical` turns and mirrors them so that the first points most nearly to the right
of the patient, the second to the front, the third to the head (closest RAS+); nothing is interpolated, so that the way
back is exact, oblique volumes included.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.volumes.grids import on_one_grid
from onenet.volumes.volume import Volume

_RAS = np.array([[0, 1], [1, 1], [2, 1]])


def canonical(volume: Volume, by: NDArray[np.float64] | None = None) -> Volume:
    """The volume with its axes to the right, the front and the head; a view of the same voxels.

    Args:
        volume: in any orientation.
        by: the affine that says how to turn, where it is that of another file on the same grid: at 45 degrees rounding
            alone decides which axis points to the right.
    """
    from nibabel import orientations

    turn = orientations.io_orientation(volume.affine if by is None else by)
    array = orientations.apply_orientation(volume.array, turn)
    affine = volume.affine @ orientations.inv_ornt_aff(turn, volume.array.shape[:3])
    return Volume(array, affine, volume.file, volume.header, volume.files)


def from_canonical(array: NDArray[Any], like: Volume) -> NDArray[Any]:
    """An array (x, y, z[, c]) on the grid of `canonical(like)` in the axes of `like` itself."""
    from nibabel import orientations

    back = orientations.ornt_transform(_RAS, orientations.io_orientation(like.affine))
    return orientations.apply_orientation(array, back)


def with_axes_of(volume: Volume, like: Volume) -> Volume:
    """The volume with its axes in the order and direction of another one's; nothing is interpolated."""
    from nibabel import orientations

    if on_one_grid(volume.array.shape, volume.affine, like.array.shape, like.affine):
        return volume  # at 45 degrees rounding could turn the two differently
    there = canonical(volume)
    back = orientations.ornt_transform(_RAS, orientations.io_orientation(like.affine))
    array = orientations.apply_orientation(there.array, back)
    affine = there.affine @ orientations.inv_ornt_aff(back, there.array.shape[:3])
    return Volume(array, affine, volume.file, volume.header, volume.files)


def slices(array: NDArray[Any], axis: int) -> NDArray[Any]:
    """A canonical array (x, y, z[, c]) as images (n, h, w[, c]) as they are looked at; a view.

    Along axis 2 (feet to head) the front is up and the patient's right is on the left; along axis 1 (back to front) the
    head is up and the right on the left; along axis 0 (left to right) the head is up and the front on the left. Rows
    follow the later one of the other two axes, columns the earlier one, both from their far end.
    """
    return np.moveaxis(array, axis, 0).swapaxes(1, 2)[:, ::-1, ::-1]


def from_slices(images: NDArray[Any], axis: int) -> NDArray[Any]:
    """The canonical array of images that `slices` gave."""
    turned = np.swapaxes(images[:, ::-1, ::-1], 1, 2)  # n, then the other two axes in their order
    return np.moveaxis(turned, 0, axis)
