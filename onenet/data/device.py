"""Samples made where the network is: all pictures lie on the device as one list of pixels, and torch cuts them out.

What is random is drawn by variation.py as on the host. Then, for all pixels of a batch at once:

    place in the sample -> place in the picture (one matrix per sample) -> mirrored at its edges -> pixels around it

The image is interpolated between four pixels of the level (the picture itself, its half, quarter or eighth) whose
pixels are about as large as those of the sample; the mask is the label of the nearest pixel of the picture itself.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from onenet.data.cache import readable_instead
from onenet.data.transforms import Picture
from onenet.data.variation import Augmentation, Foreground, Variation, gaussian, hue_turn, to_picture
from onenet.errors import DataError

LEVELS = 4

_SHARP = 0.25  # of a level: which one is nearest to what the host's antialiasing gives, found by comparison on photos


class DevicePictures:
    """Pictures on a device, from which it makes the samples of a batch itself.

    Args:
        pictures: as `cache.decode_all` gives them; the list is emptied on the way.
        augmentation: what the samples are.
        device: where they are made.

    Raises:
        DataError: the device has too little memory.
    """

    def __init__(self, pictures: list[Picture | None], augmentation: Augmentation, device: torch.device) -> None:
        self.augmentation, self.device = augmentation, device
        instead = readable_instead(pictures)
        present = [picture for picture in pictures if picture is not None]
        deep = any(picture.image.dtype != np.uint8 for picture in present)
        self.white = 1 if deep else 255
        self.shapes = [pictures[index].shape for index in instead]  # type: ignore[union-attr]
        self.sizes = _level_sizes([pictures[index].mask.shape for index in instead])  # type: ignore[union-attr]
        self.spots: list[Foreground | None] = [None] * len(instead)
        kept = sorted(set(instead))
        area = self.sizes.prod(axis=2)
        image_starts, mask_starts = _starts(area[kept]), _starts(area[kept, :1])
        row = np.searchsorted(kept, instead)
        try:
            self.pixels = torch.empty(
                (int(area[kept].sum()), present[0].image.shape[2]),
                dtype=torch.float32 if deep else torch.uint8, device=device,
            )  # fmt: skip
            self.labels = torch.empty(int(area[kept, 0].sum()), dtype=torch.uint8, device=device)
            for place, index in enumerate(kept):
                self._keep(pictures[index], index, image_starts[place], int(mask_starts[place, 0]))
                pictures[index] = None
            self.spots = [self.spots[index] for index in instead]
            self.image_starts, self.mask_starts, self.lengths = (
                torch.from_numpy(table).to(device) for table in (image_starts[row], mask_starts[row], self.sizes)
            )
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise DataError(
                f"data.cache=device: {len(kept)} images do not fit into the memory of {device}; use data.cache=memory"
            ) from None

    @property
    def memory(self) -> int:
        """Bytes that the pictures take."""
        return self.pixels.numel() * self.pixels.element_size() + self.labels.numel()

    def draw(self, index: int, generator: np.random.Generator) -> Variation:
        """Draw how a picture is varied, on the host."""
        spots = self.spots[index]
        return self.augmentation.draw(self.shapes[index], spots.find if spots else lambda share: None, generator)

    def batch(self, indices: Sequence[int], variations: Sequence[Variation]) -> tuple[Tensor, Tensor]:
        """Images (b, h, w, c) float32 in [0, 1] and masks (b, h, w) uint8 of some pictures, each in its variation."""
        matrices = np.stack([self._matrix(i, v) for i, v in zip(indices, variations, strict=True)])
        steps = np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2])))
        levels = np.clip(np.round(np.log2(steps) - _SHARP), 0, LEVELS - 1).astype(np.int64)
        which, level = self._send(np.asarray(indices, dtype=np.int64)), self._send(levels)
        matrix = self._send(matrices.astype(np.float32))
        images = self._image(which, level, matrix)
        images = _look(images, variations, self._send)
        return images.clamp_(0, 1), self._mask(which, matrix)

    def _keep(self, picture: Picture | None, index: int, starts: np.ndarray, mask_start: int) -> None:
        assert picture is not None
        image = torch.from_numpy(np.array(picture.image)).to(self.device)
        if image.dtype == torch.uint8 and self.pixels.dtype == torch.float32:
            image = image.float() / 255
        level = image.permute(2, 0, 1).float()
        for start, (height, width) in zip(starts.tolist(), self.sizes[index].tolist(), strict=True):
            if level.shape[1:] != (height, width):
                level = adaptive_avg_pool2d(level, (height, width))
            flat = level.permute(1, 2, 0).reshape(height * width, -1)
            self.pixels[start : start + height * width] = flat.round() if self.white == 255 else flat
        mask = torch.from_numpy(np.array(picture.mask)).flatten()
        self.labels[mask_start : mask_start + len(mask)] = mask.to(self.device)
        if self.augmentation.foreground:
            self.spots[index] = Foreground(picture.mask, self.augmentation.background, picture.shape)

    def _matrix(self, index: int, variation: Variation) -> np.ndarray:
        """From a pixel of the sample, mirrored first, to one of the picture as it is kept."""
        height, width = self.augmentation.size
        matrix = to_picture(variation.box, variation.angle, (height, width))
        for column, length in ((0, width), (1, height)):
            if variation.mirrored[column]:
                matrix[:, 2] += matrix[:, column] * length
                matrix[:, column] *= -1
        kept, shape = self.sizes[index, 0], self.shapes[index]
        return matrix * [[kept[1] / shape[1]], [kept[0] / shape[0]]]

    def _send(self, numbers: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(numbers)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def _image(self, which: Tensor, level: Tensor, matrix: Tensor) -> Tensor:
        size = self.augmentation.size
        starts, lengths, whole = self.image_starts[which, level], self.lengths[which, level], self.lengths[which, 0]
        (low_y, high_y, part_y), (low_x, high_x, part_x) = (
            _neighbours(_folded(places, whole[:, axis]), whole[:, axis], lengths[:, axis])
            for axis, places in ((0, _places(matrix[:, 1], size, size)), (1, _places(matrix[:, 0], size, size)))
        )
        rows = [_each(starts) + y * _each(lengths[:, 1]) for y in (low_y, high_y)]
        above, below = (
            torch.lerp(self._pixels(row + low_x), self._pixels(row + high_x), part_x[..., None]) for row in rows
        )
        return torch.lerp(above, below, part_y[..., None]).div_(self.white)

    def _pixels(self, places: Tensor) -> Tensor:
        return self.pixels.index_select(0, places.flatten()).float().unflatten(0, places.shape)

    def _mask(self, which: Tensor, matrix: Tensor) -> Tensor:
        sizes, lengths = (self.augmentation.size, self.augmentation.mask_size), self.lengths[which, 0]
        y, x = (_folded(_places(matrix[:, row], *sizes), lengths[:, axis]).long() for axis, row in ((0, 1), (1, 0)))
        places = _each(self.mask_starts[which, 0]) + y * _each(lengths[:, 1]) + x
        return self.labels.index_select(0, places.flatten()).view(places.shape)


def _places(row: Tensor, size: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """One coordinate in the pictures (b, h, w) of the pixel centres of a grid over samples of `size`."""
    y, x = ((torch.arange(n, device=row.device) + 0.5) * (whole / n) for n, whole in zip(grid, size, strict=True))
    return _each(row[:, 0]) * x + (row[:, 1:2] * y + row[:, 2:3])[..., None]


def _folded(places: Tensor, lengths: Tensor) -> Tensor:
    """Mirrored at the centres of the first and the last pixel until they lie between."""
    last = _each(lengths - 1)
    period = (2 * last).clamp(min=1)
    place = torch.remainder(places - 0.5, period)
    return torch.minimum(place, period - place).minimum(last) + 0.5


def _neighbours(places: Tensor, whole: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels of a level between whose centres the places of the whole picture lie, and how near to the second."""
    last = _each(lengths - 1)
    place = (places * _each(lengths / whole) - 0.5).clamp(min=0).minimum(last)
    low = place.long()
    return low, torch.minimum(low + 1, last), place - low


