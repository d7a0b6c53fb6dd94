"""A case as it is read: its volume and its mask in closest canonical orientation, and what may be wrong with them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onenet.data.cases import Case
from onenet.data.sample import to_classes
from onenet.errors import DataError
from onenet.volumes import ASIDE, Volume, apart, canonical, on_one_grid, read_header, read_volume
from onenet.volumes.files import Header


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a file are, in closest canonical orientation.

    Attributes:
        shape: (x, y, z).
        channels: 1, or the length of a fourth axis.
        affine: voxel -> millimetres.
    """

    shape: tuple[int, int, int]
    channels: int
    affine: NDArray[np.float64]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres from voxel to voxel along each axis."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    def apart(self, other: "Grid") -> float:
        """The longest way, in millimetres, between the same corner of the one grid and of the other."""
        return apart(self.shape, self.affine, other.affine)


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """A case in closest canonical orientation: image (x, y, z, c) and mask (x, y, z) in the values of its file."""

    image: NDArray[np.float32]
    mask: NDArray[np.integer]
    grid: Grid


def grid_of(path: Path, first: Path | None = None) -> Grid:
    """The grid of a file, from its header alone, found by letting `canonical` turn an array without content.

    Args:
        path: of the file.
        first: the first file of its case, by which it is turned where both lie on one grid.

    Raises:
        DataError: it cannot be read, or has neither three nor four axes.
    """
    shape, affine = _header(path)
    empty = np.broadcast_to(np.zeros(1, np.uint8), shape)
    turned = canonical(Volume(array=empty, affine=affine, file=path), _turned_by(path, first))
    x, y, z = turned.array.shape[:3]
    return Grid((x, y, z), shape[3] if len(shape) == 4 else 1, turned.affine)


def _turned_by(path: Path, first: Path | None) -> NDArray[np.float64]:
    """The affine that says how a file is turned."""
    shape, affine = _header(path)
    try:
        first_shape, by = _header(first or path)
    except DataError:  # which is told where the first file itself is read
        return affine
    return by if on_one_grid(shape, affine, first_shape, by) else affine


def _header(path: Path) -> Header:
    try:
        state = path.stat()
    except OSError:
        raise DataError(f"{path}: no such file") from None
    return _header_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _header_of(path: Path, size: int, time: int) -> Header:
    return read_header(path)


def read_labelled(case: Case, channels: int) -> LabelledVolume:
    """Read a case whole.

    Args:
        case: whose files.
        channels: how many it must have; 0: any number.

    Raises:
        DataError: a file cannot be read, or the files do not fit each other.
    """
    for _, fault in faults_of_grids(case, channels):
        raise DataError(fault)
    image, mask = read_channels(case), labels_in(read_turned(case.mask, case.image), case.mask)
    if not np.isfinite(image).all():
        raise DataError(not_finite(case, image))
    return LabelledVolume(image, mask, grid_of(case.image))


def read_channels(case: Case) -> NDArray[np.float32]:
    """The image (x, y, z, c) of a case, turned.

    Raises:
        DataError: a file cannot be read.
    """
    parts = [read_turned(path, case.image) for path in case.images]
    return np.concatenate([part if part.ndim == 4 else part[..., None] for part in parts], axis=-1, dtype=np.float32)


def read_values(path: Path) -> NDArray[np.integer]:
    """The values (x, y, z) of a mask, turned.

    Raises:
        DataError: it cannot be read, or holds other than whole numbers.
    """
    return labels_in(read_turned(path), path)


def read_turned(path: Path, first: Path | None = None) -> NDArray:
    """The voxels of a file, turned as `grid_of` says.

    Raises:
        DataError: it cannot be read.
    """
    volume = read_volume(path)
    return canonical(volume, _turned_by(path, first)).array


def labels_in(array: NDArray, path: Path) -> NDArray[np.integer]:
    """The voxels of a mask as whole numbers.

    Raises:
        DataError: it holds others.
    """
    array = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
    if array.dtype.kind != "f":
        return array.astype(np.uint8) if array.dtype == np.bool_ else array
    whole = np.rint(array)
    if not (np.isfinite(array).all() and (whole == array).all()):
        wrong = array[~np.isfinite(array) | (whole != array)][0]
        raise DataError(f"{path}: the mask holds {wrong:g}, but labels are whole numbers; was it resampled with "
                        "interpolation? Resample it to the nearest label")  # fmt: skip
    return whole.astype(np.int32)


def classes_of(mask: NDArray[np.integer], labels: Mapping[int, int], case: Case) -> NDArray[np.uint8]:
    """Values as class indices or bit codes.

    Raises:
        DataError: a value is none of `labels`.
    """
    small = mask.astype(np.uint8, copy=False) if mask.min() >= 0 and mask.max() < 256 else mask
    return to_classes(small, labels, case.mask)


def faults_of_grids(case: Case, channels: int) -> Iterator[tuple[str, str]]:
    """What headers alone tell: numbers of channels, and grids that differ; a kind (channels or size) and a line each.

    Raises:
        DataError: a header cannot be read.
    """
    first, mask = grid_of(case.image), grid_of(case.mask)
    found = sum(grid_of(path).channels for path in case.images)
    if channels and found != channels:
        line = f"has {found} channel(s), but the data has {channels}; add what is absent, or remove it"
        yield "channels", f"{case.image}: {line}"
    if mask.channels != 1:
        yield "channels", f"{case.mask}: has four axes, but a mask has three; save one label per voxel"
    for path in (*case.channels, case.mask):
        other, what = grid_of(path, case.image), "mask" if path == case.mask else "channel"
        if other.shape != first.shape:
            sizes = f"{_text(other.shape)} voxels, but {case.image.name} is {_text(first.shape)}"
            yield "size", f"{path}: the {what} is {sizes}; resample it to the image"
        elif (aside := other.apart(first)) > ASIDE * min(first.spacing):
            where = f"lies up to {aside:.3g} mm from where {case.image.name} lies (their affines differ)"
            yield "size", f"{path}: the {what} {where}; save it with the affine of the image"


def not_finite(case: Case, image: NDArray[np.float32]) -> str:
    """The line about voxels that are no numbers."""
    count = int((~np.isfinite(image)).sum())
    return f"{case.image}: {count} voxel(s) are no numbers (NaN or infinite); set them to the background's value"


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
