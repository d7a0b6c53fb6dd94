"""A contact sheet of samples as training sees them: each image, and beside it the image with its mask."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from onenet.config import Config
from onenet.data.sample import Dataset, Item, Sample
from onenet.data.transforms import augmented
from onenet.data.variation import plan_augmentation
from onenet.errors import DataError
from onenet.images import IGNORED, overlay, overlay_code, resize

_CELL = 208  # longest side of an image on the sheet
_GAP = 14
_LINE = 20
_TEXT, _FAINT, _PAPER = (30, 30, 30), (110, 110, 110), (255, 255, 255)
_MOST_ENTRIES = 24  # of the legend; of more classes only those that are seen have one
_STRIPES = 8  # pixels from one stripe of "not counted" to the next

Array = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Tile:
    """A sample for the eye: its name, the image and the image with its mask, both (h, w, 3) uint8.

    Attributes:
        classes: that are in it; IGNORED among them where some pixels are not counted.
    """

    name: str
    image: Array
    drawn: Array
    classes: frozenset[int]


def contact_sheet(
    dataset: Dataset, config: Config, split: str = "train", count: int = 16, seed: int = 0
) -> Image.Image:
    """Draw `count` samples of a split, chosen by `seed`, with their names and a legend of the classes.

    Those of train are cut and varied as the recipe says, and may be of one image where there are few; those of other
    splits are whole images.

    Raises:
        ConfigError: no such split.
        DataError: it is empty, or a file is unreadable.
    """
    tiles = list(sample_tiles(dataset, config, split, count, seed))
    columns = math.ceil(len(tiles) ** 0.5)
    width = max(tile.image.shape[1] for tile in tiles)
    cell_width = 2 * width + 2
    font, small = ImageFont.load_default(size=14), ImageFont.load_default(size=12)
    sheet_width = max(columns * (cell_width + _GAP) + _GAP, 560)
    entries = _legend(dataset, frozenset().union(*(tile.classes for tile in tiles)))
    legend = _legend_places([name for name, _ in entries], sheet_width, small)
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [max(tile.image.shape[0] for tile in row) + _LINE + _GAP for row in rows]
    top = 2 * _GAP + 2 * _LINE
    bottom = top + sum(heights)
    sheet = Image.new("RGB", (sheet_width, bottom + (legend[-1][1] + 1) * (_LINE + 4) + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    title, subtitle = _title(dataset, config, split, len(tiles))
    draw.text((_GAP, _GAP), _fitting(title, sheet_width - 2 * _GAP, font), _TEXT, font)
    draw.text((_GAP, _GAP + _LINE), _fitting(subtitle, sheet_width - 2 * _GAP, small), _FAINT, small)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        x, y = _GAP + column * (cell_width + _GAP), top + sum(heights[:row])
        sheet.paste(Image.fromarray(tile.image), (x, y))
        sheet.paste(Image.fromarray(tile.drawn), (x + tile.image.shape[1] + 2, y))
        draw.text((x, y + tile.image.shape[0] + 2), _fitting(tile.name, cell_width, small), _TEXT, small)
    for (x, line), (name, swatch) in zip(legend, entries, strict=True):
        y = bottom + line * (_LINE + 4)
        sheet.paste(Image.fromarray(swatch), (x, y))
        draw.rectangle((x, y, x + 15, y + 15), outline=_FAINT)
        draw.text((x + 22, y), name, _TEXT, small)
    return sheet


def sample_tiles(dataset: Dataset, config: Config, split: str, count: int, seed: int) -> Iterator[Tile]:
    """The samples of a sheet, in the order of their names."""
    items = dataset.split(split)
    random = np.random.default_rng(seed)
    wanted = count if split == "train" else min(count, len(items))
    rounds = [random.permutation(len(items)) for _ in range(-(-wanted // len(items)))]
    chosen = sorted(np.concatenate(rounds)[:wanted].tolist())
    augmentation = plan_augmentation(config, dataset)
    drawn = 0
    for index in chosen:
        sample = _read(dataset, items[index])
        if sample is None:
            continue
        drawn += 1
        image, mask = sample.image, sample.mask
        if split == "train":
            image, mask = augmented(sample, augmentation, random)
        yield draw_tile(dataset, sample, image, mask)
    if not drawn:
        raise DataError(f"{dataset.name}: none of the chosen images can be read; see onenet data check")


def _read(dataset: Dataset, item: Item) -> Sample | None:
    try:
        return dataset.read(item)
    except DataError:
        if not dataset.skip_unreadable:
            raise
        return None


def draw_tile(dataset: Dataset, sample: Sample, image: NDArray, mask: Array) -> Tile:
    """An image (h, w, c) with its mask, which may have another size, brought to the size of the sheet."""
    size = shown_size(image.shape[:2])
    method = "nearest" if size[0] > image.shape[0] else "bilinear"
    pixels = resize(for_the_eye(image, sample.image), size, method)
    labels = resize(mask, size, "nearest")
    if dataset.overlapping:
        drawn = overlay_code(pixels, labels, dataset.colours)
    else:
        drawn = overlay(pixels, labels, dataset.colours, dataset.background)
    ignored = labels == IGNORED
    values = frozenset(np.unique(mask).tolist())
    if dataset.overlapping:
        bits = {bit for value in values - {IGNORED} for bit in range(dataset.num_classes) if value >> bit & 1}
        values = frozenset(bits | (values & {IGNORED}))
    return Tile(sample.name, pixels, hatched(drawn, pixels, ignored), values)


def shown_size(size: tuple[int, ...]) -> tuple[int, int]:
    """What an image is resized to: small ones by a whole number, large ones to the sheet's longest side."""
    longest = max(size[0], size[1])
    factor = _CELL // longest if longest <= _CELL else _CELL / longest
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def for_the_eye(image: NDArray, original: NDArray) -> Array:
    """Any image (h, w, c) as (h, w, 3) uint8: of many channels the first three, dark deep ones stretched.

    Photos stay as they are. Others are stretched from the 1st to the 99th percentile of each channel of `original`,
    the image before it was varied, so that variations of brightness are still seen.
    """
    channels = 3 if image.shape[2] >= 3 else 1
    image, original = image[..., :channels], original[..., :channels]
    if image.dtype != np.uint8:
        low, high = np.percentile(original, (1, 99), axis=(0, 1))
        image = ((image - low) / np.maximum(high - low, 1e-6)).clip(0, 1) * 255
        image = image.round().astype(np.uint8)
    return np.repeat(image, 3, axis=2) if channels == 1 else image


