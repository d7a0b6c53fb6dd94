"""What is random about a training sample: drawn here, once, for the host (transforms.py) and the device (device.py).

A sample is a window of the picture, turned about its centre, mirrored or not, with its colours changed, blurred and
noisy. One dial, `augment.strength` = s: ranges of zoom and proportions become range^s, the other amounts amount * s.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from onenet.config import AugmentConfig, Config
from onenet.data.sample import Dataset
from onenet.images import IGNORED, scaled_size

Box = tuple[float, float, float, float]  # left, top, right, bottom
Spot = tuple[float, float]  # row, column

_WIDEST = 64  # a window far larger than its picture shows it so many times side by side, and no more


@dataclass(frozen=True)
class Variation:
    """How one sample is made from its picture.

    Attributes:
        box: the window (left, top, right, bottom) in pixels of the picture, before it is turned.
        angle: radians by which it is turned about its centre, in the proportions of the sample.
        mirrored: left to right, upside down.
        colour: factors of brightness, contrast and saturation.
        hue: radians by which colours turn about grey.
        blur: standard deviation of a Gaussian in pixels of the sample.
        noise: standard deviation, where 1 is white; the noise itself is drawn from `noise_seed`.
    """

    box: Box
    angle: float
    mirrored: tuple[bool, bool]
    colour: tuple[float, float, float]
    hue: float
    blur: float
    noise: float
    noise_seed: int

    @property
    def keeps_colours(self) -> bool:
        return self.colour == (1.0, 1.0, 1.0) and self.hue == self.blur == self.noise == 0


@dataclass(frozen=True)
class Augmentation:
    """What the samples of a run are and how they vary.

    Attributes:
        size, mask_size: of the image and of the mask of a sample.
        fit: "cover" or "none", as in the recipe.
        augment: the amounts.
        foreground: share of the samples whose window is put on a pixel that is neither `background` nor ignored.
        background: label of the pixels that are nothing.
        in_colour: three channels are red, green and blue; else saturation and hue stay.
    """

    size: tuple[int, int]
    mask_size: tuple[int, int]
    fit: str
    augment: AugmentConfig
    foreground: float = 0.0
    background: int | None = None
    in_colour: bool = True

    def draw(self, shape: tuple[int, int], find: Callable[[float], Spot | None], generator: Generator) -> Variation:
        """Draw a variation for a picture of `shape`; always takes the same amount of numbers from the generator.

        Args:
            shape: height and width of the picture.
            find: where the foreground pixel is that stands at a share (0 to 1) of all of them; None: there is none.
            generator: of all chance.
        """
        u = generator.random(14)
        noise_seed = int(generator.integers(2**62))
        turn = 2 * float(generator.random()) - 1
        augment, strength = self.augment, self.augment.strength
        angle = math.radians(augment.rotate * strength * (2 * u[0] - 1))
        height, width = self._window(shape, u[1], u[2])
        place = (u[3], u[4]) if strength else (0.5, 0.5)
        spot = find(u[6]) if u[5] < self.foreground else None
        if spot is None:
            top, left = ((length - part) * p for length, part, p in zip(shape, (height, width), place, strict=True))
        else:
            top, left = self._around(spot, shape, (height, width), (u[3], u[4]), angle)
        colour = min(1.0, augment.colour * strength)
        brightness, contrast, saturation = (float(1 + colour * (2 * share - 1)) for share in u[7:10])
        saturation, turn = (saturation, turn) if self.in_colour else (1.0, 0.0)
        return Variation(
            box=(float(left), float(top), float(left + width), float(top + height)),
            angle=float(angle),
            mirrored=(
                bool(augment.flip and strength and u[10] < 0.5),
                bool(augment.vertical_flip and strength and u[11] < 0.5),
            ),
            colour=(brightness, contrast, saturation),
            hue=math.radians(min(180.0, augment.hue * strength) * turn),
            blur=float(augment.blur * strength * u[12]),
            noise=float(augment.noise * strength * u[13]),
            noise_seed=noise_seed,
        )

    def largest_zoom(self, shape: tuple[int, int]) -> float:
        """Pixels of a sample (or of its mask, where that is larger) per pixel of the picture, at the nearest zoom."""
        size = (max(self.size[0], self.mask_size[0]), max(self.size[1], self.mask_size[1]))
        plain = _cover(shape, size) if self.fit == "cover" else max(a / b for a, b in zip(size, self.size, strict=True))
        return plain * self.augment.scale[1] ** self.augment.strength

    def _window(self, shape: tuple[int, int], zoom_share: float, ratio_share: float) -> tuple[float, float]:
        """Height and width in pixels of the picture.

        At zoom 1 an object is as large in the sample as it is when whole images are segmented.
        """
        strength = self.augment.strength
        zoom = _cover(shape, self.size) if self.fit == "cover" else 1.0
        zoom *= _log_uniform(self.augment.scale, zoom_share) ** strength
        stretch = math.sqrt(_log_uniform(self.augment.ratio, ratio_share) ** strength)
        height, width = self.size[0] / zoom * stretch, self.size[1] / zoom / stretch
        limits = [float(max(_WIDEST * length, 4 * target)) for length, target in zip(shape, self.size, strict=True)]
        return min(height, limits[0]), min(width, limits[1])

    def _around(
        self, spot: Spot, shape: tuple[int, int], window: tuple[float, float], place: Spot, angle: float
    ) -> Spot:
        """Top and left of a window with the spot at `place`, shifted into the picture where it still has the spot."""
        height, width = window
        down, right = turned((place[0] - 0.5) * self.size[0], (place[1] - 0.5) * self.size[1], angle)
        free = (spot[0] - down * height / self.size[0] - height / 2, spot[1] - right * width / self.size[1] - width / 2)
        low, high = zip(
            *(sorted((0.0, length - part)) for length, part in zip(shape, window, strict=True)), strict=True
        )
        held = min(max(free[0], low[0]), high[0]), min(max(free[1], low[1]), high[1])
        down = (spot[0] - held[0] - height / 2) * self.size[0] / height
        right = (spot[1] - held[1] - width / 2) * self.size[1] / width
        back = turned(down, right, -angle)
        seen = abs(back[0]) <= self.size[0] / 2 and abs(back[1]) <= self.size[1] / 2
        return held if seen else free


def plan_augmentation(config: Config, dataset: Dataset) -> Augmentation:
    """The samples that a run trains on; with `train.overfit` they do not vary."""
    augment, foreground = config.augment, config.train.foreground
    if config.train.overfit:
        augment, foreground = _still(augment), 0.0
    size = config.data.size
    return Augmentation(
        size=size,
        mask_size=(config.data.mask_size[0] or size[0], config.data.mask_size[1] or size[1]),
        fit=config.data.fit,
        augment=augment,
        foreground=foreground,
        background=0 if dataset.overlapping else dataset.background,
        in_colour=dataset.in_colour,
    )


class Foreground:
    """The pixels of a mask that are neither background nor ignored, as runs: small, and any of them found at once.

    Args:
        mask: labels (h, w).
        background: the label that does not count; None: all labels count.
        shape: of the picture, in whose pixels spots are given; the mask may be smaller.
    """

    def __init__(self, mask: NDArray[np.uint8], background: int | None, shape: tuple[int, int]) -> None:
        wanted = mask != IGNORED
        if background is not None:
            wanted &= mask != background
        edges = np.flatnonzero(np.diff(wanted.ravel(), prepend=False, append=False)).astype(np.int32)
        self.starts, ends = edges[::2], edges[1::2]
        self.counts = np.cumsum(ends - self.starts)
        self.width = mask.shape[1]
        self.step = shape[0] / mask.shape[0], shape[1] / mask.shape[1]

    def find(self, share: float) -> Spot | None:
        """The centre of the pixel that stands at `share` (0 to 1) of all of them, row by row."""
        if not len(self.counts):
            return None
        rank = int(share * self.counts[-1])
        run = int(np.searchsorted(self.counts, rank, side="right"))
        after_run = int(self.counts[run]) - rank
        run_length = int(self.counts[run] - (self.counts[run - 1] if run else 0))
        row, column = divmod(int(self.starts[run]) + run_length - after_run, self.width)
        return (row + 0.5) * self.step[0], (column + 0.5) * self.step[1]


def turned(down: float, right: float, angle: float) -> Spot:
    """A place relative to the centre of a sample, turned by `angle`."""
    cos, sin = math.cos(angle), math.sin(angle)
    return sin * right + cos * down, cos * right - sin * down


def hue_turn(angle: float) -> NDArray[np.float32]:
    """The matrix (3, 3) that turns red, green and blue about grey by an angle in radians (Rodrigues); means stay."""
    cos, side = math.cos(angle), math.sin(angle) / math.sqrt(3)
    even = (1 - cos) / 3
    rows = [[cos + even, even - side, even + side], [even + side, cos + even, even - side]]
    return np.array([*rows, [even - side, even + side, cos + even]], dtype=np.float32)


def to_picture(box: Box, angle: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """The matrix (2, 3) that takes x, y, 1 in a sample of `size` to x, y in the picture; mirroring comes before it."""
    left, top, right, bottom = box
    (height, width), cos, sin = size, math.cos(angle), math.sin(angle)
    across, down = (right - left) / width, (bottom - top) / height
    turn = np.array([[across * cos, -across * sin], [down * sin, down * cos]])
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    return np.column_stack([turn, centre - turn @ [width / 2, height / 2]])


def gaussian(sigma: float) -> NDArray[np.float32]:
    """The weights of a Gaussian at whole steps up to three standard deviations either way; their sum is 1."""
    reach = math.ceil(3 * sigma)
    if not reach:
        return np.ones(1, dtype=np.float32)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)


def _cover(shape: tuple[int, int], size: tuple[int, int]) -> float:
    return scaled_size(shape, size)[0] / shape[0]


def _log_uniform(bounds: tuple[float, float], share: float) -> float:
    return bounds[0] ** (1 - share) * bounds[1] ** share


def _still(augment: AugmentConfig) -> AugmentConfig:
    return AugmentConfig(**{**vars(augment), "strength": 0.0})
