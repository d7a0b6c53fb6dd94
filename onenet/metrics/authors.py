"""The figures of the paper's tables as the authors' evaluator computes them. They are not IoU, Dice or AP.

They exist to be compared with the paper and with nothing else, and are called "authors' ..." wherever they are shown.
The evaluator hands masks of class indices (b, h, w) to functions that expect one-hot masks (b, class, pixels), so that
the rows of an image are taken for its classes; a perfect prediction need not score 1, and can score more.

* mIOU: per row, sum of the *bitwise and* of both class indices / (sum of both - that), 0/0 = 0; mean over rows, images;
* DSC: generalised Dice with weights 1 / sum(truth)^2 on the same misread masks, as torchmetrics computes it;
* F1 and accuracy: both the share of right pixels (F1 is averaged "micro");
* mAP: per class (pixels in the truth) / (pixels predicted) where the class's IoU is at least 0.5, else 0, averaged over
  the classes: over the whole batch ("data set") or per image and then averaged.

All are averaged over batches, not over the data set. Their evaluator does not know of pixels that are not counted; here
these add to none of the sums.
"""

import numpy as np
from numpy.typing import NDArray

from onenet import images
from onenet.images import IGNORED
from onenet.metrics.decisions import Prediction

NAMES = {
    "mean_IoU": "authors' mIOU",
    "dice_similarity": "authors' DSC",
    "mAP_dataset": "authors' mAP (data set)",
    "mAP_per_image": "authors' mAP (image)",
    "f1_score": "authors' F1",
    "accuracy": "authors' accuracy",
}
BATCH, SIDE = 32, 256

Masks = NDArray[np.int64]


def authors_figures(logits: NDArray[np.floating], mask: NDArray[np.integer]) -> dict[str, float]:
    """The figures of one batch, by the names that the evaluator gives them.

    Args:
        logits: (b, k, h, w).
        mask: (b, h, w) class indices; 255 adds to no sum.
    """
    return _figures(logits.argmax(axis=1), mask, logits.shape[1])


class AuthorsFigures:
    """Gathers images in the authors' batches and averages the figures over the batches.

    Each image is brought to 256x256 (logits bilinear, mask nearest), since their evaluator needs equal sizes, and 32
    of them make a batch; the last batch may be smaller and weighs as much as the others.
    """

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self._waiting: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
        self._batches: list[dict[str, float]] = []

    def add(self, prediction: Prediction, mask: NDArray[np.uint8]) -> None:
        """Add an image: what a segmenter says of it, and its mask (h, w)."""
        self._waiting.append((_labels_at(prediction, mask.shape), images.resize(mask, (SIDE, SIDE), "nearest")))
        if len(self._waiting) == BATCH:
            self._close()

    def figures(self) -> dict[str, float]:
        """The means over the batches, by the names under which they are shown; empty without images."""
        if self._waiting:
            self._close()
        if not self._batches:
            return {}
        return {shown: float(np.mean([batch[key] for batch in self._batches])) for key, shown in NAMES.items()}

    def _close(self) -> None:
        labels, masks = (np.stack(part) for part in zip(*self._waiting, strict=True))
        self._batches.append(_figures(labels, masks, self._num_classes))
        self._waiting = []


def _labels_at(prediction: Prediction, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The predicted classes at 256x256, some rows at a time, so that no full-size logits are held."""
    height, width = size
    scale = height / SIDE
    margin = int(np.ceil(scale)) + 1  # what the bilinear filter reads beyond its rows
    strips = []
    for start in range(0, SIDE, 32):
        top, bottom = start * scale, (start + 32) * scale
        first, last = max(0, int(top) - margin), min(height, int(np.ceil(bottom)) + margin)
        box = (0.0, top - first, float(width), min(bottom, height) - first)
        planes = prediction.logits(slice(first, last))
        small = [images.resize(np.ascontiguousarray(plane), (32, SIDE), "bilinear", box) for plane in planes]
        strips.append(np.stack(small).argmax(axis=0).astype(np.uint8))
    return np.concatenate(strips)


def _figures(predicted: NDArray[np.integer], mask: NDArray[np.integer], num_classes: int) -> dict[str, float]:
    counted = mask != IGNORED
    drawn, true = (np.where(counted, labels, 0).astype(np.int64) for labels in (predicted, mask))
    right = float(((drawn == true) & counted).sum() / max(1, counted.sum()))
    per_image = [_mean_precision(*one, num_classes) for one in zip(drawn, true, counted, strict=True)]
    return {
        "mean_IoU": _misread_iou(drawn, true),
        "f1_score": right,
        "accuracy": right,
        "dice_similarity": _misread_dice(drawn, true),
        "mAP_dataset": _mean_precision(drawn, true, counted, num_classes),
        "mAP_per_image": float(np.mean(per_image)),
    }


def _misread_iou(drawn: Masks, true: Masks) -> float:
    both = (drawn & true).sum(axis=2)
    return float(_divided(both, drawn.sum(axis=2) + true.sum(axis=2) - both).mean())


def _misread_dice(drawn: Masks, true: Masks) -> float:
    both, size = (drawn * true).sum(axis=2), true.sum(axis=2)
    weights = _dice_weights(size)
    above, below = 2 * both * weights, (size + drawn.sum(axis=2)) * weights
    return float(_divided(above.sum(axis=1), below.sum(axis=1)).mean())


def _dice_weights(size: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 / size^2 (b, rows); where a size is 0, the largest weight of a row.

    Of which row is torchmetrics' secret: it lines up (image, row) with a list that runs over (row, image).
    """
    empty = size == 0
    weights = np.where(empty, 0.0, 1 / np.maximum(size, 1).astype(np.float64) ** 2)
    largest = np.repeat(weights.max(axis=0), len(size)).reshape(size.shape)
    return np.where(empty, largest, weights)


def _mean_precision(drawn: Masks, true: Masks, counted: NDArray[np.bool_], num_classes: int) -> float:
    values = []
    for index in range(num_classes):
        is_drawn, is_true = (drawn == index) & counted, (true == index) & counted
        both, either = int((is_drawn & is_true).sum()), int((is_drawn | is_true).sum())
        found = either > 0 and both / either >= 0.5
        values.append(is_true.sum() / is_drawn.sum() if found else 0.0)
    return float(np.mean(values))


def _divided(above: NDArray, below: NDArray) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.zeros(np.shape(above)), where=below != 0)
