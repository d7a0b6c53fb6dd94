"""From a photo to its mask: image -> logits -> mask -> overlay, whatever runs the network.

The card says how the network wants its images; the mask comes back at the photo's own size.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet import images
from onenet.card import Card
from onenet.deploy.exported import FlatRunner
from onenet.deploy.runner import Runner
from onenet.deploy.tiling import WHOLE, Tiler, as_batch
from onenet.errors import ConfigError, ShapeError, did_you_mean

Source = str | Path | bytes | Image.Image | NDArray
KINDS = ("mask", "overlay", "cutout", "probability")

_FLAT_WHOLE = 512 * 512  # pixels: up to this the flat form computes in one piece; tiles cost it nothing
_SURE = 0.75
_STRIP = 256  # rows that are brought to full size at a time


class Result:
    """What a network says of one image.

    Attributes:
        image: the photo as (h, w, c) uint8, upright.
        card: the model's card; `card.classes` names the indices of the mask.
        source: the photo's file, which `save` does not overwrite; None where it came as bytes or pixels.
    """

    def __init__(
        self, image: NDArray[np.uint8], logits: NDArray[np.float32], card: Card, source: Path | None = None
    ) -> None:
        self.image, self.card, self.source = image, card, source
        self._logits = logits  # k h' w', at the size the network worked at

    def logits(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Logits (k, h, w) at the image's own size, or of some of its rows."""
        height, width = self.image.shape[:2]
        first, last, _ = (rows or slice(None)).indices(height)
        if self._logits.shape[1:] == (height, width):
            return self._logits[:, first:last]
        inner_h, inner_w = self._logits.shape[1:]
        box = (0.0, first * inner_h / height, float(inner_w), last * inner_h / height)
        planes = [images.resize(plane, (last - first, width), "bilinear", box) for plane in self._logits]
        return np.stack(planes)

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """Class indices (h, w) uint8; where classes overlap bit codes, bit i set where class i is."""
        height = self.image.shape[0]
        starts = range(0, height, _STRIP)
        decide = coded if self.card.overlapping else chosen
        return np.concatenate([decide(self.logits(slice(a, min(a + _STRIP, height)))) for a in starts])

    @property
    def layers(self) -> NDArray[np.bool_]:
        """Where each class is, (k, h, w); a pixel is in one layer, or where classes overlap in any number."""
        index = np.arange(self.card.num_classes, dtype=np.uint8)[:, None, None]
        return (self.mask >> index & 1 == 1) if self.card.overlapping else self.mask == index

    @property
    def probability(self) -> NDArray[np.float32]:
        """Softmax over the classes, (k, h, w) float32 in [0, 1]; where classes overlap the sigmoid of each."""
        return sigmoid(self.logits()) if self.card.overlapping else softmax(self.logits())

    @property
    def unsure(self) -> float:
        """Share of the pixels, at the network's own size, whose class is decided with a probability below 0.75."""
        if self.card.overlapping:
            sure = np.maximum(each := sigmoid(self._logits), 1 - each).min(0)
        else:
            sure = softmax(self._logits).max(0)
        return float((sure < _SURE).mean())

    def overlay(self, opacity: float = 0.45) -> Image.Image:
        """The photo with each class tinted in its colour and outlined."""
        card = self.card
        if card.overlapping:
            return Image.fromarray(images.overlay_code(self.image, self.mask, card.colours, opacity))
        return Image.fromarray(images.overlay(self.image, self.mask, card.colours, card.background, opacity))

    def cutout(self) -> Image.Image:
        """The photo with a transparent background (RGBA); where classes overlap, what no class covers."""
        nothing = 0 if self.card.overlapping else self.card.background
        return Image.fromarray(images.cutout(self.image, self.mask, nothing))

    def mask_image(self) -> Image.Image:
        """The mask as a palette image: its values are class indices or bit codes, shown in the classes' colours."""
        colours = self.card.colours
        return images.mask_image(self.mask, images.code_colours(colours) if self.card.overlapping else colours)

    def save(self, path: str | Path, *kinds: str) -> list[Path]:
        """Write the mask as `path`, the other `kinds` beside it, and return what was written.

        The mask is a palette PNG: its values are the class indices. A path with another ending gets .png appended
        (photo.jpg.png). STEM.overlay.png, STEM.cutout.png and STEM.probability.npz (array "probability", half
        precision) stand beside STEM.png; where classes overlap, STEM.png holds bit codes, and each class has a file
        of its own, STEM.0-NAME.png, black and white.

        Raises:
            ConfigError: a kind that does not exist, or a file that is the photo itself.
            OneNetError: the file cannot be written.
        """
        targets = result_paths(path, *kinds, layers=layer_names(self.card))
        for target in targets.values():
            if self.source is not None and target.exists() and self.source.exists() and target.samefile(self.source):
                raise ConfigError(f"{target}: the result would overwrite the photo; choose another name or folder")
        with ExitStack() as all_or_none:  # each appears when the last one is whole
            for kind, target in targets.items():
                self._write(kind, all_or_none.enter_context(images.atomic_write(target)))
        return list(targets.values())

    def _write(self, kind: str, file: IO[bytes]) -> None:
        if kind == "probability":
            np.savez_compressed(file, probability=self.probability.astype(np.float16))
        elif kind == "mask":
            images.encode_image(file, self.mask_image())
        elif kind in KINDS:
            images.encode_image(file, self.overlay() if kind == "overlay" else self.cutout())
        else:
            layer = self.layers[layer_names(self.card).index(kind)]
            images.encode_image(file, layer.astype(np.uint8) * np.uint8(255))


