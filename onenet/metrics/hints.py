"""Why a score is zero or low, in plain words, as far as the counts can tell."""

import numpy as np
from numpy.typing import NDArray

from onenet.metrics import confusion
from onenet.metrics.report import Report

_MUCH, _GOOD = 0.1, 0.4  # mean IoU that other names of the classes must gain, and reach, before they are suspected
_SHOWN = 5


def hints(report: Report) -> tuple[str, ...]:
    """What is striking in the counts of a report, a line each; empty where nothing is.

    Classes that no mask holds, classes that are never predicted, a single class that is predicted everywhere, and
    labels that look swapped or shifted: with the predicted classes renamed the mean IoU would be much better.
    """
    _, true, predicted = confusion.areas(report.matrix)
    if not confusion.counted_pixels(report.matrix):
        return ("no pixel was counted: the masks hold nothing but the value that is not counted",)
    found = [*_absent(report, true, predicted)]
    only = np.flatnonzero(predicted)
    if not only.size:
        found.append("no class is predicted anywhere; the network has learned nothing yet, or the images are read "
                     "otherwise than in training")  # fmt: skip
    elif not report.overlapping and only.size == 1 and np.count_nonzero(true) > 1:
        found.append(
            f"every pixel is predicted as {report.classes[only[0]]}: the network has learned nothing yet (train "
            "longer, or with another learning rate or loss.balance), or the images are read otherwise than in training"
        )
    else:
        found += _missed(report, true, predicted)
        found += _swapped(report)
    return tuple(found)


def _absent(report: Report, true: NDArray, predicted: NDArray) -> list[str]:
    wrongly = [report.classes[i] for i in np.flatnonzero((true == 0) & (predicted > 0))]
    nowhere = [report.classes[i] for i in np.flatnonzero((true == 0) & (predicted == 0))]
    lines = []
    if wrongly:
        lines.append(f"in no mask of these images: {_listed(wrongly)}; predicted all the same, so the IoU is 0")
    if nowhere:
        lines.append(f"in no mask of these images and never predicted: {_listed(nowhere)}; the means leave it out")
    return lines


def _missed(report: Report, true: NDArray, predicted: NDArray) -> list[str]:
    missed = [
        f"{report.classes[i]} ({100 * share:.2g} % of the pixels)"
        for i, share in enumerate(report.shares())
        if true[i] and not predicted[i]
    ]
    return [f"never predicted: {_listed(missed)}; the IoU is 0"] if missed else []


def _swapped(report: Report) -> list[str]:
    """Which classes are mostly predicted as which, where a permutation of the predicted ones fits much better.

    A network that has learned little fits better under some permutation too, but then few classes move as a whole.
    """
    if report.overlapping or len(report.classes) < 2:
        return []
    try:
        from scipy.optimize import linear_sum_assignment
    except ModuleNotFoundError:  # a hint is not worth a refusal
        return []
    matrix = report.matrix.astype(np.float64)
    union = matrix.sum(1)[:, None] + matrix.sum(0)[None] - matrix
    overlap = np.divide(matrix, union, out=np.zeros_like(matrix), where=union > 0)  # IoU of truth i with prediction j
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    renamed = confusion.mean_over_classes(confusion.iou(report.matrix[:, columns]))
    moved = [(i, j) for i, j in zip(rows, columns, strict=True) if i != j and matrix[i].any()]
    mostly = [(i, j) for i, j in moved if 2 * matrix[i, j] > matrix[i].sum()]
    if 2 * len(mostly) <= len(moved) or renamed - report.mean_iou < _MUCH or renamed < _GOOD:
        return []
    pairs = _listed([f"{report.classes[i]} is mostly predicted as {report.classes[j]}" for i, j in mostly])
    return [
        f"labels may be swapped or shifted: {pairs}; with the predicted classes so renamed the mean IoU would be "
        f"{renamed:.3f} instead of {report.mean_iou:.3f}; compare the classes of the data with those of the training"
    ]


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
