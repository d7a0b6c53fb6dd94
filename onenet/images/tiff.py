"""TIFF that Pillow would not read whole: several pages, more bands than colours, more than 8 bits, signs, fractions."""

import logging
from dataclasses import dataclass

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from onenet.errors import DataError, describe_os_error
from onenet.images.decoding import Source, as_file, first_bytes

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong with a file is told once, by us

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 274
_GREY = (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK)


@dataclass(frozen=True)
class TiffHeader:
    """What the header of a TIFF says of its image.

    Attributes:
        pages: indices of its pages, all of one size; the file's other ones are thumbnails and pyramids.
        height, width: upright.
        channels: of all pages, one after the other.
        alpha: how many of them are transparency.
        colour: the first page begins with red, green and blue.
        photo: Pillow reads it whole.
        orientation: as in EXIF.
    """

    pages: tuple[int, ...]
    height: int
    width: int
    channels: int
    alpha: int
    colour: bool
    photo: bool
    orientation: int


def is_tiff(source: Source) -> bool:
    """Whether this is a TIFF, by its first bytes."""
    return first_bytes(source, 4) in _MAGIC


def tiff_header(source: Source, name: str) -> TiffHeader:
    """Read the header.

    Raises:
        DataError: it is damaged.
    """
    try:
        with tifffile.TiffFile(as_file(source)) as file:
            return _header(file)
    except Exception as error:  # tifffile raises many kinds for a damaged or unusual file
        raise _refusal(error, name) from None


def read_tiff(source: Source, name: str) -> NDArray:
    """All channels, upright, (h, w, c) in the file's own type.

    Raises:
        DataError: the file is damaged, or compressed in a way that needs another package.
    """
    try:
        with tifffile.TiffFile(as_file(source)) as file:
            header = _header(file)
            try:
                pages = [_channels_last(file.pages[index]) for index in header.pages]  # type: ignore[arg-type]
            except (ValueError, KeyError) as error:
                if "imagecodecs" not in str(error) or header.orientation != 1:
                    raise
                pages = _by_pillow(source, header, file.pages[0].dtype, error)  # type: ignore[arg-type]
        return _upright(np.concatenate(pages, axis=2), header.orientation)
    except Exception as error:  # as above
        raise _refusal(error, name) from None


def _header(file: tifffile.TiffFile) -> TiffHeader:
    every = [file.pages[index] for index in range(len(file.pages))]
    first = every[0]
    assert isinstance(first, tifffile.TiffPage)
    height, width, samples = _shape(first)
    pages = tuple(index for index, page in enumerate(every) if _shape(page)[:2] == (height, width))
    orientation = int(first.tags.valueof(_ORIENTATION, 1) or 1)
    grey, colour = first.photometric in _GREY, first.photometric == tifffile.PHOTOMETRIC.RGB
    known = {tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA}
    alpha = sum(extra in known for extra in first.extrasamples)
    shallow = first.dtype in (np.uint8, np.bool_) and first.bitspersample <= 8
    bands = samples - alpha == (1 if grey else 3) or not (grey or colour)
    return TiffHeader(
        pages=pages,
        height=width if orientation >= 5 else height,
        width=height if orientation >= 5 else width,
        channels=sum(_shape(every[index])[2] for index in pages),
        alpha=alpha if len(pages) == 1 else 0,
        colour=colour and samples >= 3,
        photo=shallow and bands and (len(pages) == 1 or not (grey or colour)),
        orientation=orientation,
    )


def _shape(page: tifffile.TiffPage | tifffile.TiffFrame) -> tuple[int, int, int]:
    shape = dict(zip(page.axes, page.shape, strict=True))
    return shape["Y"], shape["X"], shape.get("S", 1)


def _channels_last(page: tifffile.TiffPage) -> NDArray:
    pixels = page.asarray()
    return np.moveaxis(pixels, page.axes.index("S"), -1) if "S" in page.axes else pixels[..., None]


def _by_pillow(source: Source, header: TiffHeader, dtype: np.dtype, reason: Exception) -> list[NDArray]:
    """The pages by Pillow, whose libtiff knows LZW; it has no more than 8 bits where a page has several channels."""
    pages = []
    with Image.open(as_file(source)) as image:
        for index in header.pages:
            image.seek(index)
            pixels = np.asarray(image)
            pages.append(pixels.reshape(*pixels.shape[:2], -1).astype(dtype))
            if sum(page.shape[2] for page in pages) > header.channels or (pixels.ndim == 3 and dtype.itemsize > 1):
                raise reason
    if sum(page.shape[2] for page in pages) != header.channels:
        raise reason
    return pages


def _upright(pixels: NDArray, orientation: int) -> NDArray:
    """EXIF 2.3, tag 274."""
    pixels = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    pixels = pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


def _refusal(error: Exception, name: str) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{name}: no such file")
    reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
    reason = " ".join(reason.split())[:120] or type(error).__name__
    if "imagecodecs" in reason:
        return DataError(f"{name}: its compression needs one more package ({reason}); pip install imagecodecs, or save "
                         "the TIFF uncompressed")  # fmt: skip
    if isinstance(error, MemoryError):
        return DataError(f"{name}: does not fit into memory; cut it into pieces")
    return DataError(f"{name}: the TIFF is damaged or of a kind that cannot be read ({reason}); replace or remove it")