def _each(values: Tensor) -> Tensor:
    return values[:, None, None]


def _look(x: Tensor, variations: Sequence[Variation], send: Callable[[np.ndarray], Tensor]) -> Tensor:
    if all(variation.keeps_colours for variation in variations):
        return x
    factors = send(np.array([variation.colour for variation in variations], dtype=np.float32))
    brightness, contrast, saturation = (_each(factors[:, k])[..., None] for k in range(3))
    mean = x.mean(dim=(1, 2, 3), keepdim=True) * brightness
    x = x * (brightness * contrast) + (1 - contrast) * mean
    if x.shape[3] == 3:
        x = torch.lerp(x.mean(dim=3, keepdim=True), x, saturation)
        if any(variation.hue for variation in variations):
            turns = send(np.stack([hue_turn(variation.hue) for variation in variations]))
            x = torch.einsum("bhwc,bdc->bhwd", x, turns)
    if any(variation.blur for variation in variations):
        weights = send(_kernels([gaussian(variation.blur) for variation in variations]))
        x = _blurred(_blurred(x, weights, 1), weights, 2)
    for place, variation in enumerate(variations):
        if variation.noise:
            random = torch.Generator(x.device).manual_seed(variation.noise_seed)
            x[place] += variation.noise * torch.randn(x.shape[1:], generator=random, device=x.device)
    return x


def _kernels(weights: Sequence[np.ndarray]) -> np.ndarray:
    longest = max(map(len, weights))
    return np.stack([np.pad(line, (longest - len(line)) // 2) for line in weights])


def _blurred(x: Tensor, weights: Tensor, axis: int) -> Tensor:
    length, reach = x.shape[axis], weights.shape[1] // 2
    places = _folded(
        torch.arange(-reach, length + reach, device=x.device)[None, :, None] + 0.5,
        torch.tensor([length], device=x.device),
    )
    padded = x.index_select(axis, places.flatten().long())
    total = torch.zeros_like(x)
    for step in range(weights.shape[1]):
        total.addcmul_(padded.narrow(axis, step, length), _each(weights[:, step])[..., None])
    return total


def _level_sizes(shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Height and width (n, levels, 2) of each picture at each level, every one half of that before."""
    sizes = np.array(shapes, dtype=np.int64)[:, None]
    return np.maximum(1, -(-sizes // 2 ** np.arange(LEVELS)[:, None]))


def _starts(areas: np.ndarray) -> np.ndarray:
    """Where each part of a list begins, in the order of the table."""
    return (np.cumsum(areas) - areas.ravel()).reshape(areas.shape).astype(np.int64)
