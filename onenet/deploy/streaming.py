"""From a file of any size to the file of its mask, a strip at a time: neither is ever whole in memory.

file -> rows -> tiles -> logits -> mask of a strip -> PNG
        rows, scaled down where they are many, and the mask's -> overlay PNG
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet import images
from onenet.card import Card
from onenet.deploy.overlays import Overlay, overlay_size
from onenet.deploy.segmenter import Result, Segmenter, chosen, coded, layer_names, result_paths
from onenet.deploy.tiling import WHOLE, ArrayRows, Rows, Tiler
from onenet.errors import ConfigError, DataError
from onenet.images.png import png_rows
from onenet.images.scaling import RowScaler
from onenet.images.strips import StripReader, stored_size, streaming_obstacle

STREAMED = ("mask", "overlay")  # what can be written without the whole image in memory
_STRIP = 32  # rows of logits that are enlarged at a time
_READ = 64  # rows that are read at a time where the image is scaled down

Pixels = NDArray[np.uint8] | NDArray[np.float32]
Say = Callable[[str], None]
Look = Callable[[Pixels], None]


def draw_file(
    segmenter: Segmenter,
    source: str | Path,
    target: str | Path,
    kinds: Sequence[str] = ("mask",),
    say: Say = lambda line: None,
) -> list[Path]:
    """Write the mask and the overlay of an image of any size, as `Result.save` would, and return what was written.

    Args:
        segmenter: the model.
        source: the file of an image.
        target: the file of the mask, a PNG; the overlay stands beside it.
        kinds: of "mask" and "overlay".
        say: is told in one line each what is done otherwise than for a small image.

    Raises:
        ConfigError: a target that is the source.
        DataError: the file is missing or damaged, a kind needs the whole image, or the file cannot be read in strips
            and is too large to be read at once.
        ExportError: the network looks at the whole image.
        OneNetError: the results cannot be written.
    """
    other = [kind for kind in kinds if kind not in STREAMED]
    if other:
        raise DataError(f"{source}: {' and '.join(other)} of an image beyond the decoder's safety limit would have "
                          "to be whole in memory; leave it out of --save, or allow it with --any-size")  # fmt: skip
    card = segmenter.card
    paths = result_paths(target, *kinds, layers=layer_names(card))
    for path in paths.values():
        if path.exists() and path.samefile(source):
            raise ConfigError(f"{path}: the result would overwrite the photo; choose another name or folder")
    rows = _open(source, card, say)
    with ExitStack() as files:
        overlay = None
        if "overlay" in paths:
            size = overlay_size(rows.size)
            if size != rows.size:
                say(f"{source}: the overlay is reduced to {size[0]}x{size[1]}; the mask has the image's size")
            file = files.enter_context(png_rows(paths["overlay"], size, 3))
            overlay = Overlay(file.write, rows.size, size, card)
        masks = [
            (_layer_of(kind, card), files.enter_context(png_rows(path, rows.size, colours=_colours(kind, card))))
            for kind, path in paths.items()
            if kind != "overlay"
        ]
        for strip in _masks(segmenter, rows, overlay.add_image if overlay else None):
            for layer, file in masks:
                file.write(strip if layer is None else layer_image(strip, layer))
            if overlay is not None:
                overlay.add_mask(strip)
        if overlay is not None:
            overlay.finish()
    return list(paths.values())


def _open(source: str | Path, card: Card, say: Say) -> Rows:
    """The file in strips where that is possible, else whole."""
    height, width = stored_size(source)
    obstacle = streaming_obstacle(source, card.in_channels)
    if not obstacle and card.value_range == (0.0, 0.0):
        return StripReader(source, card.in_channels)
    obstacle = obstacle or "a model with a value_range reads images whole"
    limit = 2 * (Image.MAX_IMAGE_PIXELS or height * width)
    if height * width > limit:
        raise DataError(f"{source}: {height}x{width} pixels are beyond the decoder's safety limit ({limit:,}), and it "
                        f"cannot be read in strips ({obstacle}); --any-size reads it whole all the same")  # fmt: skip
    if height * width > WHOLE:
        say(f"{source}: is read whole ({obstacle})")
    return ArrayRows(images.read_image(source, card.in_channels, card.value_range))


def _masks(segmenter: Segmenter, rows: Rows, look: Look | None) -> Iterator[NDArray[np.uint8]]:
    """The image's mask, strip by strip; `look` is given the image's rows before or with those of their mask."""
    card = segmenter.card
    decide = coded if card.overlapping else chosen
    if card.fit == "none" and card.arguments.get("full_size", True):
        shown = _Watched(rows, look) if look else rows
        yield from Tiler(segmenter.runner, segmenter.tile).strips(shown, decide)
        return
    height, width = rows.size
    scaler = RowScaler(rows.size, rows.size if card.fit == "none" else images.scaled_size(rows.size, card.size))
    small = np.concatenate([scaler.push(rows.read(count)) for count in _counts(height, _READ)])
    logits = segmenter.logits(small)
    result = Result(np.broadcast_to(np.uint8(0), (height, width, 1)), logits, card)  # only its size is looked at
    first, again = 0, rows.again()
    for count in _counts(height, _STRIP):
        if look:
            look(again.read(count))
        yield decide(result.logits(slice(first, first + count)))
        first += count


def _counts(length: int, step: int) -> Iterator[int]:
    yield from (min(step, length - first) for first in range(0, length, step))


def _layer_of(kind: str, card: Card) -> int | None:
    return None if kind == "mask" else layer_names(card).index(kind)


def layer_image(codes: NDArray[np.uint8], layer: int) -> NDArray[np.uint8]:
    """Where one of several overlapping classes is, 255, and where not, 0."""
    return (codes >> np.uint8(layer) & np.uint8(1)) * np.uint8(255)


def _colours(kind: str, card: Card) -> Sequence[tuple[int, int, int]]:
    """The palette of a mask; none for the black and white file of one class."""
    if kind != "mask":
        return ()
    return images.code_colours(card.colours) if card.overlapping else card.colours


@dataclass(frozen=True)
class _Watched:
    """Rows of an image that somebody else looks at too."""

    rows: Rows
    look: Look

    @property
    def size(self) -> tuple[int, int]:
        return self.rows.size

    def read(self, count: int) -> Pixels:
        read = self.rows.read(count)
        if count:
            self.look(read)
        return read

    def again(self) -> Rows:
        return self.rows.again()
