"""Volumes that are the channels of one case, and whether all voxels are numbers."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from onenet.errors import DataError
from onenet.volumes.grids import on_one_grid
from onenet.volumes.orientation import with_axes_of
from onenet.volumes.volume import Volume


def join_channels(volumes: Sequence[Volume]) -> Volume:
    """One volume (x, y, z, c) of several, with the place and the header of the first; a single one stays as it is.

    Raises:
        DataError: one lies elsewhere than the first, or has voxels that are no numbers.
    """
    first = volumes[0]
    volumes = [first, *(with_axes_of(volume, first) for volume in volumes[1:])]
    for volume in volumes:
        if not on_one_grid(volume.array.shape, volume.affine, first.array.shape, first.affine):
            raise DataError(f"{volume.file}: lies elsewhere than {first.file.name}; channels of a case share one grid")
        check_finite(volume)
    if len(volumes) == 1:
        return first
    parts = [volume.array if volume.array.ndim == 4 else volume.array[..., None] for volume in volumes]
    return dataclasses.replace(first, array=np.concatenate(parts, axis=-1))


def check_finite(volume: Volume) -> None:
    """Refuse a volume with voxels that are no numbers.

    Raises:
        DataError: it has some.
    """
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).all():
        count = int((~np.isfinite(volume.array)).sum())
        raise DataError(f"{volume.file}: has {count} voxel(s) that are no numbers (NaN or infinite); set them to the "
                        "background's value")  # fmt: skip
