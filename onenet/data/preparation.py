"""How volumes become images: the axis of the slices, their pixels' size, their grey values and their neighbours.

What the configuration leaves to the data follows from its training cases, of all folds where there are some: the axis
along which voxels are longest, the median of the spacings in its slices, and for CT the values of what is labelled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.config import DataConfig
from onenet.data.cases import Case
from onenet.data.volume_reading import Grid, grid_of, read_labelled
from onenet.errors import ConfigError, DataError
from onenet.images import IGNORED

FEET_TO_HEAD = 2

_MUCH_LONGER = 1.01  # voxels along the axis of the slices than along the others
_MOST_READ = 40  # cases whose grey values are looked at
_MOST_VALUES = 20_000  # of each of them


@dataclass(frozen=True)
class Preparation:
    """What is done to every volume before it is an image, at training as at prediction.

    Attributes:
        axis: of the slices in closest canonical orientation: 0 left to right, 1 back to front, 2 feet to head.
        spacing: millimetres along the other two axes, in their order; None: as they are.
        intensity: a rule of `onenet.volumes.normalise`.
        neighbours: slices on either side that are further channels.
    """

    axis: int
    spacing: tuple[float, float] | None
    intensity: Mapping[str, Any]
    neighbours: int = 0

    @property
    def in_plane(self) -> tuple[int, int]:
        """The axes of a slice; columns follow the first one and rows the second, see `onenet.volumes.slices`."""
        first, second = (axis for axis in range(3) if axis != self.axis)
        return first, second

    def to_card(self) -> dict[str, Any]:
        """The field `volume` of a card."""
        return {
            "axis": self.axis,
            "spacing": None if self.spacing is None else list(self.spacing),
            "intensity": dict(self.intensity),
            "neighbours": self.neighbours,
        }

    @staticmethod
    def from_card(volume: Mapping[str, Any]) -> "Preparation":
        """What a card says of it."""
        spacing = volume.get("spacing")
        return Preparation(
            int(volume["axis"]),
            None if spacing is None else (float(spacing[0]), float(spacing[1])),
            dict(volume["intensity"]),
            int(volume.get("neighbours", 0)),
        )


def overruled(config: DataConfig, preparation: Preparation) -> str:
    """A line about the keys of a configuration that say otherwise than a trained model; "" where none does.

    Raises:
        ConfigError: `data.spacing` or `data.intensity` cannot be read.
    """
    told = {
        "axis": config.axis not in ("auto", str(preparation.axis)),
        "spacing": config.spacing != ("auto",) and _spacing(config, ()) != preparation.spacing,
        "intensity": config.intensity != "auto" and _intensity(config, (), (), {}, None) != preparation.intensity,
        "neighbours": config.neighbours not in (0, preparation.neighbours),
    }
    keys = [f"data.{key}" for key, differs in told.items() if differs]
    return f"volumes are prepared as in the model's training, whatever {' and '.join(keys)} says" if keys else ""


def plan_preparation(config: DataConfig, cases: Sequence[Case], channels: Sequence[str], labels: Mapping[int, int],
                     background: int | None) -> Preparation:  # fmt: skip
    """What the configuration says, and where it leaves it to the data, what suits the cases.

    Args:
        config: of the data.
        cases: that are trained on, or of which each is in one of the folds.
        channels: their names, "CT" throughout where it is CT; () where nothing says them.
        labels, background: which voxels are of a class.

    Raises:
        ConfigError: `data.spacing` or `data.intensity` cannot be read.
        DataError: no case can be read.
    """
    grids = [grid for case in cases if (grid := _try_grid(case, config)) is not None]
    if not grids:
        raise DataError(
            f"{cases[0].image}: none of the {len(cases)} training volumes can be read; see onenet data check"
        )
    median = np.median([grid.spacing for grid in grids], axis=0)
    axis = _longest(median) if config.axis == "auto" else int(config.axis)
    plain = Preparation(axis, None, {})
    spacing = _spacing(config, [float(median[other]) for other in plain.in_plane])
    return Preparation(axis, spacing, _intensity(config, cases, channels, labels, background), config.neighbours)


def _try_grid(case: Case, config: DataConfig) -> Grid | None:
    try:
        return grid_of(case.image)
    except DataError:
        if not config.skip_unreadable:
            raise
        return None


def _longest(spacing: NDArray[np.float64]) -> int:
    order = np.argsort(spacing)
    return int(order[-1]) if spacing[order[-1]] > _MUCH_LONGER * spacing[order[-2]] else FEET_TO_HEAD


def _spacing(config: DataConfig, median: Sequence[float]) -> tuple[float, float] | None:
    if not config.spacing:
        return None
    if config.spacing == ("auto",):
        return round(median[0], 4), round(median[1], 4)
    try:
        first, second = (float(text) for text in config.spacing)
    except ValueError:
        first = second = 0.0
    if not (0.001 <= first <= 1000 and 0.001 <= second <= 1000):
        raise ConfigError(f"data.spacing={list(config.spacing)}: expected auto, [] for none, or two lengths in "
                          "millimetres, for example [1.0, 1.0]")  # fmt: skip
    return first, second


def _intensity(config: DataConfig, cases: Sequence[Case], channels: Sequence[str], labels: Mapping[int, int],
               background: int | None) -> dict[str, Any]:  # fmt: skip
    kind, *numbers = config.intensity.split(":")
    if kind == "auto" and channels and all(name.upper() == "CT" for name in channels):
        return _window_of_classes(config, cases, len(channels), labels, background)
    if kind in ("auto", "percentiles", "zscore") and not numbers:
        return {"kind": "percentiles" if kind == "auto" else kind}
    try:
        centre, width = (float(number) for number in numbers)
    except ValueError:
        kind = ""
    if kind != "window" or not width > 0:
        raise ConfigError(f"data.intensity={config.intensity}: choose from auto, percentiles, zscore and "
                          "window:CENTRE:WIDTH, for example window:40:400")  # fmt: skip
    return {"kind": "window", "low": centre - width / 2, "high": centre + width / 2}


def _window_of_classes(config: DataConfig, cases: Sequence[Case], channels: int, labels: Mapping[int, int],
                       background: int | None) -> dict[str, Any]:  # fmt: skip
    """The middle 99 % of the values of labelled voxels over the training cases, as nnU-Net has it for CT."""
    found = []
    wanted = [value for value, index in labels.items() if index not in (background, IGNORED)]
    for case in list(cases)[:: -(-len(cases) // _MOST_READ)]:
        try:
            volume = read_labelled(case, channels)
        except DataError:
            if not config.skip_unreadable:
                raise
            continue
        values = volume.image[np.isin(volume.mask, wanted)].ravel()
        found.append(values[:: -(-len(values) // _MOST_VALUES)] if len(values) else values)
    everything = np.concatenate([np.empty(0), *found])
    if not len(everything):
        raise DataError(f"{cases[0].mask}: no voxel of the training masks is of a class; see onenet data check")
    low, high = np.percentile(everything, (0.5, 99.5))
    return {"kind": "window", "low": round(float(low), 3), "high": round(float(max(high, low + 1)), 3)}
