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
_TRANSPARENCY = 4  # of the subfile type, TIFF 6.0: a page that says which pixels of another one count
_LARGE = 1 << 28  # bytes
_PACKED = 2000  # times as many bytes as the file's, which is more than deflate can do
_MOST_BANDS = 16  # that an array may have as its last axis; what is wider is an image
_GREY = (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK)


@dataclass(frozen=True)
class TiffHeader:
    """What the header of a TIFF says of its image.

    Attributes:
        pages: indices of its pages, all of one size; the file's other ones are thumbnails and pyramids.
        rows: each page is a row of the image with its bands.
        height, width: upright.
        channels: of all pages, one after the other.
        alpha: how many of them are transparency.
        colour: the first page begins with red, green and blue.
        photo: Pillow reads it whole.
        negative: its zero is white, so that Pillow inverts it.
        bits: of a value in the file.
        orientation: as in EXIF.
    """

    pages: tuple[int, ...]
    rows: bool
    height: int
    width: int
    channels: int
    alpha: int
    colour: bool
    photo: bool
    negative: bool
    bits: int
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
            _refuse_too_large(header, file)
            try:
                pages = [_channels_last(file.pages[index]) for index in header.pages]  # type: ignore[arg-type]
            except (ValueError, KeyError, ImportError) as error:
                if not _is_missing_package(error) or header.orientation != 1:
                    raise
                pages = _by_pillow(source, header, file.pages[0].dtype, error)  # type: ignore[arg-type]
        pixels = np.concatenate(pages, axis=2)
        return _upright(np.moveaxis(pixels, 2, 0) if header.rows else pixels, header.orientation)
    except Exception as error:  # as above
        raise _refusal(error, name) from None


def _header(file: tifffile.TiffFile) -> TiffHeader:
    every = [file.pages[index] for index in range(len(file.pages))]
    first = every[0]
    assert isinstance(first, tifffile.TiffPage)
    height, width, samples = _shape(first)
    same = [index for index, page in enumerate(every) if _shape(page)[:2] == (height, width)]
    pages = tuple(index for index in same if index == 0 or not _says_what_counts(every[index]))
    orientation = first.tags.valueof(_ORIENTATION, 1)
    orientation = orientation if orientation in range(2, 9) else 1
    grey, colour = first.photometric in _GREY, first.photometric == tifffile.PHOTOMETRIC.RGB
    known = {tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA}
    alpha = sum(extra in known for extra in first.extrasamples)
    shallow = first.dtype in (np.uint8, np.bool_) and first.bitspersample <= 8
    bands = samples - alpha == (1 if grey else 3) or not (grey or colour)
    channels = sum(_shape(every[index])[2] for index in pages)
    rows = _are_rows(file, len(pages))
    if rows:
        height, width, channels = channels, height, width
    return TiffHeader(
        pages=pages,
        rows=rows,
        height=width if orientation >= 5 else height,
        width=height if orientation >= 5 else width,
        channels=channels,
        alpha=alpha if len(pages) == 1 else 0,
        colour=colour and samples >= 3,
        photo=shallow and bands and (len(pages) == 1 or not (grey or colour)),
        negative=first.photometric == tifffile.PHOTOMETRIC.MINISWHITE,
        bits=first.bitspersample,
        orientation=orientation,
    )


def _are_rows(file: tifffile.TiffFile, pages: int) -> bool:
    """Whether these pages are what tifffile makes of an array (h, w, c), by the shape that it notes in the first."""
    shape = (file.shaped_metadata or ({},))[0].get("shape", ())
    return len(shape) == 3 and shape[0] == pages and shape[2] <= min(_MOST_BANDS, shape[0] // 2, shape[1] // 2)


def _refuse_too_large(header: TiffHeader, file: tifffile.TiffFile) -> None:
    """Refuse what would fill the memory: more pixels than Pillow takes, or a damaged header's idea of the size."""
    pixels = header.height * header.width
    size = pixels * header.channels * file.pages[0].dtype.itemsize  # type: ignore[union-attr]
    if pixels > 2 * (Image.MAX_IMAGE_PIXELS or pixels):
        raise MemoryError
    if size > _LARGE and size > _PACKED * file.filehandle.size:
        raise ValueError(f"{header.height}x{header.width} with {header.channels} channels in a file that small")


def _says_what_counts(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    return isinstance(page, tifffile.TiffPage) and bool(page.subfiletype & _TRANSPARENCY)


def _shape(page: tifffile.TiffPage | tifffile.TiffFrame) -> tuple[int, int, int]:
    shape = dict(zip(page.axes, page.shape, strict=True))
    return shape["Y"], shape["X"], shape.get("S", 1)


def _channels_last(page: tifffile.TiffPage) -> NDArray:
    pixels = page.asarray()
    return np.moveaxis(pixels, page.axes.index("S"), -1) if "S" in page.axes else pixels[..., None]


def _by_pillow(source: Source, header: TiffHeader, dtype: np.dtype, reason: Exception) -> list[NDArray]:
    """The pages by Pillow, whose libtiff knows LZW; it has no more than 8 bits where a page has several channels."""
    try:
        with Image.open(as_file(source)) as image:
            pages = [_page_by_pillow(image, index, header.negative) for index in header.pages]
    except Exception:  # Pillow does not know it either
        raise reason from None
    deep_colours = dtype.itemsize > 1 and any(page.shape[2] > 1 for page in pages)
    if deep_colours or sum(page.shape[2] for page in pages) != header.channels:
        raise reason
    return [page.astype(dtype) for page in pages]


def _page_by_pillow(image: Image.Image, index: int, negative: bool) -> NDArray:
    image.seek(index)
    pixels = ~np.asarray(image) if negative and image.mode in ("1", "L") else np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)


def _upright(pixels: NDArray, orientation: int) -> NDArray:
    """EXIF 2.3, tag 274."""
    pixels = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    pixels = pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


def _is_missing_package(error: Exception) -> bool:
    return "imagecodecs" in str(error) or isinstance(error, ImportError)


def _refusal(error: Exception, name: str) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{name}: no such file")
    reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
    reason = " ".join(reason.split())[:120] or type(error).__name__
    if _is_missing_package(error):
        return DataError(f"{name}: its compression needs one more package ({reason}); pip install imagecodecs, or save "
                         "the TIFF uncompressed")  # fmt: skip
    if isinstance(error, MemoryError):
        return DataError(f"{name}: too large to be read at once; cut it into pieces")
    return DataError(f"{name}: the TIFF is damaged or of a kind that cannot be read ({reason}); replace or remove it")
