"""Masks that are called otherwise than their images: the commonest reason why nothing has a partner."""

from collections.abc import Mapping
from pathlib import Path

from onenet.errors import DataError


def unpaired(mask_folder: Path, images: Mapping[str, Path], masks: Mapping[str, Path]) -> DataError:
    """What to say where no mask has the name of an image: how the masks are called, where that can be told.

    Args:
        images, masks: files by their names without endings.
    """
    image = next(iter(images))
    mask = next((name for name in masks if image in name), None)
    if mask is not None:
        before, after = mask.split(image, 1)
        was = masks[mask]
        if sum(f"{before}{name}{after}" in masks for name in images) * 2 >= len(images):
            return DataError(f"{was}: masks are called {before}NAME{after}{was.suffix}; rename them to the names of "
                             f"their images, this one to {image}{was.suffix}")  # fmt: skip
    return DataError(f"{mask_folder}: no mask has the name of an image ({image} ... and {next(iter(masks))} ...); do "
                     "these folders belong together? A mask is called as its image is")  # fmt: skip
