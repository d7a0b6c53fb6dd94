"""The scores of one case, a volume with its true mask: per class overlap, surfaces, lesions and millilitres.

A class that is not in the truth of a case has no Dice, IoU or surface there (NaN): what is predicted of it all the same
is its false volume. A class that is there and not predicted at all has Dice 0 and surface Dice 0, but no HD95; such
cases are counted as missed, to be read beside the mean of HD95, which does not know of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onenet.errors import OneNetError
from onenet.images import IGNORED
from onenet.metrics.lesions import count_lesions
from onenet.metrics.surface import Solid, hausdorff95, surface_dice, surface_distances

TOLERANCE = 2.0  # millimetres of surface Dice
NAMES = (
    "dice", "iou", "hd95_mm", "surface_dice", "sensitivity", "lesion_sensitivity", "false_lesions", "true_ml",
    "predicted_ml", "volume_error_ml", "false_volume_ml",
)  # fmt: skip


@dataclass(frozen=True)
class CaseScores:
    """What was measured of one case.

    Attributes:
        name: of the case.
        values: per name of `NAMES` a number per class (k,), NaN where there is none:
            dice, iou: of the voxels.
            hd95_mm, surface_dice: see `onenet.metrics.surface`.
            sensitivity: share of the true voxels that are predicted.
            lesion_sensitivity, false_lesions: see `onenet.metrics.lesions`.
            true_ml, predicted_ml: the volumes.
            volume_error_ml: predicted less true volume, where the class is in the truth.
            false_volume_ml: predicted volume, where the class is not in the truth.
    """

    name: str
    values: dict[str, NDArray[np.float64]]

    @property
    def missed(self) -> NDArray[np.bool_]:
        """Per class whether it is there, and nothing of it is predicted."""
        return (self.values["true_ml"] > 0) & (self.values["predicted_ml"] == 0)


def score_case(
    name: str,
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    num_classes: int,
    spacing: Sequence[float],
    background: int | None = None,
    overlapping: bool = False,
    tolerance: float = TOLERANCE,
) -> CaseScores:
    """Compare a predicted mask with the true one.

    Args:
        name: of the case.
        truth, prediction: (x, y, z) class indices, or bit codes where classes overlap; 255 in `truth` is not counted.
        num_classes: how many there are.
        spacing: millimetres from voxel to voxel along each axis.
        background: has no scores; None where there is none.
        overlapping: the masks are bit codes.
        tolerance: millimetres of surface Dice.

    Raises:
        OneNetError: scipy is not installed.
    """
    try:
        import scipy  # noqa: F401
    except ModuleNotFoundError:
        raise OneNetError("scores need scipy, which is not installed: pip install 'onenet-seg[scores]'") from None
    counted = truth != IGNORED
    values = {key: np.full(num_classes, np.nan) for key in NAMES}
    for index in range(num_classes):
        if index == background:
            continue
        true, drawn = _around(*(where_class(mask, index, overlapping) & counted for mask in (truth, prediction)))
        for key, value in _score_class(true, drawn, spacing, tolerance).items():
            values[key][index] = value
    return CaseScores(name, values)


def where_class(mask: NDArray[np.uint8], index: int, overlapping: bool) -> Solid:
    """Where a class is in a mask of class indices or bit codes."""
    return (mask >> np.uint8(index) & 1).astype(bool) if overlapping else mask == index


def _around(true: Solid, drawn: Solid) -> tuple[Solid, Solid]:
    """The part of both in which there is anything: a class is seldom everywhere."""
    from scipy.ndimage import find_objects

    box = find_objects((true | drawn).astype(np.uint8))
    return (true[box[0]], drawn[box[0]]) if box else (true[:0], drawn[:0])


def _score_class(true: Solid, drawn: Solid, spacing: Sequence[float], tolerance: float) -> dict[str, float]:
    millilitres = float(np.prod(spacing)) / 1000  # of a voxel
    whole, predicted = int(true.sum()), int(drawn.sum())
    found = {"true_ml": whole * millilitres, "predicted_ml": predicted * millilitres}
    lesions = count_lesions(true, drawn)
    found["false_lesions"] = lesions.false
    if not whole:
        return found | {"false_volume_ml": found["predicted_ml"]}
    both = int((true & drawn).sum())
    distances = surface_distances(true, drawn, spacing)
    return found | {
        "dice": 2 * both / (whole + predicted),
        "iou": both / (whole + predicted - both),
        "hd95_mm": hausdorff95(distances),
        "surface_dice": surface_dice(distances, tolerance),
        "sensitivity": both / whole,
        "lesion_sensitivity": lesions.sensitivity,
        "volume_error_ml": found["predicted_ml"] - found["true_ml"],
    }
