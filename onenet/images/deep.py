"""Colours of 16 bits in PNG, of which Pillow reads 8, and PGM and PPM of more than 8 bits, which it stretches."""

import re
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from onenet.errors import DataError
from onenet.images.decoding import Source, first_bytes, name_of, open_image

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_BANDS = {2: "RGB", 4: "LA", 6: "RGBA"}  # by the colour type in its header; 16-bit grey is what Pillow reads whole
_HEADER = 1024
_PNM = re.compile(rb"P([56])" + 3 * rb"(?:\s+|#[^\n]*\n)+(\d+)" + rb"\s")


@dataclass(frozen=True)
class DeepHeader:
    """What the header of a deep file says: its kind ("RGB", "RGBA", "LA" of PNG; "PNM"), and where pixels begin."""

    kind: str
    height: int
    width: int
    channels: int
    start: int = 0


def deep_header(source: Source) -> DeepHeader | None:
    """The header of a deep colour PNG or of a deep PGM or PPM; None for any other file."""
    begin = first_bytes(source, _HEADER)
    if begin.startswith(_PNG) and len(begin) >= 26:
        width, height, bits, colour_type = struct.unpack(">IIBB", begin[16:26])
        bands = _PNG_BANDS.get(colour_type, "")
        return DeepHeader(bands, height, width, len(bands)) if bits == 16 and bands else None
    found = _PNM.match(begin)
    if found is None or not 255 < int(found[4]) < 65536 or not int(found[2]) * int(found[3]):
        return None
    return DeepHeader("PNM", int(found[3]), int(found[2]), 3 if found[1] == b"6" else 1, found.end())


def read_deep(source: Source, header: DeepHeader) -> NDArray[np.uint16]:
    """All 16 bits of it, upright, (h, w, c) with the alpha channel last.

    Raises:
        DataError: the file is damaged or too large.
    """
    if header.kind == "PNM":
        return _read_pnm(source, header)
    if header.kind == "LA":  # two bytes of grey and two of alpha lie where those of red, green, blue and alpha would
        grey_high, grey_low, alpha_high, alpha_low = np.moveaxis(_bytes(source, "RGBA"), -1, 0).astype(np.uint16)
        return np.stack([grey_high << 8 | grey_low, alpha_high << 8 | alpha_low], axis=-1)
    high = _bytes(source, f"{header.kind};16B").astype(np.uint16)
    return high << np.uint16(8) | _bytes(source, f"{header.kind};16L")  # taken for the other byte order: the low byte


def _bytes(source: Source, rawmode: str) -> NDArray[np.uint8]:
    return np.asarray(ImageOps.exif_transpose(open_image(source, rawmode)))


def _read_pnm(source: Source, header: DeepHeader) -> NDArray[np.uint16]:
    name, count = name_of(source), header.height * header.width * header.channels
    if header.height * header.width > 2 * (Image.MAX_IMAGE_PIXELS or count):
        raise DataError(f"{name}: too large to be read at once ({header.height}x{header.width}); cut it into pieces")
    data = first_bytes(source, header.start + 2 * count)[header.start :]
    if len(data) < 2 * count:
        raise DataError(f"{name}: the image is damaged or unreadable (it is truncated); replace or remove it")
    return np.frombuffer(data, ">u2").astype(np.uint16).reshape(header.height, header.width, header.channels)
