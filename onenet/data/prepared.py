"""Prepared cases: the slices of a volume as training reads them, made once and kept in a folder.

A volume is turned into closest canonical orientation, resampled within its slices and brought to [0, 1]; its slices are
kept as 16-bit numbers, of which 65535 is 1: finer than the grey values of any scanner (12 bits, seldom 16) and than
what bf16 or a screen can tell apart, in half the room of float32. Masks are kept as class indices or bit codes.

The files are mapped into memory, so that a slice costs the reading of its own bytes, in every epoch and every worker
process. They lie in ONENET_CACHE, else in ~/.cache/onenet/volumes, hold images of patients as the data does, are
readable by their owner alone and may be deleted at any time. Their names are made from the path, size and time of the
files and from the preparation: another file or another way of preparing it is another entry.
"""

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onenet.data.cases import Case
from onenet.data.preparation import Preparation
from onenet.data.volume_reading import classes_of, read_labelled
from onenet.errors import DataError, OneNetError
from onenet.images import atomic_write
from onenet.volumes import files_of, normalise, resample_in_plane, resampled_size, slices

VERSION = 2  # of what is in the files; another one makes them anew
WHITE = 65535

_making = threading.Lock()
_failed: dict[str, str] = {}  # entry -> why it cannot be made, so that a broken file is read once, not once a slice


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """The slices of a case: images (n, h, w, c) of 16 bits, masks (n, h, w), both mapped into memory."""

    images: NDArray[np.uint16]
    masks: NDArray[np.uint8]

    def image(self, index: int, neighbours: int) -> NDArray[np.float32]:
        """A slice (h, w, c) in [0, 1], behind it `neighbours` on either side as further channels."""
        places = np.clip(np.arange(index - neighbours, index + neighbours + 1), 0, len(self.images) - 1)
        planes = np.concatenate([self.images[place] for place in places], axis=-1)
        return planes.astype(np.float32) / np.float32(WHITE)


def cache_folder() -> Path:
    """Where prepared cases are kept."""
    named = os.environ.get("ONENET_CACHE")
    return (Path(named).expanduser() if named else Path.home() / ".cache" / "onenet") / "volumes"


def prepare(case: Case, preparation: Preparation, labels: Mapping[int, int], channels: int) -> PreparedCase:
    """The slices of a case, from the folder where they are there, else made and kept.

    Raises:
        DataError: a file of the case cannot be read, or its files do not fit each other.
        OneNetError: the folder cannot be written.
    """
    entry = _entry(case, preparation, labels, channels)
    images, masks = (cache_folder() / f"{entry}.{part}.npy" for part in ("images", "masks"))
    if not (images.is_file() and masks.is_file()):
        with _making:  # decoding several volumes at once would need the memory of all of them
            if entry in _failed:
                raise DataError(_failed[entry])
            if not (images.is_file() and masks.is_file()):
                try:
                    _make(case, preparation, labels, channels, images, masks)
                except DataError as error:
                    _failed[entry] = str(error)
                    raise
    return _opened(images, masks)


@lru_cache(maxsize=64)  # each keeps two files open
def _opened(images: Path, masks: Path) -> PreparedCase:
    try:
        return PreparedCase(np.load(images, mmap_mode="r"), np.load(masks, mmap_mode="r"))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{images}: cannot be read ({error}); delete it, it will be made again") from None


def _entry(case: Case, preparation: Preparation, labels: Mapping[int, int], channels: int) -> str:
    marks = []
    for path in (file for named in (*case.images, case.mask) for file in files_of(named)):
        try:
            state = path.stat()
        except OSError:
            raise DataError(f"{path}: no such file") from None
        marks.append([str(path.resolve()), state.st_size, state.st_mtime_ns])
    made_alike = {key: value for key, value in preparation.to_card().items() if key != "neighbours"}
    meaning = [VERSION, marks, made_alike, sorted(labels.items()), channels]
    return hashlib.blake2b(json.dumps(meaning, sort_keys=True).encode(), digest_size=16).hexdigest()


def _make(
    case: Case, preparation: Preparation, labels: Mapping[int, int], channels: int, images: Path, masks: Path
) -> None:
    image, mask = prepared_arrays(case, preparation, labels, channels)
    with contextlib.suppress(OSError):  # writing says what is wrong
        cache_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, array in ((images, image), (masks, mask)):
        try:
            with atomic_write(path) as file:
                os.chmod(file.fileno(), 0o600)
                np.save(file, array)
        except OneNetError as error:
            raise OneNetError(f"{error}; ONENET_CACHE names another folder for prepared volumes") from None


def prepared_arrays(
    case: Case, preparation: Preparation, labels: Mapping[int, int], channels: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """What is kept of a case: see `PreparedCase`."""
    volume = read_labelled(case, channels)
    grey, mask = normalise(volume.image, preparation.intensity), classes_of(volume.mask, labels, case)
    images, masks = slices(grey, preparation.axis), slices(mask, preparation.axis)
    if preparation.spacing is not None:
        across, down = (volume.grid.spacing[axis] for axis in preparation.in_plane)
        size = resampled_size(masks.shape[1:], (down, across), preparation.spacing[::-1])
        images, masks = resample_in_plane(images, size), resample_in_plane(masks, size, labels=True)
    return np.rint(images * WHITE).astype(np.uint16), np.ascontiguousarray(masks)
