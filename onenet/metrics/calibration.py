"""Calibration: of the pixels of which a model is 80 % sure, 80 % should be right."""

import numpy as np
from numpy.typing import NDArray

BINS = 15


class CalibrationBins:
    """Gathers confidences and outcomes in `BINS` equal bins of [0, 1]."""

    def __init__(self) -> None:
        self._confidence = np.zeros(BINS)
        self._right = np.zeros(BINS)
        self._count = np.zeros(BINS)

    def add(self, confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> None:
        """Count decisions (n,): the probability that the model gave to what it chose, and whether it was right."""
        sure = np.nan_to_num(confidence)
        bins = np.minimum((sure * BINS).astype(np.intp), BINS - 1)
        self._confidence += np.bincount(bins, sure, minlength=BINS)
        self._count += np.bincount(bins, minlength=BINS)
        self._right += np.bincount(bins[right], minlength=BINS)

    @property
    def error(self) -> float:
        """Expected calibration error: the gap between the bins' mean confidence and their share of right decisions.

        The mean of the bins' absolute gaps, weighted by their counts; 0 is perfect, NaN where nothing was counted.
        (Guo et al. 2017, "On calibration of modern neural networks".)
        """
        total = self._count.sum()
        return float(np.abs(self._confidence - self._right).sum() / total) if total else float("nan")