def layer_names(card: Card) -> tuple[str, ...]:
    """What the file of each class is called after its number, where classes overlap; else ()."""
    if not card.overlapping:
        return ()
    return tuple(f"{index}-{re.sub(r'[^0-9A-Za-z_-]+', '-', name)}" for index, name in enumerate(card.classes))


def result_paths(path: str | Path, *kinds: str, layers: Sequence[str] = ()) -> dict[str, Path]:
    """Where `Result.save` writes each of `kinds` (the mask where none is named), and each of `layers` with the mask."""
    path = Path(path)
    path = path if path.suffix.lower() == ".png" else path.with_name(path.name + ".png")
    unknown = next((kind for kind in kinds if kind not in KINDS), None)
    if unknown is not None:
        raise ConfigError(f"cannot save {unknown!r}: {did_you_mean(unknown, KINDS)}")
    endings = {"mask": path.suffix, "probability": ".probability.npz"}
    written = [*(kinds or ("mask",)), *(layers if not kinds or "mask" in kinds else ())]
    return {kind: path.with_suffix(endings.get(kind, f".{kind}.png")) for kind in written}


class Segmenter:
    """Draws masks with a trained model: called with an image, it returns a `Result`.

    The image can be a path, the bytes of a file, a PIL image, or an array (h, w), (h, w, c), of bytes, 16-bit numbers
    (any whole numbers where the card has a `value_range`), or floats in [0, 1], which are never scaled again.
    """

    def __init__(self, runner: Runner, card: Card) -> None:
        self.runner, self.card = runner, card
        self.tile: int | None = None  # side of tiles: None cuts large images only, in a usual way; 0 never cuts

    def logits(self, image: NDArray) -> NDArray:
        """Logits (k, h, w) of pixels (h, w, c), uint8 or float32 in [0, 1]; large images in tiles.

        Raises:
            ExportError: the image is large, and the network looks at all of it.
        """
        if self.cuts(image.shape[:2]):
            return Tiler(self.runner, self.tile).logits(image)
        return self.runner.run(as_batch(image))[0]

    def cuts(self, size: tuple[int, ...]) -> bool:
        """Whether an image of `size` = (height, width) is computed in tiles."""
        most = _FLAT_WHOLE if isinstance(self.runner, FlatRunner) else WHOLE
        return size[0] * size[1] > most if self.tile is None else self.tile > 0

    @property
    def decided(self) -> bool:
        """Whether the model gives classes only, so that there are no probabilities to be had."""
        return getattr(self.runner, "decided", False)

    @property
    def runtime(self) -> str:
        """What computes the network: "torch", or the runtime of an exported file, also where "auto" chose it."""
        return getattr(getattr(self.runner, "session", None), "name", "torch")

    def __call__(self, source: Source) -> Result:
        """Segment one image.

        Raises:
            DataError: the file is missing, damaged or not an image.
            ShapeError: the array has the wrong axes, channels or values.
        """
        image = self._pixels(source)
        size = image.shape[:2]
        if self.card.fit == "cover":
            size = images.scaled_size(size, self.card.size)
        scaled = images.resize(image, size, "bilinear")  # h w c
        logits = self.logits(scaled)
        shown = image if image.dtype == np.uint8 else (image * 255).round().astype(np.uint8)
        return Result(shown, logits, self.card, Path(source) if isinstance(source, (str, Path)) else None)

    def _pixels(self, source: Source) -> NDArray:
        channels, value_range = self.card.in_channels, self.card.value_range
        if self.card.volume and not isinstance(source, np.ndarray):
            raise ConfigError(
                "the model was trained on volumes, not on images; see onenet.deploy.volume.segment_volume"
            )
        if isinstance(source, (str, Path, bytes)):
            return images.read_image(source, channels, value_range)
        if isinstance(source, Image.Image):
            return images.to_channels(source, channels, "the image", value_range)
        return check_pixels(np.asarray(source), channels, value_range)


def check_pixels(array: NDArray, channels: int, value_range: tuple[float, float] = (0.0, 0.0)) -> NDArray:
    """An array as (h, w, c), uint8 or float32 in [0, 1]; `value_range` is of whole numbers, floats have been scaled.

    Raises:
        ShapeError: it has other axes, channels, values or types.
    """
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] != channels or 0 in array.shape:
        raise ShapeError(f"the model takes images (h, w, {channels}), not an array of shape {array.shape}")
    ranged = value_range != (0.0, 0.0)
    if array.dtype in (np.uint8, np.uint16) or (ranged and array.dtype.kind in "iu"):
        return images.scaled_pixels(array, value_range, "the image")
    if not np.issubdtype(array.dtype, np.floating):
        raise ShapeError(f"the model takes uint8 or uint16 images or floats in [0, 1], not {array.dtype}")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):
        black, white = value_range
        how = (
            f"; bring {black:g} to 0 and {white:g} to 1, as in training (onenet.images.scaled_pixels)" if ranged else ""
        )
        raise ShapeError(f"a float image must lie in [0, 1], but this one holds {low:.4g} to {high:.4g}{how}")
    return array.astype(np.float32)


def chosen(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The class of each pixel (h, w) from logits (k, h, w)."""
    return logits.argmax(0).astype(np.uint8)


def coded(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bit codes (h, w) of overlapping classes from logits (k, h, w): bit i where class i is more likely than not."""
    code = np.zeros(logits.shape[1:], dtype=np.uint8)
    for bit, plane in enumerate(logits):
        code |= (plane > 0).astype(np.uint8) << np.uint8(bit)
    return code


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability of each class by itself."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)  # never overflows


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over the first axis."""
    shifted = np.exp(logits - logits.max(axis=0))
    return shifted / shifted.sum(axis=0)
