"""A picture of what a network makes of some validation images: a row each with image, truth and prediction."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from onenet.card import Card
from onenet.data import Item, Sample
from onenet.deploy.segmenter import Segmenter
from onenet.images import atomic_write, overlay, overlay_code, resize, shown
from onenet.metrics.evaluation import predicted_mask

LONGEST = 256  # side of an image in the picture
GAP, HEAD = 4, 14  # pixels between images, and for the words above them


def example_names(items: Sequence[Item], count: int) -> set[str]:
    """Which images are drawn: spread evenly over the split, the same each time."""
    count = min(count, len(items))
    return {items[place * len(items) // count].name for place in range(count)}


def draw_examples(path: Path, samples: Sequence[Sample], segmenter: Segmenter) -> None:
    """Write the picture as JPEG, completely or not at all."""
    rows = [_row(sample, segmenter) for sample in samples]
    width = max(sum(tile.width + GAP for tile in row) for row in rows)
    height = sum(max(tile.height for tile in row) + HEAD + GAP for row in rows)
    sheet = Image.new("RGB", (width, height), "white")
    draw, top = ImageDraw.Draw(sheet), 0
    for sample, row in zip(samples, rows, strict=True):
        left = 0
        for word, tile in zip((sample.name, "truth", "prediction"), row, strict=True):
            clipped = word.encode("ascii", "replace").decode()[: tile.width // 6]  # the font is 6 pixels wide
            draw.text((left + 2, top + 1), clipped, fill="black")
            sheet.paste(tile, (left, top + HEAD))
            left += tile.width + GAP
        top += max(tile.height for tile in row) + HEAD + GAP
    with atomic_write(path) as file:
        sheet.save(file, format="JPEG", quality=85)


def _row(sample: Sample, segmenter: Segmenter) -> list[Image.Image]:
    card, size = segmenter.card, sample.mask.shape
    prediction = predicted_mask(segmenter(sample.image), size, card.overlapping)
    factor = min(1.0, LONGEST / max(size))
    small = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    photo = resize(shown(sample.image), small)
    masks = (resize(mask, small, "nearest") for mask in (sample.mask, prediction))
    return [
        Image.fromarray(np.ascontiguousarray(picture)) for picture in (photo, *(_tinted(photo, m, card) for m in masks))
    ]


def _tinted(photo: np.ndarray, mask: np.ndarray, card: Card) -> np.ndarray:
    if card.overlapping:
        return overlay_code(photo, mask, card.colours)
    return overlay(photo, mask, card.colours, card.background)
