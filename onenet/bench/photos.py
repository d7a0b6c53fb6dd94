"""The photo that models are timed on: a packaged one at the size asked for, as the bytes of a JPEG file."""

import io
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet.bench.fresh import Photo
from onenet.card import Card
from onenet.images import read_image

_PHOTO = "oxford_pet/images/Abyssinian_116.jpg"


def photo_in_memory(channels: int, size: int, decoded: bool = False) -> Photo:
    """A square photo as the bytes of a JPEG; noise as an array where networks want other than 1 or 3 channels.

    Args:
        decoded: give an array in any case, as a slice of a volume is one.
    """
    if channels not in (1, 3):
        return np.random.default_rng(0).integers(0, 256, (size, size, channels), dtype=np.uint8)
    with resources.files("onenet.samples").joinpath(_PHOTO).open("rb") as file, Image.open(file) as image:
        photo = image.convert("RGB" if channels == 3 else "L").resize((size, size), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=90)
    return read_image(stream.getvalue(), channels) if decoded else stream.getvalue()


def prepared(photo: Photo, card: Card) -> NDArray[np.float32]:
    """The photo as a network gets it: (1, c, h, w) in [0, 1]."""
    pixels = read_image(photo, card.in_channels) if isinstance(photo, bytes) else photo
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]).astype(np.float32) / np.float32(255)
