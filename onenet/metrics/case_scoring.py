"""Score segmented volumes: every case by itself, the voxels of all of them together, and slices for the eye."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onenet.card import Card
from onenet.images import IGNORED
from onenet.metrics import confusion
from onenet.metrics.cases import CaseReport
from onenet.metrics.pictures import Strip
from onenet.metrics.report import Report
from onenet.metrics.volume import TOLERANCE, score_case
from onenet.volumes import slices

_PICTURED = 4  # of the best and of the worst cases


@dataclass(frozen=True, eq=False)
class SegmentedCase:
    """A volume with its true mask and the predicted one, in one grid.

    Attributes:
        name: of the case.
        image: (x, y, z, c) in canonical orientation, in any units.
        truth, prediction: (x, y, z) class indices, or bit codes where classes overlap; 255 in `truth` is not counted.
        spacing: millimetres from voxel to voxel along each axis.
        axis: along which slices are shown.
    """

    name: str
    image: NDArray
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    spacing: tuple[float, float, float]
    axis: int = 2


def score_cases(
    cases: Iterable[SegmentedCase], card: Card, data: str, split: str, tolerance: float = TOLERANCE
) -> tuple[CaseReport, Report, list[Strip]]:
    """The scores of every case, those of all voxels together, and the best and the worst cases from best to worst.

    Args:
        cases: one after the other; none of them is kept.
        card: of the model: its classes, and whether they overlap.
        data, split: how the reports call these cases.
        tolerance: millimetres of surface Dice.
    """
    k, background = card.num_classes, card.background
    matrix = confusion.empty_matrix(k, card.overlapping)
    count = confusion.overlapping_matrix if card.overlapping else confusion.confusion_matrix
    scores, per_case, strips = [], [], list[Strip]()
    for case in cases:
        here = count(case.truth, case.prediction, k, IGNORED)
        matrix += here
        value = confusion.mean_over_classes(confusion.iou(here))
        per_case.append((case.name, value))
        scores.append(score_case(case.name, case.truth, case.prediction, k, case.spacing, background, card.overlapping,
                                 tolerance))  # fmt: skip
        strips = _with(strips, case, value, background)
    report = Report(data, split, len(per_case), card.classes, background, matrix, math.nan, tuple(per_case))
    return CaseReport(data, split, card.classes, background, tolerance, tuple(scores)), report, strips


def _with(strips: Sequence[Strip], case: SegmentedCase, value: float, background: int | None) -> list[Strip]:
    """The strips with that of a case, the middle ones left out where there are too many."""
    if math.isnan(value):
        return list(strips)
    ranked = sorted([*strips, pictured(case, value, background)], key=lambda strip: -strip.mean_iou)
    if len(ranked) > 2 * _PICTURED:
        del ranked[_PICTURED]
    return ranked


def pictured(case: SegmentedCase, value: float, background: int | None) -> Strip:
    """The slice of a case that has most of its classes, the grey values stretched for the eye."""
    there = (case.truth != (background or 0)) & (case.truth != IGNORED)
    place = int(slices(there, case.axis).sum(axis=(1, 2)).argmax())
    image, truth, prediction = (
        np.ascontiguousarray(slices(array, case.axis)[place]) for array in (case.image, case.truth, case.prediction)
    )
    channel = image[..., :1].astype(np.float32)
    low, high = np.percentile(channel, (1, 99))
    shown = ((channel - low) / max(float(high - low), 1e-6)).clip(0, 1)
    return Strip(case.name, shown.astype(np.float32), truth, prediction, value)
