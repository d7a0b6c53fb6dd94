"""Results go out whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet.errors import OneNetError, describe_os_error

_FULL, _FORBIDDEN = "; free some space", "; choose a place that you may write to"
_HINTS = {
    errno.ENOSPC: _FULL, errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN, errno.EPERM: _FORBIDDEN, errno.EROFS: _FORBIDDEN,
}  # fmt: skip


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under `path` only when it is complete: a full disk or a kill leaves the old one.

    Raises:
        OneNetError: the folder cannot be written to.
    """
    path = Path(path)
    if not path.name:
        raise OneNetError(f"{path}: cannot be written, it is a folder; name a file in it")
    taken = next((folder for folder in path.parents if folder.exists() and not folder.is_dir()), None)
    if taken:
        raise OneNetError(f"{path}: cannot be written, {taken} is a file, not a folder; choose another folder")
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:  # a new file, with the permissions that the umask leaves
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise OneNetError(f"{path}: cannot be written ({describe_os_error(error)}){hint}") from error
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def write_image(path: str | Path, image: NDArray[np.uint8] | Image.Image) -> None:
    """Write a PNG (or what the suffix says) completely or not at all."""
    with atomic_write(path) as file:
        encode_image(file, image, Path(path).suffix)


def encode_image(file: IO[bytes], image: NDArray[np.uint8] | Image.Image, suffix: str = ".png") -> None:
    """Write a PNG (or what the suffix says) into an open file."""
    if isinstance(image, Image.Image):
        picture = image
    else:
        picture = Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    picture.save(file, format=Image.registered_extensions().get(suffix.lower(), "PNG"))


def refuse_unwritable(folder: Path) -> None:
    """Say at once, and not after minutes of work, that nothing can be written into a folder; nothing is made here.

    Raises:
        OneNetError: it is a file, or where it would be made is one or must not be written.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise OneNetError(f"{place}: is a file, not a folder to write into; choose another one")
    if not os.access(place, os.W_OK):
        raise OneNetError(f"{folder}: cannot be written (no permission in {place}); choose another folder")
