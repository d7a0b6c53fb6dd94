"""Files of pictures opened by Pillow, whole or refused in one line."""

import io
import os
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from onenet.errors import DataError, describe_os_error

Source = str | Path | bytes

_ORIENTATION = 0x0112


def name_of(source: Source) -> str:
    """How an image is called in messages."""
    return "the image given as bytes" if isinstance(source, bytes) else str(source)


def as_file(source: Source) -> str | Path | io.BytesIO:
    """What decoders take."""
    return io.BytesIO(source) if isinstance(source, bytes) else source


def first_bytes(source: Source, count: int) -> bytes:
    """The beginning of a file, by which its format is known; nothing where it cannot be read."""
    if isinstance(source, bytes):
        return source[:count]
    try:
        with Path(source).open("rb") as file:
            return file.read(count)
    except OSError:
        return b""  # reading it says what is wrong


def open_image(source: Source, rawmode: str = "") -> Image.Image:
    """Decode a file (or its bytes) completely, so that a damaged one fails here, with its name.

    Args:
        source: a file, or the bytes of one.
        rawmode: how Pillow shall unpack the stored pixels, where not as it would by itself.

    Raises:
        DataError: the file is missing, empty, truncated, too large or not an image.
    """
    name = name_of(source)
    try:
        if (len(source) if isinstance(source, bytes) else os.path.getsize(source)) == 0:
            raise DataError(f"{name}: the file is empty; replace or remove it")
        with Image.open(as_file(source)) as image:
            if rawmode:
                image.tile = [tile._replace(args=rawmode) for tile in image.tile]
            image.load()
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{name}: not an image that can be read; replace or remove it") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name}: too large to be read at once ({error}); cut it into pieces") from None
    except FileNotFoundError:
        raise DataError(f"{name}: no such file; check its name") from None
    except MemoryError:
        raise DataError(f"{name}: too large to be read at once; cut it into pieces") from None
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError) as error:
        reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
        raise DataError(f"{name}: the image is damaged or unreadable ({reason}); replace or remove it") from None
    return image


def picture_size(source: Source) -> tuple[int, int]:
    """(height, width) upright of what Pillow reads, from the file's header alone where that is possible.

    Raises:
        DataError: the file is missing, empty, damaged or not an image.
    """
    try:
        with Image.open(as_file(source)) as image:
            width, height = image.size
            turned = image.format != "TIFF" and image.getexif().get(_ORIENTATION, 1) >= 5
    except Exception:  # Pillow raises many kinds for a damaged header; reading it whole says what is wrong
        (width, height), turned = open_image(source).size, False
    return (width, height) if turned else (height, width)
