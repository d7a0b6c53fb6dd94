"""Every file of a data set opened once: what is in it, for `onenet data check`."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onenet.config import DataConfig
from onenet.data.sample import Item
from onenet.errors import DataError
from onenet.images import channel_count, open_image, read_mask, scaled_pixels, to_channels
from onenet.images.stacks import is_array, is_stack, read_stack

Progress = Callable[[int, int], None]

_ORIENTATION = 0x0112
_STORED = {
    "1": "1-bit values", "L": "8-bit values", "P": "palette indices", "PA": "palette indices", "I;16": "16-bit values",
    "I;16B": "16-bit values", "I;16L": "16-bit values", "I;16N": "16-bit values", "I": "16-bit values", "F": "floats",
}  # fmt: skip


@dataclass(frozen=True)
class ImageFacts:
    """What an image file holds.

    Attributes:
        size: (height, width) upright.
        orientation: how EXIF turns or mirrors it, 1 not at all, 5 to 8 with height and width swapped.
        kind: "8 bits", "16 bits", "float32", ...
        low, high: its values in the file's own units; 0 and 0 of 8-bit images.
        unscaled: they lie beyond [0, 1] and nothing says which of them are black and white.
        plain: one value throughout.
        digest: of the upright pixels; equal pictures have equal ones.
    """

    size: tuple[int, int]
    channels: int
    orientation: int
    kind: str
    low: float
    high: float
    unscaled: bool
    plain: bool
    digest: bytes


@dataclass(frozen=True)
class MaskFacts:
    """What the mask of an item holds.

    Attributes:
        size: (height, width).
        encoding: index, colour or alpha: how it had to be read.
        stored: the same in words.
        values: raw value -> pixels. Where classes overlap: class index -> pixels.
        pixels: all of them.
        digest: of the values.
    """

    size: tuple[int, int]
    encoding: str
    stored: str
    values: Mapping[int, int]
    pixels: int
    digest: bytes


@dataclass(frozen=True, eq=False)
class Pair:
    """An item with what its two files hold, None where one cannot be read, and why it cannot."""

    item: Item
    split: str
    image: ImageFacts | None
    mask: MaskFacts | None
    errors: tuple[DataError, ...] = ()


def probe_pairs(
    items: Mapping[str, Sequence[Item]], config: DataConfig, encoding: str, progress: Progress | None = None
) -> list[Pair]:
    """Read every image and every mask of all splits, a file at a time on every core.

    Args:
        items: per split.
        config: of the data.
        encoding: in which masks should be.
        progress: called with (pairs done, pairs in all).
    """
    named = [(split, item) for split, part in items.items() for item in part]
    pairs: list[Pair] = []
    with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:  # Pillow decodes outside the interpreter lock
        for pair in pool.map(lambda one: probe_pair(one[0], one[1], config, encoding), named):
            pairs.append(pair)
            if progress:
                progress(len(pairs), len(named))
    return pairs


def probe_pair(split: str, item: Item, config: DataConfig, encoding: str) -> Pair:
    """Read the files of one item; nothing is raised, what is wrong with them is in `errors`."""
    errors: list[DataError] = []
    image, mask = None, None
    try:
        image = probe_image(item.image, config.value_range)
    except DataError as error:
        errors.append(error)
    try:
        mask = probe_layers(item.layers, encoding, errors) if item.layers else probe_mask(item.mask, encoding)
    except DataError as error:
        errors.append(error)
    return Pair(item, split, image, mask, tuple(errors))


def probe_image(path: Path, value_range: tuple[float, float]) -> ImageFacts:
    """Decode an image with the channels that its file has.

    Raises:
        DataError: it is unreadable.
    """
    orientation, unscaled = 1, False
    if is_array(path) or is_stack(path):
        pixels = read_stack(path, str(path))[..., : channel_count(path)]  # without transparency
        kind = f"{pixels.dtype.itemsize * 8} bits" if pixels.dtype.kind in "ub" else str(pixels.dtype)
        finite = pixels[np.isfinite(pixels)]
        if not finite.size:
            raise DataError(f"{path}: holds no finite numbers; replace or remove it")
        low, high = float(finite.min()), float(finite.max())
        try:
            scaled_pixels(np.asarray([low, high]).astype(pixels.dtype), value_range, str(path))
        except DataError:
            unscaled = True
    else:
        image = open_image(path)
        orientation = _orientation(image)
        pixels = to_channels(image, channel_count(path), str(path), value_range)
        deep = image.mode.startswith("I") or image.mode == "F"
        kind = {"I": "32 bits", "F": "float32"}.get(image.mode, "16 bits") if deep else "8 bits"
        low, high = (float(edge) for edge in image.getextrema()) if deep else (0.0, 0.0)  # type: ignore[arg-type]
    return ImageFacts(
        size=(pixels.shape[0], pixels.shape[1]),
        channels=pixels.shape[2],
        orientation=orientation,
        kind=kind,
        low=low if kind != "8 bits" else 0.0,
        high=high if kind != "8 bits" else 0.0,
        unscaled=unscaled,
        plain=bool((pixels == pixels[:1, :1]).all()) if pixels[0, 0, 0] == pixels[-1, -1, 0] else False,
        digest=_digest(pixels),
    )


def probe_mask(path: Path, encoding: str) -> MaskFacts:
    """Count the values of a mask; one that is in colours or alpha, where indices are wanted, is read as that.

    Raises:
        DataError: it is unreadable, or in no known encoding.
    """
    try:
        raw = read_mask(path, encoding)
    except DataError:
        other = _other_encoding(path) if encoding == "index" else encoding
        if other == encoding:
            raise
        encoding = other
        raw = read_mask(path, encoding)
    return MaskFacts(
        size=(raw.shape[0], raw.shape[1]),
        encoding=encoding,
        stored=_stored(path, encoding),
        values=count_values(raw),
        pixels=raw.size,
        digest=_digest(raw),
    )


def probe_layers(layers: Sequence[Path | None], encoding: str, errors: list[DataError]) -> MaskFacts:
    """Count the pixels of overlapping classes, a file each; what is wrong with one goes to `errors`.

    Raises:
        DataError: none of them can be read.
    """
    there: dict[int, NDArray[np.bool_]] = {}
    for index, path in enumerate(layers):
        if path is None:
            continue
        try:
            raw = read_mask(path, encoding)
        except DataError as error:
            errors.append(error)
            continue
        strange = sorted(
            value for value in count_values(raw) if value not in (0, raw.max()) or value not in (0, 1, 255)
        )
        if strange:
            errors.append(DataError(f"{path}: holds the value {strange[0]}, but the mask of one class holds 0 and 255; "
                                    "save it without grey and other labels"))  # fmt: skip
        layer = raw != 0
        first = next(iter(there.values()), layer)
        if layer.shape != first.shape:
            errors.append(DataError(f"{path}: is {_text(layer.shape)}, but the masks of the other classes are "
                                    f"{_text(first.shape)} (height x width)"))  # fmt: skip
            continue
        there[index] = layer
    if not there:
        raise errors.pop()
    shape = next(iter(there.values())).shape
    code = np.zeros(shape, dtype=np.uint8)
    for index, layer in there.items():
        code |= layer.astype(np.uint8) << np.uint8(index)
    values = {index: int(layer.sum()) for index, layer in there.items() if layer.any()}
    return MaskFacts((shape[0], shape[1]), encoding, "a file per class", values, code.size, _digest(code))


def count_values(raw: NDArray[np.integer]) -> dict[int, int]:
    """Each value that occurs, with its pixels; quick for bytes and 16 bits."""
    if raw.size and raw.min() >= 0 and raw.max() < 65536:
        counts = np.bincount(raw.ravel())
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    values, numbers = np.unique(raw, return_counts=True)
    return {int(value): int(number) for value, number in zip(values, numbers, strict=True)}


def _other_encoding(path: Path) -> str:
    """How a mask is to be read that holds no index per pixel."""
    if is_array(path) or is_stack(path):
        return "index"
    image = open_image(path)
    if "A" in image.getbands():
        pixels = np.asarray(image.convert("RGBA"))
        if np.ptp(pixels[..., 3]) and len(count_values(read_mask(path, "colour"))) > 64:
            return "alpha"  # a cut-out
        if np.ptp(pixels[..., 3]) and not np.ptp(pixels[..., :3], axis=(0, 1)).any():
            return "alpha"
    return "colour" if image.mode in ("RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB") else "index"


def _stored(path: Path, encoding: str) -> str:
    if encoding != "index":
        return {"colour": "colours", "alpha": "alpha channel"}[encoding]
    if is_array(path):
        return "NumPy arrays"
    if is_stack(path):
        return "TIFF values"
    with Image.open(path) as image:  # the header alone: it has been read before
        return _STORED.get(image.mode, f"grey saved as {image.mode}")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow raises many kinds for broken EXIF; the image itself is good
        return 1


def _digest(pixels: NDArray) -> bytes:
    found = hashlib.blake2b(f"{pixels.shape} {pixels.dtype}".encode(), digest_size=16)
    found.update(np.ascontiguousarray(pixels).data)
    return found.digest()


def _text(size: tuple[int, ...]) -> str:
    return f"{size[0]}x{size[1]}"
