"""Image files read from top to bottom, a few rows at a time, so that they are never whole in memory.

libvips decodes them (pyvips, an optional package). What it would have to decode whole, or would decode otherwise than
`read_image` does, is told by `streaming_obstacle`.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet.errors import DataError
from onenet.images.decoding import first_bytes
from onenet.images.libvips import open_in_strips
from onenet.images.reading import Pixels, image_size, to_channels
from onenet.images.tiff import is_tiff, tiff_header

_ORIENTATION = 0x0112
_FETCHED = 16  # rows at a time: libvips keeps memory in proportion
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PNG = b"\x89PNG\r\n\x1a\n"
_SEQUENTIAL = (b"\xff\xd8", _PNG)  # how files begin that are decoded row by row; TIFF is asked closer


def streaming_obstacle(path: str | Path, channels: int) -> str:
    """Why a file cannot be read in strips as `read_image` would read it; "" where it can."""
    if channels not in (1, 3):
        return f"a model of {channels} channels reads images whole"
    if is_tiff(path):
        try:
            header = tiff_header(path, str(path))
        except DataError:
            return "a TIFF of an unusual kind"
        if not header.photo or header.negative or header.orientation != 1:
            return "a TIFF that is turned, inverted, deep or has several pages"
    elif not first_bytes(path, 8).startswith(_SEQUENTIAL):
        return "only PNG, JPEG and TIFF can be read in strips"
    try:
        import pyvips
    except (ImportError, OSError):  # OSError: there is no libvips beside it
        return "reading in strips needs pyvips: pip install 'onenet-seg[large]'"
    try:
        image = open_in_strips(path)
    except pyvips.Error:
        return "libvips cannot open it"
    return _obstacle_in(image)


def _obstacle_in(image: Any) -> str:
    fields = image.get_fields()
    if "interlaced" in fields and image.get("interlaced"):
        kind = "a progressive JPEG" if "jpeg" in image.get("vips-loader") else "an interlaced PNG"
        return f"{kind} must be decoded whole"
    if "orientation" in fields and image.get("orientation") != 1:
        return "a photo that its camera held on its side is turned whole"
    if image.format != "uchar" or image.bands not in _MODES or image.interpretation not in ("srgb", "b-w", "rgb"):
        return f"pixels of the kind {image.format} {image.interpretation} are read whole"
    return ""


def stored_size(path: str | Path) -> tuple[int, int]:
    """(height, width) in a file's header, whatever its size; of a PNG as it is stored, not turned upright.

    `image_size` decodes a PNG to look for its orientation, and refuses what is beyond the decoder's safety limit.

    Raises:
        DataError: the file is missing, empty, damaged or not an image.
    """
    begin = first_bytes(path, 24)
    if begin.startswith(_PNG) and len(begin) == 24:
        width, height = struct.unpack(">II", begin[16:])
        return height, width
    try:
        return image_size(path)
    except DataError:
        kind = Image.registered_extensions().get(Path(path).suffix.lower(), "")
        if kind not in Image.OPEN:
            raise
    try:
        with Path(path).open("rb") as file, Image.OPEN[kind][0](file, str(path)) as image:  # as Image.open does later
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) >= 5
    except Exception:  # Pillow raises many kinds for a damaged header
        return image_size(path)  # which says what is wrong
    return (width, height) if turned else (height, width)


class StripReader:
    """A file's pixels from top to bottom, as `read_image` gives them: (n, w, c) uint8.

    Attributes:
        size: (height, width).

    Raises:
        DataError: the file cannot be opened.
    """

    def __init__(self, path: str | Path, channels: int) -> None:
        import pyvips

        self._name, self._channels, self._next = str(path), channels, 0
        try:
            self._image = open_in_strips(path)
            self._region = pyvips.Region.new(self._image)
        except pyvips.Error as error:
            raise self._damaged(error) from None
        self.size = self._image.height, self._image.width

    def read(self, count: int) -> NDArray[np.uint8]:
        """The next `count` rows.

        Raises:
            DataError: the file is truncated or damaged there.
        """
        rows = np.empty((count, self.size[1], self._channels), dtype=np.uint8)
        for first in range(0, count, _FETCHED):
            part = rows[first : first + _FETCHED]
            part[:] = self._fetched(len(part))
        return rows

    def again(self) -> "StripReader":
        """The same file from its top."""
        return StripReader(self._name, self._channels)

    def _fetched(self, count: int) -> Pixels:
        import pyvips

        width, bands = self._image.width, self._image.bands
        try:
            data = self._region.fetch(0, self._next, width, count)
        except pyvips.Error as error:
            raise self._damaged(error) from None
        self._next += count
        pixels = np.frombuffer(data, dtype=np.uint8).reshape(count, width, bands)
        if bands == self._channels:
            return pixels
        picture = Image.fromarray(pixels[..., 0] if bands == 1 else pixels, _MODES[bands])
        return to_channels(picture, self._channels, self._name)

    def _damaged(self, error: Exception) -> DataError:
        reason = " ".join(str(error).split())[:120]
        return DataError(f"{self._name}: the image is damaged or unreadable ({reason}); replace or remove it")
