"""The confusion matrix and what follows from it. One matrix covers a whole data set; nothing is averaged per batch."""

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.images import IGNORED

Matrix = NDArray[np.int64]  # rows are the truth, columns the prediction


def confusion_matrix(truth: NDArray, prediction: NDArray, num_classes: int, ignore_index: int = IGNORED) -> Matrix:
    """Pixel counts (k, k): row = true class, column = predicted class; pixels of `ignore_index` are left out.

    Raises:
        DataError: shapes differ, or a label lies outside 0 .. num_classes - 1.
    """
    if truth.shape != prediction.shape:
        raise DataError(f"mask of shape {truth.shape} cannot be compared with a prediction of shape {prediction.shape}")
    kept = truth != ignore_index
    true, predicted = truth[kept].astype(np.int64), prediction[kept].astype(np.int64)
    for name, labels in (("mask", true), ("prediction", predicted)):
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            wrong = labels[(labels < 0) | (labels >= num_classes)][0]
            raise DataError(f"the {name} holds label {wrong}, but there are {num_classes} classes")
    counts = np.bincount(true * num_classes + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou(matrix: Matrix) -> NDArray[np.float64]:
    """Intersection over union per class (k,); NaN where a class is neither in the truth nor predicted."""
    hits = np.diag(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - hits
    return _ratio(hits, union)


def dice(matrix: Matrix) -> NDArray[np.float64]:
    """Dice coefficient (F1) per class (k,); NaN where a class is neither in the truth nor predicted."""
    return _ratio(2.0 * np.diag(matrix), (matrix.sum(0) + matrix.sum(1)).astype(np.float64))


def pixel_accuracy(matrix: Matrix) -> float:
    """Share of the pixels whose class is right; NaN where nothing was counted."""
    return float(_ratio(np.diag(matrix).sum(keepdims=True).astype(np.float64), matrix.sum(keepdims=True).ravel())[0])


def mean_over_classes(values: NDArray[np.float64], without: int | None = None) -> float:
    """Mean of the classes that have a value, without class `without`; NaN where none has."""
    chosen = np.delete(values, without) if without is not None else values
    chosen = chosen[~np.isnan(chosen)]
    return float(chosen.mean()) if chosen.size else float("nan")


def _ratio(above: NDArray, below: NDArray) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, np.nan)
