"""The page's pictures: images with their truth and their prediction drawn on them, and the legend of the colours."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet import images
from onenet.card import Card
from onenet.metrics.tables import score_text, share_text, swatch

LONGEST_SIDE = 320  # of an embedded picture: a little more than its place on the page, so that the file stays small

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Strip:
    """One image with what it should have become and what it became."""

    name: str
    image: Pixels | NDArray[np.float32]  # (h, w, c), uint8 or in [0, 1]
    truth: Pixels  # (h, w) class indices, or bit codes of overlapping classes; 255 is not counted
    prediction: Pixels  # (h, w)
    mean_iou: float  # of this image; NaN where nothing could be measured


def draw_gallery(strips: Sequence[Strip], card: Card) -> str:
    """The strips, sorted from best to worst, in two groups where there are enough; empty without strips."""
    if not strips:
        return ""
    rows = [_strip(strip, card) for strip in strips]
    half = (len(rows) + 1) // 2
    groups = {"Best": rows[:half], "Worst": rows[half:]} if len(rows) >= 4 else {"": rows}
    columns = '<div class="strip heads" aria-hidden="true"><p></p><p>image</p><p>truth</p><p>prediction</p></div>'
    parts = [(f"<h3>{name}</h3>" if name else "") + columns + "".join(members) for name, members in groups.items()]
    return "\n".join([*parts, _legend(strips, card)])


def _strip(strip: Strip, card: Card) -> str:
    height, width = strip.truth.shape
    factor = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    image = images.resize(images.shown(strip.image), size)
    truth, prediction = (images.resize(mask, size, "nearest") for mask in (strip.truth, strip.prediction))
    pictures = [_picture(image[..., :1] if strip.image.shape[2] < 3 else image, f"{strip.name}, the image")]
    for kind, mask in (("truth", truth), ("prediction", prediction)):
        pictures.append(_picture(_drawn(image, mask, card), f"{strip.name}, {kind}: {_in_words(mask, card)}"))
    caption = f'<span class="name">{escape(strip.name)}</span> '
    caption += f'<span class="score">IoU {score_text(strip.mean_iou)}</span>'
    return f'<figure class="strip"><figcaption>{caption}</figcaption>{"".join(pictures)}</figure>'


def _drawn(image: Pixels, mask: Pixels, card: Card) -> Pixels:
    """The mask drawn on the image; pixels that are not counted are hatched in grey."""
    if card.overlapping:
        drawn = images.overlay_code(image, mask, card.colours)
    else:
        drawn = images.overlay(image, mask, card.colours, card.background)
    rows, columns = np.indices(mask.shape)
    hatch = np.where((rows + columns) % 8 < 4, 225, 120).astype(np.uint8)
    left_out = mask == images.IGNORED
    drawn[left_out] = hatch[left_out][:, None]
    return drawn


def _picture(pixels: Pixels, alt: str) -> str:
    grey = pixels.shape[2] == 1
    buffer = io.BytesIO()
    # Colour at full resolution (4:4:4): JPEG would otherwise smear the outlines of the classes.
    Image.fromarray(pixels[..., 0] if grey else pixels).save(buffer, "JPEG", quality=85, subsampling=0)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    height, width = pixels.shape[:2]
    return f'<img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" alt="{escape(alt)}">'


def _in_words(mask: Pixels, card: Card) -> str:
    """The three largest classes of a mask and their shares, for those who cannot see it."""
    counted = mask[mask != images.IGNORED]
    if not counted.size:
        return "nothing that is counted"
    if card.overlapping:
        shares = np.array([(counted >> index & 1).mean() for index in range(card.num_classes)])
    else:
        shares = np.bincount(counted, minlength=card.num_classes) / counted.size
    largest = [i for i in np.argsort(-shares, kind="stable")[:3] if shares[i]]
    return ", ".join(f"{card.classes[i]} {share_text(shares[i])}" for i in largest) or "no class"


def _legend(strips: Sequence[Strip], card: Card) -> str:
    items = []
    for index, name in enumerate(card.classes):
        note = " (not tinted)" if index == card.background else ""
        items.append(f"<li>{swatch(index, card)}{escape(name)}{note}</li>")
    if any((strip.truth == images.IGNORED).any() for strip in strips):
        items.append('<li><span class="swatch hatched"></span>not counted</li>')
    return f'<ul class="legend" aria-label="Colours of the classes">{"".join(items)}</ul>'