def hatched(drawn: Array, image: Array, where: NDArray[np.bool_]) -> Array:
    """Stripes, dark and bright so that they are seen on any picture, over the pixels that are not counted."""
    y, x = np.indices(where.shape)
    place = (x + y) % _STRIPES
    result = np.where(where[..., None], image // 2 + 64, drawn)
    result[where & (place < 2)] = 255
    result[where & (place == 2)] = 0
    return result.astype(np.uint8)


def _legend(dataset: Dataset, seen: frozenset[int]) -> list[tuple[str, Array]]:
    swatches = []
    for index, (name, colour) in enumerate(zip(dataset.classes, dataset.colours, strict=True)):
        if len(dataset.classes) > _MOST_ENTRIES and index not in seen:
            continue
        untinted = index == dataset.background
        label = f"{name} (not tinted)" if untinted else name
        swatches.append((label, np.full((16, 16, 3), _PAPER if untinted else colour, dtype=np.uint8)))
    if IGNORED not in seen:
        return swatches
    grey = np.full((16, 16, 3), 160, dtype=np.uint8)
    return [*swatches, ("not counted", hatched(grey, grey, np.ones((16, 16), dtype=bool)))]


def _legend_places(names: Sequence[str], width: int, font: Font) -> list[tuple[int, int]]:
    """(x, row) of each entry of the legend."""
    places = []
    x, row = _GAP, 0
    for name in names:
        wide = 22 + int(font.getlength(name)) + 18
        if x > _GAP and x + wide > width:
            x, row = _GAP, row + 1
        places.append((x, row))
        x += wide
    return places


def _title(dataset: Dataset, config: Config, split: str, count: int) -> tuple[str, str]:
    title = f"{dataset.name}: {count} samples of {split} ({len(dataset.split(split))} images)"
    if split != "train":
        return title, "whole images, not varied"
    augment = config.augment
    height, width = config.data.size
    subtitle = f"cut to {height}x{width}"
    if not augment.strength or config.train.overfit:
        return title, f"{subtitle}, not varied"
    amounts = {"rotate": augment.rotate, "colour": augment.colour, "blur": augment.blur, "noise": augment.noise}
    words = [f"strength {augment.strength:g}", f"scale {augment.scale[0]:g} to {augment.scale[1]:g}"]
    words += [name for name, on in {"flip": augment.flip, "vertical flip": augment.vertical_flip}.items() if on]
    words += [f"{name} {amount:g}" for name, amount in amounts.items() if amount]
    return title, f"{subtitle}; {', '.join(words)}"


def _fitting(text: str, width: int, font: Font) -> str:
    """The text, shortened in its middle where it is wider than `width` pixels."""
    kept = len(text)
    shown = text
    while font.getlength(shown) > width and kept > 2:
        kept -= 1
        shown = f"{text[: kept // 2]}...{text[len(text) - (kept - kept // 2) :]}"
    return shown
