"""The confusion matrix and what follows from it. One matrix covers a whole data set; nothing is averaged per batch.

Where classes exclude one another it is (k, k): rows are the truth, columns the prediction. Where they may overlap there
is one two-by-two matrix per class, (k, 2, 2): [class, there in truth, there in the prediction].
"""

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.images import IGNORED

Matrix = NDArray[np.int64]  # (k, k), or (k, 2, 2) of overlapping classes


def confusion_matrix(truth: NDArray, prediction: NDArray, num_classes: int, ignore_index: int = IGNORED) -> Matrix:
    """Pixel counts (k, k): row = true class, column = predicted class; pixels of `ignore_index` are left out.

    Raises:
        DataError: shapes differ, or a label lies outside 0 .. num_classes - 1.
    """
    true, predicted = _counted_labels(truth, prediction, ignore_index)
    for name, labels in (("mask", true), ("prediction", predicted)):
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            wrong = labels[(labels < 0) | (labels >= num_classes)][0]
            raise DataError(f"the {name} holds label {wrong}, but there are {num_classes} classes")
    counts = np.bincount(true * num_classes + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def overlapping_matrix(truth: NDArray, prediction: NDArray, num_classes: int, ignore_index: int = IGNORED) -> Matrix:
    """Pixel counts (k, 2, 2) of bit codes: [i, 1, 0] = pixels where class i is, but was not predicted.

    Raises:
        DataError: shapes differ, or a code has a bit beyond those of the classes.
    """
    true, predicted = _counted_labels(truth, prediction, ignore_index)
    codes = 2**num_classes
    for name, labels in (("mask", true), ("prediction", predicted)):
        if labels.size and not 0 <= labels.min() <= labels.max() < codes:
            wrong = labels[(labels < 0) | (labels >= codes)][0]
            raise DataError(
                f"the {name} holds the code {wrong}, but {num_classes} overlapping classes end at {codes - 1}"
            )
    joint = np.bincount(true * codes + predicted, minlength=codes**2).reshape(codes, codes)
    there = np.arange(codes)[None] >> np.arange(num_classes)[:, None] & 1  # class, code
    split = np.stack([1 - there, there], axis=1)  # class, absent or there, code
    return np.einsum("kap,pq,kbq->kab", split, joint, split, optimize=True)


def empty_matrix(num_classes: int, overlapping: bool = False) -> Matrix:
    """Zeros in the form of the classes' matrix."""
    return np.zeros((num_classes, 2, 2) if overlapping else (num_classes, num_classes), dtype=np.int64)


def areas(matrix: Matrix) -> NDArray[np.int64]:
    """Pixels of each class (3, k): where truth and prediction agree, of the truth, of the prediction."""
    if matrix.ndim == 3:
        return np.stack([matrix[:, 1, 1], matrix[:, 1].sum(-1), matrix[:, :, 1].sum(-1)])
    return np.stack([np.diag(matrix), matrix.sum(1), matrix.sum(0)])


def counted_pixels(matrix: Matrix) -> int:
    """How many pixels were counted."""
    return int(matrix[0].sum() if matrix.ndim == 3 else matrix.sum())


def iou(matrix: Matrix) -> NDArray[np.float64]:
    """Intersection over union per class (k,); NaN where a class is neither in the truth nor predicted."""
    return iou_of(areas(matrix))


def iou_of(sizes: NDArray) -> NDArray[np.float64]:
    """Intersection over union (..., k) of `areas` (..., 3, k)."""
    hits, true, predicted = np.moveaxis(sizes, -2, 0)
    return _ratio(hits, true + predicted - hits)


def dice(matrix: Matrix) -> NDArray[np.float64]:
    """Dice coefficient (F1) per class (k,); NaN where a class is neither in the truth nor predicted."""
    hits, true, predicted = areas(matrix)
    return _ratio(2 * hits, true + predicted)


def precision(matrix: Matrix) -> NDArray[np.float64]:
    """Share of the pixels predicted as a class that are of it, (k,); NaN where it is never predicted."""
    hits, _, predicted = areas(matrix)
    return _ratio(hits, predicted)


def recall(matrix: Matrix) -> NDArray[np.float64]:
    """Share of the pixels of a class that are predicted as it, (k,); NaN where it does not occur in the truth."""
    hits, true, _ = areas(matrix)
    return _ratio(hits, true)


def pixel_accuracy(matrix: Matrix) -> float:
    """Share of the pixels whose class is right; NaN where nothing was counted.

    NaN too for overlapping classes, whose counts do not say how often all classes of a pixel were right together.
    """
    if matrix.ndim == 3:
        return float("nan")
    return float(_ratio(np.diag(matrix).sum(), matrix.sum()))


def right_decisions(matrix: Matrix) -> float:
    """Share of the decisions "is class i at this pixel?" that are right, of overlapping classes; NaN for others."""
    if matrix.ndim != 3:
        return float("nan")
    return float(_ratio(matrix[:, 0, 0].sum() + matrix[:, 1, 1].sum(), matrix.sum()))


def mean_over_classes(values: NDArray[np.float64], without: int | None = None) -> float:
    """Mean of the classes that have a value, without class `without`; NaN where none has."""
    chosen = np.delete(values, without) if without is not None else values
    chosen = chosen[~np.isnan(chosen)]
    return float(chosen.mean()) if chosen.size else float("nan")


def _counted_labels(truth: NDArray, prediction: NDArray, ignore_index: int) -> tuple[NDArray, NDArray]:
    if truth.shape != prediction.shape:
        raise DataError(f"mask of shape {truth.shape} cannot be compared with a prediction of shape {prediction.shape}")
    kept = truth != ignore_index
    return truth[kept].astype(np.int64), prediction[kept].astype(np.int64)


def _ratio(above: NDArray | np.integer, below: NDArray | np.integer) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, np.true_divide(above, below), np.nan)
