"""Two-dimensional images: read, resize, pad, colourise, overlay and write them (NumPy, Pillow and tifffile only).

An image is (h, w, c), uint8 or, where its file is deeper than 8 bits, float32 in [0, 1]; a mask is (h, w) uint8 of
class indices, 255 where nothing is counted.
"""

from onenet.images.decoding import open_image
from onenet.images.drawing import code_colours, colourise, cutout, mask_image, outline, overlay, overlay_code, shown
from onenet.images.geometry import Box, padded_to, reflected, resize, scaled_size
from onenet.images.masks import MASK_ENCODINGS, lossy, read_mask
from onenet.images.reading import (
    SUFFIXES,
    channel_count,
    image_size,
    read_image,
    scaled_pixels,
    to_channels,
)
from onenet.images.writing import atomic_write, encode_image, refuse_unwritable, write_image

IGNORED = 255  # in every mask that is held in memory, whatever its file says

__all__ = [
    "IGNORED", "MASK_ENCODINGS", "SUFFIXES", "Box", "atomic_write", "channel_count", "code_colours", "colourise",
    "cutout", "encode_image", "image_size", "lossy", "mask_image", "open_image", "outline", "overlay", "overlay_code",
    "padded_to", "read_image", "read_mask", "reflected", "refuse_unwritable", "resize", "scaled_pixels", "scaled_size",
    "shown", "to_channels", "write_image",
]  # fmt: skip
